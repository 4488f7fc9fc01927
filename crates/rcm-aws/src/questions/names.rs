//! Which names are in use already, anybody's: what a create would be told half-way through a run.

use std::collections::BTreeSet;

use futures::future::try_join_all;
use rcm_engine::model::{Fault, Identity, Resource};
use serde_json::Value;

use crate::{
    Aws,
    classify::{absent, fault},
    identity::physical_name,
    resources::{
        backup_vault::{self, Vault},
        ecr_repository::{self, Repository},
        ecs_cluster::{self, Cluster},
        elb_load_balancer::{self, LoadBalancer},
        elb_target_group::{self, TargetGroup},
        iam_role::{self, Role},
        kms_key::{self, Key},
        logs_group::{self, LogGroup},
        rds_instance::{self, Instance},
        rds_parameter_group::{self, ParameterGroup},
        rds_replica::Replica,
        rds_subnet_group::{self, SubnetGroup},
        s3_bucket::{self, Bucket},
        secrets_secret::{self, Secret},
        sns_topic::{self, Topic},
    },
};

/// Kinds whose names are one to the account and Region (S3's to the world): the field of the spec, and how long the name may be.
const NAMED: &[(&str, &str, usize)] = &[
    (Bucket::KIND, "name", s3_bucket::NAME_LIMIT),
    (Cluster::KIND, "name", ecs_cluster::NAME_LIMIT),
    (Instance::KIND, "identifier", rds_instance::NAME_LIMIT),
    (Key::KIND, "alias", kms_key::ALIAS_LIMIT),
    (LoadBalancer::KIND, "name", elb_load_balancer::NAME_LIMIT),
    (LogGroup::KIND, "name", logs_group::NAME_LIMIT),
    (ParameterGroup::KIND, "name", rds_parameter_group::NAME_LIMIT),
    (Replica::KIND, "identifier", rds_instance::NAME_LIMIT),
    (Repository::KIND, "name", ecr_repository::NAME_LIMIT),
    (Role::KIND, "name", iam_role::NAME_LIMIT),
    (Secret::KIND, "name", secrets_secret::NAME_LIMIT),
    (SubnetGroup::KIND, "name", rds_subnet_group::NAME_LIMIT),
    (TargetGroup::KIND, "name", elb_target_group::NAME_LIMIT),
    (Topic::KIND, "name", sns_topic::NAME_LIMIT),
    (Vault::KIND, "name", backup_vault::NAME_LIMIT),
];

/// What a resource is going to be called, where a second one of that kind cannot be called so.
pub fn named(kind: &str, identity: &Identity, spec: &Value) -> Option<String> {
    let (_, field, limit) = NAMED.iter().find(|(named, ..)| *named == kind)?;
    Some(physical_name(identity, spec.get(field)?.as_str()?, *limit))
}

impl Aws {
    /// Those of `names` that a resource of that kind has, anybody's: of the kinds that nothing else here lists.
    pub async fn names_taken(&self, kind: &str, names: &BTreeSet<String>) -> Result<BTreeSet<String>, Fault> {
        let known = match kind {
            Cluster::KIND => self.cluster_names(names).await?,
            Key::KIND => self.alias_names().await?,
            LogGroup::KIND => self.log_group_names(names).await?,
            ParameterGroup::KIND => self.parameter_group_names().await?,
            Repository::KIND => self.repository_names(names).await?,
            SubnetGroup::KIND => self.subnet_group_names().await?,
            Topic::KIND => self.topic_names().await?,
            Vault::KIND => self.vault_names().await?,
            _ => Vec::new(),
        };
        Ok(known.into_iter().filter(|name| names.contains(name)).collect())
    }

    /// ECS keeps the names of clusters that are gone, and lets them be taken again.
    async fn cluster_names(&self, names: &BTreeSet<String>) -> Result<Vec<String>, Fault> {
        let request = self.ecs.describe_clusters().set_clusters(Some(names.iter().cloned().collect()));
        let answer = request.send().await.map_err(fault("ecs", "DescribeClusters"))?;
        let there = answer.clusters().iter().filter(|cluster| cluster.status() != Some("INACTIVE"));
        Ok(there.filter_map(|cluster| cluster.cluster_name()).map(str::to_owned).collect())
    }

    async fn alias_names(&self) -> Result<Vec<String>, Fault> {
        let pages = self.kms.list_aliases().limit(100).into_paginator().items().send();
        let found = pages.collect::<Result<Vec<_>, _>>().await.map_err(fault("kms", "ListAliases"))?;
        Ok(found.into_iter().filter_map(|alias| alias.alias_name).collect())
    }

    /// A call for each: an account has many, and names begin in many ways.
    async fn log_group_names(&self, names: &BTreeSet<String>) -> Result<Vec<String>, Fault> {
        let looks = names.iter().map(|name| async move {
            let request = self.logs.describe_log_groups().log_group_name_prefix(name).limit(50);
            let answer = request.send().await.map_err(fault("logs", "DescribeLogGroups"))?;
            // The shortest name that begins so comes first.
            let there = answer.log_groups().iter().any(|group| group.log_group_name() == Some(name));
            Ok::<_, Fault>(there.then(|| name.clone()))
        });
        Ok(try_join_all(looks).await?.into_iter().flatten().collect())
    }

    async fn parameter_group_names(&self) -> Result<Vec<String>, Fault> {
        let pages = self.rds.describe_db_parameter_groups().into_paginator().items().send();
        let found = pages.collect::<Result<Vec<_>, _>>().await.map_err(fault("rds", "DescribeDBParameterGroups"))?;
        Ok(found.into_iter().filter_map(|group| group.db_parameter_group_name).collect())
    }

    async fn subnet_group_names(&self) -> Result<Vec<String>, Fault> {
        let pages = self.rds.describe_db_subnet_groups().into_paginator().items().send();
        let found = pages.collect::<Result<Vec<_>, _>>().await.map_err(fault("rds", "DescribeDBSubnetGroups"))?;
        Ok(found.into_iter().filter_map(|group| group.db_subnet_group_name).collect())
    }

    /// One call for each: AWS answers for several only if all of them are there.
    async fn repository_names(&self, names: &BTreeSet<String>) -> Result<Vec<String>, Fault> {
        let looks = names.iter().map(|name| async move {
            let sent = self.ecr.describe_repositories().repository_names(name).send().await;
            let answer = absent(sent.map_err(fault("ecr", "DescribeRepositories")))?;
            Ok::<_, Fault>(answer.filter(|answer| !answer.repositories().is_empty()).map(|_| name.clone()))
        });
        Ok(try_join_all(looks).await?.into_iter().flatten().collect())
    }

    async fn topic_names(&self) -> Result<Vec<String>, Fault> {
        let pages = self.sns.list_topics().into_paginator().items().send();
        let found = pages.collect::<Result<Vec<_>, _>>().await.map_err(fault("sns", "ListTopics"))?;
        let name = |arn: String| arn.rsplit(':').next().map(str::to_owned);
        Ok(found.into_iter().filter_map(|topic| name(topic.topic_arn?)).collect())
    }

    async fn vault_names(&self) -> Result<Vec<String>, Fault> {
        let pages = self.backup.list_backup_vaults().into_paginator().items().send();
        let found = pages.collect::<Result<Vec<_>, _>>().await.map_err(fault("backup", "ListBackupVaults"))?;
        Ok(found.into_iter().filter_map(|vault| vault.backup_vault_name).collect())
    }
}

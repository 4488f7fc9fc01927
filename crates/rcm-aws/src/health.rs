//! How what a partner's environment consists of is, as AWS says it now: one batched call for each kind.

use aws_sdk_ec2::types::Filter;
use aws_sdk_rds::types::{DbInstance, Filter as DbFilter, PendingModifiedValues};
use aws_sdk_secretsmanager::types::{Filter as SecretFilter, FilterNameStringType};
use aws_smithy_types::DateTime;
use jiff::Timestamp;
use rcm_engine::model::Fault;

use crate::{
    Aws,
    classify::{absent, fault},
};

/// A service of ECS or App Runner.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ServiceHealth {
    /// `ACTIVE` on ECS, `RUNNING` on App Runner, or what is wrong.
    pub status: String,
    /// How many tasks are to run; 0 on App Runner, which does not say.
    pub desired: i32,
    /// How many run.
    pub running: i32,
    /// How many are about to.
    pub pending: i32,
    /// `family:revision`; empty on App Runner.
    pub revision: String,
    /// How far each deployment is, the newest first: `COMPLETED`, `IN_PROGRESS` or `FAILED`, and why.
    pub rollouts: Vec<(String, String)>,
}

/// A database instance.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DatabaseHealth {
    /// Its identifier.
    pub id: String,
    /// `available`, or [what else](https://docs.aws.amazon.com/AmazonRDS/latest/UserGuide/accessing-monitoring.html).
    pub status: String,
    /// Its class.
    pub class: String,
    /// Whether it has a standby in another zone.
    pub multi_az: bool,
    /// Its storage in GiB.
    pub storage: i32,
    /// For how many days it can be restored to any moment; 0 for replicas.
    pub backup_days: i32,
    /// The newest moment that it can be restored to.
    pub restorable: Option<Timestamp>,
    /// What has been asked for and is not so yet.
    pub pending: Vec<&'static str>,
    /// The host name that it answers at, once there is one.
    pub host: Option<String>,
}

/// A certificate.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CertificateHealth {
    /// `ISSUED`, or what else.
    pub status: String,
    /// Until when it is valid.
    pub expires: Option<Timestamp>,
    /// Whether AWS renews it by itself.
    pub renews: bool,
}

/// Something whose state is a word.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Standing {
    /// What AWS calls it.
    pub id: String,
    /// The word: `active`, `available`, `ALARM`, `Enabled`.
    pub state: String,
    /// Why, where AWS says so.
    pub reason: Option<String>,
}

impl Aws {
    /// A service of ECS
    /// ([DescribeServices](https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_DescribeServices.html)).
    pub async fn service_health(&self, arn: &str) -> Result<Option<ServiceHealth>, Fault> {
        let Some((cluster, name)) = arn.split_once(":service/").and_then(|(_, place)| place.split_once('/')) else {
            return Ok(None);
        };
        let request = self.ecs.describe_services().cluster(cluster).services(name);
        let answer = absent(request.send().await.map_err(fault("ecs", "DescribeServices")))?;
        let service = answer.and_then(|answer| answer.services?.into_iter().next());
        Ok(service.map(|service| ServiceHealth {
            status: service.status().unwrap_or("unknown").to_owned(),
            desired: service.desired_count(),
            running: service.running_count(),
            pending: service.pending_count(),
            revision: service.task_definition().and_then(|arn| arn.rsplit('/').next()).unwrap_or_default().to_owned(),
            rollouts: service.deployments().iter().map(rollout).collect(),
        }))
    }

    /// A service of App Runner
    /// ([DescribeService](https://docs.aws.amazon.com/apprunner/latest/api/API_DescribeService.html)).
    pub async fn app_runner_health(&self, arn: &str) -> Result<Option<ServiceHealth>, Fault> {
        let request = self.apprunner.describe_service().service_arn(arn);
        let answer = absent(request.send().await.map_err(fault("apprunner", "DescribeService")))?;
        Ok(answer.and_then(|answer| answer.service).map(|service| ServiceHealth {
            status: service.status().as_str().to_owned(),
            desired: 0,
            running: 0,
            pending: 0,
            revision: String::new(),
            rollouts: Vec::new(),
        }))
    }

    /// Those of these database instances that there are
    /// ([DescribeDBInstances](https://docs.aws.amazon.com/AmazonRDS/latest/APIReference/API_DescribeDBInstances.html)).
    pub async fn database_health(&self, ids: &[String]) -> Result<Vec<DatabaseHealth>, Fault> {
        if ids.is_empty() {
            return Ok(Vec::new());
        }
        let filter = DbFilter::builder().name("db-instance-id").set_values(Some(ids.to_vec())).build();
        let pages = self.rds.describe_db_instances().filters(filter).into_paginator().items().send();
        let found = pages.collect::<Result<Vec<_>, _>>().await.map_err(fault("rds", "DescribeDBInstances"))?;
        Ok(found.iter().map(database).collect())
    }

    /// A certificate
    /// ([DescribeCertificate](https://docs.aws.amazon.com/acm/latest/APIReference/API_DescribeCertificate.html)).
    pub async fn certificate_health(&self, arn: &str) -> Result<Option<CertificateHealth>, Fault> {
        let request = self.acm.describe_certificate().certificate_arn(arn);
        let answer = absent(request.send().await.map_err(fault("acm", "DescribeCertificate")))?;
        Ok(answer.and_then(|answer| answer.certificate).map(|certificate| CertificateHealth {
            status: certificate.status().map_or("unknown", |status| status.as_str()).to_owned(),
            expires: certificate.not_after().and_then(time),
            renews: certificate.renewal_eligibility().is_some_and(|eligibility| eligibility.as_str() == "ELIGIBLE"),
        }))
    }

    /// A load balancer
    /// ([DescribeLoadBalancers](https://docs.aws.amazon.com/elasticloadbalancing/latest/APIReference/API_DescribeLoadBalancers.html)).
    pub async fn load_balancer_standing(&self, arn: &str) -> Result<Option<Standing>, Fault> {
        let request = self.elb.describe_load_balancers().load_balancer_arns(arn);
        let answer = absent(request.send().await.map_err(fault("elasticloadbalancing", "DescribeLoadBalancers")))?;
        let found = answer.and_then(|answer| answer.load_balancers?.into_iter().next());
        Ok(found.map(|found| Standing {
            id: found.load_balancer_name().unwrap_or_default().to_owned(),
            state: found.state().and_then(|state| state.code()).map_or("unknown", |code| code.as_str()).to_owned(),
            reason: found.state().and_then(|state| state.reason()).map(str::to_owned),
        }))
    }

    /// Those of these NAT gateways that AWS still knows
    /// ([DescribeNatGateways](https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_DescribeNatGateways.html)).
    pub async fn nat_gateway_standing(&self, ids: &[String]) -> Result<Vec<Standing>, Fault> {
        if ids.is_empty() {
            return Ok(Vec::new());
        }
        let filter = Filter::builder().name("nat-gateway-id").set_values(Some(ids.to_vec())).build();
        let pages = self.ec2.describe_nat_gateways().filter(filter).into_paginator().items().send();
        let found = pages.collect::<Result<Vec<_>, _>>().await.map_err(fault("ec2", "DescribeNatGateways"))?;
        let standing = found.iter().map(|gateway| Standing {
            id: gateway.nat_gateway_id().unwrap_or_default().to_owned(),
            state: gateway.state().map_or("unknown", |state| state.as_str()).to_owned(),
            reason: gateway.failure_message().map(str::to_owned),
        });
        Ok(standing.collect())
    }

    /// Those of these alarms that there are
    /// ([DescribeAlarms](https://docs.aws.amazon.com/AmazonCloudWatch/latest/APIReference/API_DescribeAlarms.html)).
    pub async fn alarm_standing(&self, names: &[String]) -> Result<Vec<Standing>, Fault> {
        let mut standing = Vec::new();
        for names in names.chunks(100) {
            let request = self.cloudwatch.describe_alarms().set_alarm_names(Some(names.to_vec())).max_records(100);
            let answer = request.send().await.map_err(fault("cloudwatch", "DescribeAlarms"))?;
            standing.extend(answer.metric_alarms().iter().map(|alarm| Standing {
                id: alarm.alarm_name().unwrap_or_default().to_owned(),
                state: alarm.state_value().map_or("unknown", |state| state.as_str()).to_owned(),
                reason: alarm.state_reason().map(str::to_owned),
            }));
        }
        Ok(standing)
    }

    /// A key ([DescribeKey](https://docs.aws.amazon.com/kms/latest/APIReference/API_DescribeKey.html)).
    pub async fn key_standing(&self, key: &str) -> Result<Option<Standing>, Fault> {
        let answer = absent(self.kms.describe_key().key_id(key).send().await.map_err(fault("kms", "DescribeKey")))?;
        Ok(answer.and_then(|answer| answer.key_metadata).map(|key| Standing {
            id: key.key_id().to_owned(),
            state: key.key_state().map_or("unknown", |state| state.as_str()).to_owned(),
            reason: None,
        }))
    }

    /// The ARN of each secret whose name begins with one of these, and when its value was put there or changed last
    /// ([ListSecrets](https://docs.aws.amazon.com/secretsmanager/latest/apireference/API_ListSecrets.html)).
    pub async fn secret_ages(&self, names: &[String]) -> Result<Vec<(String, Option<Timestamp>)>, Fault> {
        let mut ages = Vec::new();
        // A filter takes ten values.
        for names in names.chunks(10) {
            let filter = SecretFilter::builder().key(FilterNameStringType::Name).set_values(Some(names.to_vec()));
            let pages = self.secrets.list_secrets().filters(filter.build()).into_paginator().send();
            let found = pages.collect::<Result<Vec<_>, _>>().await.map_err(fault("secretsmanager", "ListSecrets"))?;
            ages.extend(found.iter().flat_map(|page| page.secret_list()).filter_map(|secret| {
                let changed = secret.last_changed_date().or(secret.created_date()).and_then(time);
                Some((secret.arn()?.to_owned(), changed))
            }));
        }
        Ok(ages)
    }
}

fn rollout(deployment: &aws_sdk_ecs::types::Deployment) -> (String, String) {
    let state = deployment.rollout_state().map_or("unknown", |state| state.as_str());
    (state.to_owned(), deployment.rollout_state_reason().unwrap_or_default().to_owned())
}

fn database(instance: &DbInstance) -> DatabaseHealth {
    DatabaseHealth {
        id: instance.db_instance_identifier().unwrap_or_default().to_owned(),
        status: instance.db_instance_status().unwrap_or("unknown").to_owned(),
        class: instance.db_instance_class().unwrap_or_default().to_owned(),
        multi_az: instance.multi_az().unwrap_or(false),
        storage: instance.allocated_storage().unwrap_or(0),
        backup_days: instance.backup_retention_period().unwrap_or(0),
        restorable: instance.latest_restorable_time().and_then(time),
        pending: instance.pending_modified_values().map(pending).unwrap_or_default(),
        host: instance.endpoint().and_then(|endpoint| endpoint.address()).map(str::to_owned),
    }
}

/// What of an instance waits for its maintenance window or is on its way.
fn pending(values: &PendingModifiedValues) -> Vec<&'static str> {
    let given = [
        ("class", values.db_instance_class().is_some()),
        ("storage", values.allocated_storage().is_some()),
        ("storage type", values.storage_type().is_some()),
        ("IOPS", values.iops().is_some()),
        ("Multi-AZ", values.multi_az().is_some()),
        ("engine version", values.engine_version().is_some()),
        ("backup retention", values.backup_retention_period().is_some()),
        ("password", values.master_user_password().is_some()),
        ("certificate authority", values.ca_certificate_identifier().is_some()),
    ];
    given.into_iter().filter(|(_, given)| *given).map(|(name, _)| name).collect()
}

fn time(date: &DateTime) -> Option<Timestamp> {
    Timestamp::from_second(date.secs()).ok()
}

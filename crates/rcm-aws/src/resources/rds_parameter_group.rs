//! A DB parameter group: the settings of the database engine itself.
//!
//! API: [CreateDBParameterGroup](https://docs.aws.amazon.com/AmazonRDS/latest/APIReference/API_CreateDBParameterGroup.html),
//! [ModifyDBParameterGroup](https://docs.aws.amazon.com/AmazonRDS/latest/APIReference/API_ModifyDBParameterGroup.html).
//!
//! Surprises: a parameter that is set to the engine's default is not reported as set by the user (`rds.force_ssl=1` is the
//! default since PostgreSQL 15), so what is compared is its value, asked for by name, wherever it comes from. Name, family
//! and description can never change. An instance that gets another group uses it only after a reboot, unless it is just
//! being made or upgraded.

use aws_sdk_rds::types::{ApplyMethod, Parameter};
use rcm_engine::model::{Actions, Deployment, Fault, Id, Observed, Owned, Resource};
use serde::{Deserialize, Serialize};

use super::rds::{claim, filter, listed_by_arn, owned, tagged};
use crate::{
    Aws,
    classify::{absent, fault, missing},
    identity::physical_name,
};

type Cx<'a> = rcm_engine::model::Cx<'a, Aws>;

/// The longest name that RDS takes.
pub(crate) const NAME_LIMIT: usize = 255;
/// Refuses connections without TLS. Dynamic: takes effect on new connections at once.
const FORCE_SSL: &str = "rds.force_ssl";

/// What a DB parameter group should be.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Spec {
    /// The name, in lower case.
    pub name: String,
    /// The engine and its major version (`postgres17`); an instance takes only a group of its own family.
    pub family: String,
    /// What it is for, in the console.
    pub description: String,
    /// Whether the database refuses connections without TLS (`rds.force_ssl`).
    pub force_ssl: bool,
}

/// What AWS gave.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Outputs {
    /// The name in RDS.
    pub parameter_group_name: String,
}

/// A DB parameter group.
pub struct ParameterGroup;

impl Resource for ParameterGroup {
    type Cloud = Aws;
    type Spec = Spec;
    type Outputs = Outputs;
    const KIND: &'static str = "rds/parameter-group";
    const REPLACE_ON: &'static [&'static str] = &["name", "family", "description"];
    const TAGGED: bool = true;

    async fn create(cx: &Cx<'_>, spec: &Spec) -> Result<Id, Fault> {
        let request = cx.cloud.rds.create_db_parameter_group();
        let request = request.db_parameter_group_name(physical_name(cx.identity, &spec.name, NAME_LIMIT));
        let request = request.db_parameter_group_family(&spec.family).description(&spec.description);
        let request = request.set_tags(Some(tagged(cx.identity)));
        let answer = request.send().await.map_err(fault("rds", "CreateDBParameterGroup"))?;
        let name = answer.db_parameter_group().and_then(|group| group.db_parameter_group_name());
        name.map(Id::from).ok_or_else(|| missing("rds", "CreateDBParameterGroup", "DBParameterGroupName"))
    }

    async fn configure(cx: &Cx<'_>, id: &Id, spec: &Spec) -> Result<(), Fault> {
        if !cx.changes("force_ssl") {
            return Ok(());
        }
        let parameter = Parameter::builder().parameter_name(FORCE_SSL).apply_method(ApplyMethod::Immediate);
        let parameter = parameter.parameter_value(if spec.force_ssl { "1" } else { "0" }).build();
        let request = cx.cloud.rds.modify_db_parameter_group().db_parameter_group_name(id.as_str());
        let request = request.parameters(parameter);
        request.send().await.map(drop).map_err(fault("rds", "ModifyDBParameterGroup"))
    }

    async fn read(cx: &Cx<'_>, id: &Id) -> Result<Option<Observed<Outputs>>, Fault> {
        let request = cx.cloud.rds.describe_db_parameters().db_parameter_group_name(id.as_str());
        let pages = request.filters(filter("parameter-name", [FORCE_SSL.to_owned()])).into_paginator().items().send();
        let parameters = pages.collect::<Result<Vec<_>, _>>().await.map_err(fault("rds", "DescribeDBParameters"));
        let Some(parameters) = absent(parameters)? else { return Ok(None) };
        let seen = Observed::new(Outputs { parameter_group_name: id.to_string() });
        Ok(Some(match value(&parameters, FORCE_SSL) {
            Some(value) => seen.see("force_ssl", value == "1"),
            None => seen,
        }))
    }

    async fn find(cx: &Cx<'_>, spec: &Spec) -> Result<Option<Id>, Fault> {
        let name = physical_name(cx.identity, &spec.name, NAME_LIMIT);
        let request = cx.cloud.rds.describe_db_parameter_groups().db_parameter_group_name(&name);
        let answer = absent(request.send().await.map_err(fault("rds", "DescribeDBParameterGroups")))?;
        let Some(group) = answer.as_ref().and_then(|answer| answer.db_parameter_groups().first()) else {
            return Ok(None);
        };
        let arn = group.db_parameter_group_arn().unwrap_or_default();
        Ok(owned(cx.cloud, cx.identity, arn).await?.then(|| Id::new(name)))
    }

    async fn delete(cx: &Cx<'_>, id: &Id) -> Result<(), Fault> {
        let request = cx.cloud.rds.delete_db_parameter_group().db_parameter_group_name(id.as_str());
        request.send().await.map(drop).map_err(fault("rds", "DeleteDBParameterGroup"))
    }

    async fn list(aws: &Aws, deployment: &Deployment) -> Result<Vec<Owned>, Fault> {
        let pages = aws.rds.describe_db_parameter_groups().into_paginator().items().send();
        let all = pages.collect::<Result<Vec<_>, _>>().await.map_err(fault("rds", "DescribeDBParameterGroups"))?;
        let pairs = all.iter().filter_map(|group| Some((group.db_parameter_group_name()?, group.db_parameter_group_arn()?)));
        listed_by_arn(aws, deployment, pairs).await
    }

    async fn claim(cx: &Cx<'_>, id: &Id) -> Result<(), Fault> {
        claim(cx, "pg", id).await
    }

    fn fits(cx: &Cx<'_>, id: &Id, spec: &Spec) -> bool {
        id.as_str() == physical_name(cx.identity, &spec.name, NAME_LIMIT)
    }

    fn actions() -> Actions {
        Actions {
            write: &["rds:CreateDBParameterGroup", "rds:AddTagsToResource", "rds:ModifyDBParameterGroup"],
            read: &["rds:DescribeDBParameters", "rds:DescribeDBParameterGroups", "rds:ListTagsForResource"],
            delete: &["rds:DeleteDBParameterGroup"],
        }
    }
}

fn value<'p>(parameters: &'p [Parameter], name: &str) -> Option<&'p str> {
    parameters.iter().find(|parameter| parameter.parameter_name() == Some(name))?.parameter_value()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_parameter_counts_wherever_its_value_comes_from() {
        let by = |source: &str| {
            Parameter::builder().parameter_name(FORCE_SSL).parameter_value("1").source(source).build()
        };
        assert_eq!(value(&[by("user")], FORCE_SSL), Some("1"));
        assert_eq!(value(&[by("engine-default")], FORCE_SSL), Some("1"));
    }

    #[test]
    fn a_parameter_without_a_value_is_unknown() {
        let unset = Parameter::builder().parameter_name(FORCE_SSL).build();
        assert_eq!(value(&[unset], FORCE_SSL), None);
        assert_eq!(value(&[], FORCE_SSL), None);
    }
}

//! A conformance pack of AWS Config: rules that every resource of the account is held against, as one thing.
//!
//! API: [PutConformancePack](https://docs.aws.amazon.com/config/latest/APIReference/API_PutConformancePack.html),
//! [managed rules](https://docs.aws.amazon.com/config/latest/developerguide/managed-rules-by-aws-config.html).
//!
//! Surprises: it is deployed for minutes after the call, and whether that succeeds is told by its status alone. Nobody is told what its
//! template was; but its rules cannot be changed but by it. One pack instead of forty rules is one create and one Describe; an
//! evaluation costs the same. The rules need a recorder that records. The template is YAML, of which JSON is a part.

use std::collections::BTreeMap;

use aws_sdk_config::types::{ConformancePackState, ConformancePackStatusDetail};
use rcm_engine::model::{Actions, Fault, Id, Observed, OnDestroy, Pace, Readiness, Ref, Resource};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

use super::config_recorder::{self, Recorder};
use crate::{
    Aws,
    classify::{absent, fault},
};

type Cx<'a> = rcm_engine::model::Cx<'a, Aws>;

/// What a pack should be.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Spec {
    /// The name. It is the id.
    pub name: String,
    /// What records the resources that are looked at.
    pub recorder: Ref<Recorder>,
    /// AWS's managed rules by their identifiers (`RDS_STORAGE_ENCRYPTED`), each with what it is for.
    pub rules: BTreeMap<String, String>,
}

/// What AWS gave: nothing that one needs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Outputs {
    /// The name that it has in AWS.
    pub name: String,
}

/// A conformance pack.
pub struct ConformancePack;

impl Resource for ConformancePack {
    type Cloud = Aws;
    type Spec = Spec;
    type Outputs = Outputs;
    const KIND: &'static str = "config/conformance-pack";
    const REPLACE_ON: &'static [&'static str] = &[];
    const ON_DESTROY: OnDestroy = OnDestroy::Leave;
    const PACE: Pace = Pace::slow(120, 1800);

    async fn create(cx: &Cx<'_>, spec: &Spec) -> Result<Id, Fault> {
        put(cx, spec).await?;
        Ok(Id::from(spec.name.as_str()))
    }

    async fn configure(cx: &Cx<'_>, _: &Id, spec: &Spec) -> Result<(), Fault> {
        // A put is the whole create, and another one would begin it anew.
        if cx.creating() || !cx.changes("rules") { Ok(()) } else { put(cx, spec).await }
    }

    async fn ready(cx: &Cx<'_>, id: &Id) -> Result<Readiness, Fault> {
        let Some(status) = status(cx.cloud, id).await? else {
            return Ok(Readiness::Pending("not visible yet".to_owned()));
        };
        Ok(match status.conformance_pack_state() {
            ConformancePackState::CreateComplete => Readiness::Ready,
            ConformancePackState::CreateFailed => {
                Readiness::Failed(status.conformance_pack_status_reason().unwrap_or("it failed").to_owned())
            }
            other => Readiness::Pending(other.as_str().to_lowercase().replace('_', " ")),
        })
    }

    async fn read(cx: &Cx<'_>, id: &Id) -> Result<Option<Observed<Outputs>>, Fault> {
        let status = status(cx.cloud, id).await?;
        let there = status.filter(|status| *status.conformance_pack_state() != ConformancePackState::DeleteInProgress);
        Ok(there.map(|_| Observed::new(Outputs { name: id.to_string() })))
    }

    async fn find(cx: &Cx<'_>, spec: &Spec) -> Result<Option<Id>, Fault> {
        let id = Id::from(spec.name.as_str());
        Ok(status(cx.cloud, &id).await?.map(|_| id))
    }

    /// Leaves it: it is the account's.
    async fn delete(_: &Cx<'_>, _: &Id) -> Result<(), Fault> {
        Ok(())
    }

    fn fits(_: &Cx<'_>, id: &Id, spec: &Spec) -> bool {
        id.as_str() == spec.name
    }

    fn actions() -> Actions {
        Actions {
            write: &["config:PutConformancePack", "config:TagResource", "iam:CreateServiceLinkedRole", "iam:PassRole"],
            read: &["config:DescribeConformancePackStatus"],
            delete: &[],
        }
    }
}

async fn put(cx: &Cx<'_>, spec: &Spec) -> Result<(), Fault> {
    let request = cx.cloud.config.put_conformance_pack().conformance_pack_name(&spec.name);
    let request = request.template_body(template(&spec.rules)).set_tags(Some(config_recorder::tags(cx)));
    request.send().await.map(drop).map_err(fault("config", "PutConformancePack"))
}

async fn status(aws: &Aws, id: &Id) -> Result<Option<ConformancePackStatusDetail>, Fault> {
    let answer = aws.config.describe_conformance_pack_status().conformance_pack_names(id.as_str()).send().await;
    let answer = absent(answer.map_err(fault("config", "DescribeConformancePackStatus")))?;
    let all = answer.and_then(|answer| answer.conformance_pack_status_details).unwrap_or_default();
    Ok(all.into_iter().find(|status| status.conformance_pack_name() == id.as_str()))
}

/// The pack as AWS wants it: a resource a rule, named by letters and digits alone.
fn template(rules: &BTreeMap<String, String>) -> String {
    let resource = |(identifier, purpose): (&String, &String)| {
        let name = identifier.to_lowercase().replace('_', "-");
        let properties = json!({
            "ConfigRuleName": name,
            "Description": purpose,
            "Source": {"Owner": "AWS", "SourceIdentifier": identifier},
        });
        let rule = json!({"Type": "AWS::Config::ConfigRule", "Properties": properties});
        (identifier.replace('_', ""), rule)
    };
    let resources: Map<String, Value> = rules.iter().map(resource).collect();
    json!({"Resources": resources}).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rule_is_a_resource_of_the_template() {
        let rules = BTreeMap::from([("RDS_STORAGE_ENCRYPTED".to_owned(), "164.312(a)(2)(iv)".to_owned())]);
        let template: Value = serde_json::from_str(&template(&rules)).unwrap();
        let properties = &template["Resources"]["RDSSTORAGEENCRYPTED"]["Properties"];
        assert_eq!(properties["ConfigRuleName"], "rds-storage-encrypted");
        assert_eq!(properties["Source"]["SourceIdentifier"], "RDS_STORAGE_ENCRYPTED");
    }
}

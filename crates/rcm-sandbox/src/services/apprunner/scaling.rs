//! Auto scaling configurations, a revision each.

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::{AppRunner, checked_name, invalid, not_found};
use crate::arn::{arn, random_hex};
use crate::json::{Answer, Input};
use crate::service::{Context, Tags};
use crate::time;
use crate::wire::Fault;

#[derive(Serialize, Deserialize)]
pub(super) struct Scaling {
    name: String,
    revision: u32,
    max_concurrency: i64,
    min_size: i64,
    max_size: i64,
    created: f64,
    pub(super) tags: Tags,
}

/// A number of the request, in its range.
fn ranged(input: &Input, member: &str, default: i64, most: i64) -> Result<i64, Fault> {
    let number = input.number(member).unwrap_or(default);
    if (1..=most).contains(&number) {
        return Ok(number);
    }
    Err(invalid(format!("{member} {number} is not between 1 and {most}.")))
}

impl AppRunner {
    pub(super) fn create_scaling(&mut self, cx: &Context, input: &Input) -> Answer {
        let name = checked_name(input, "AutoScalingConfigurationName", 32)?;
        let taken = self.scalings.values().filter(|scaling| scaling.name == name).map(|scaling| scaling.revision);
        let revision = taken.max().unwrap_or_default() + 1;
        let scaling = Scaling {
            max_concurrency: ranged(input, "MaxConcurrency", 100, 200)?,
            min_size: ranged(input, "MinSize", 1, 25)?,
            max_size: ranged(input, "MaxSize", 25, 25)?,
            created: time::now(),
            tags: input.tags("Tags", "Key", "Value"),
            name,
            revision,
        };
        if scaling.min_size > scaling.max_size {
            return Err(invalid("MinSize cannot be greater than MaxSize."));
        }
        let tail = format!("autoscalingconfiguration/{}/{revision}/{}", scaling.name, random_hex(32));
        let arn = arn(cx, "apprunner", &tail);
        let shown = json!({"AutoScalingConfiguration": scaling.shown(&arn, true)});
        self.scalings.insert(arn, scaling);
        Ok(shown)
    }

    pub(super) fn describe_scaling(&self, input: &Input) -> Answer {
        let arn = input.need("AutoScalingConfigurationArn")?;
        let scaling = self.scalings.get(arn).ok_or_else(|| not_found(arn))?;
        Ok(json!({"AutoScalingConfiguration": scaling.shown(arn, true)}))
    }

    pub(super) fn list_scalings(&self, input: &Input) -> Answer {
        let name = input.text("AutoScalingConfigurationName");
        let wanted = self.scalings.iter().filter(|(_, scaling)| name.is_none_or(|name| scaling.name == name));
        let all: Vec<Value> = wanted.map(|(arn, scaling)| scaling.shown(arn, false)).collect();
        Ok(json!({"AutoScalingConfigurationSummaryList": all}))
    }

    /// What a service shows of its configuration.
    pub(super) fn scaling_summary(&self, arn: &str) -> Option<Value> {
        self.scalings.get(arn).map(|scaling| scaling.shown(arn, false))
    }

    pub(super) fn delete_scaling(&mut self, input: &Input) -> Answer {
        let arn = input.need("AutoScalingConfigurationArn")?;
        self.refuse_used(arn)?;
        let scaling = self.scalings.remove(arn).ok_or_else(|| not_found(arn))?;
        let mut shown = scaling.shown(arn, true);
        shown["Status"] = "INACTIVE".into();
        Ok(json!({"AutoScalingConfiguration": shown}))
    }
}

impl Scaling {
    /// The list tells everything but the numbers.
    fn shown(&self, arn: &str, whole: bool) -> Value {
        let mut shown = json!({
            "AutoScalingConfigurationArn": arn,
            "AutoScalingConfigurationName": self.name,
            "AutoScalingConfigurationRevision": self.revision,
            "Status": "ACTIVE",
            "CreatedAt": self.created,
        });
        if whole {
            shown["MaxConcurrency"] = self.max_concurrency.into();
            shown["MinSize"] = self.min_size.into();
            shown["MaxSize"] = self.max_size.into();
        }
        shown
    }
}

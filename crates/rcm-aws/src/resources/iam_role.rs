//! A role: what a service may do in the partner's name, and who may take it on.
//!
//! API: [CreateRole](https://docs.aws.amazon.com/IAM/latest/APIReference/API_CreateRole.html),
//! [PutRolePolicy](https://docs.aws.amazon.com/IAM/latest/APIReference/API_PutRolePolicy.html).
//!
//! Surprises: IAM is eventually consistent, so a fresh role cannot be assumed or named for some seconds; who uses it is
//! refused with an error that means "again" (see `classify`). Documents come back URL-encoded. UpdateRole clears the description
//! if it is not sent. A role with policies cannot be deleted. There is no Describe of several by name.

use std::collections::{BTreeMap, BTreeSet};

use aws_sdk_iam::types::{Role as Described, Tag};
use futures::{future::try_join_all, try_join};
use rcm_engine::model::{Actions, Deployment, Fault, Id, Observed, Owned, Resource};
use serde::{Deserialize, Serialize};

use super::policy::Policy;
use crate::{
    Aws,
    classify::{absent, fault, gone, missing, unbuilt},
    identity,
};

type Cx<'a> = rcm_engine::model::Cx<'a, Aws>;

/// The longest name.
pub(crate) const NAME_LIMIT: usize = 64;

/// What a role should be.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Spec {
    /// The name. Part of the id, so it cannot drift.
    pub name: String,
    /// What people read in the console.
    pub description: String,
    /// Who may take it on, and under which conditions.
    pub assume_role_policy: Policy,
    /// How long a session lasts at most, in seconds: 3600 to 43200.
    pub max_session_seconds: i32,
    /// ARNs of policies that AWS or others keep.
    pub managed_policies: BTreeSet<String>,
    /// Policies of its own, by name.
    pub inline_policies: BTreeMap<String, Policy>,
}

/// What AWS gave.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Outputs {
    /// `arn:aws:iam::…:role/…`
    pub role_arn: String,
    /// The name that it has in AWS.
    pub name: String,
}

/// A role.
pub struct Role;

impl Resource for Role {
    type Cloud = Aws;
    type Spec = Spec;
    type Outputs = Outputs;
    const KIND: &'static str = "iam/role";
    const REPLACE_ON: &'static [&'static str] = &["name"];
    const TAGGED: bool = true;

    async fn create(cx: &Cx<'_>, spec: &Spec) -> Result<Id, Fault> {
        let request = cx.cloud.iam.create_role().role_name(identity::physical_name(cx.identity, &spec.name, NAME_LIMIT));
        let request = request
            .path("/")
            .description(&spec.description)
            .max_session_duration(spec.max_session_seconds)
            .assume_role_policy_document(spec.assume_role_policy.text(cx)?)
            .set_tags(Some(tags(cx)?));
        let answer = request.send().await.map_err(fault("iam", "CreateRole"))?;
        answer.role().map(|role| Id::from(role.arn())).ok_or_else(|| missing("iam", "CreateRole", "Role"))
    }

    async fn configure(cx: &Cx<'_>, id: &Id, spec: &Spec) -> Result<(), Fault> {
        let role = role_name(id);
        if cx.changes("description") || cx.changes("max_session_seconds") {
            let request = cx.cloud.iam.update_role().role_name(role).description(&spec.description);
            let request = request.max_session_duration(spec.max_session_seconds);
            request.send().await.map_err(fault("iam", "UpdateRole"))?;
        }
        if cx.changes("assume_role_policy") {
            let request = cx.cloud.iam.update_assume_role_policy().role_name(role);
            let request = request.policy_document(spec.assume_role_policy.text(cx)?);
            request.send().await.map_err(fault("iam", "UpdateAssumeRolePolicy"))?;
        }
        if cx.changes("managed_policies") {
            set_managed(cx, role, &spec.managed_policies).await?;
        }
        if cx.changes("inline_policies") {
            set_inline(cx, role, &spec.inline_policies).await?;
        }
        Ok(())
    }

    async fn read(cx: &Cx<'_>, id: &Id) -> Result<Option<Observed<Outputs>>, Fault> {
        let Some(role) = get(cx.cloud, role_name(id)).await? else { return Ok(None) };
        let trust = role.assume_role_policy_document().map(decode).transpose()?;
        let seen = Observed::new(Outputs { role_arn: role.arn().to_owned(), name: role.role_name().to_owned() })
            .see("description", role.description().unwrap_or_default())
            .see("assume_role_policy", trust)
            .see("max_session_seconds", role.max_session_duration());
        if !cx.reads_everything() {
            return Ok(Some(seen));
        }
        let (managed, inline) = try_join!(managed(cx.cloud, role_name(id)), inline(cx.cloud, role_name(id)))?;
        Ok(Some(seen.see("managed_policies", managed).see("inline_policies", inline)))
    }

    async fn find(cx: &Cx<'_>, spec: &Spec) -> Result<Option<Id>, Fault> {
        let name = identity::physical_name(cx.identity, &spec.name, NAME_LIMIT);
        let Some(role) = get(cx.cloud, &name).await? else { return Ok(None) };
        Ok(identity::owns(cx.identity, pairs(role.tags())).then(|| Id::from(role.arn())))
    }

    async fn delete(cx: &Cx<'_>, id: &Id) -> Result<(), Fault> {
        let role = role_name(id);
        for arn in managed(cx.cloud, role).await? {
            detach(cx.cloud, role, &arn).await?;
        }
        for policy in inline_names(cx.cloud, role).await? {
            remove_inline(cx.cloud, role, &policy).await?;
        }
        cx.cloud.iam.delete_role().role_name(role).send().await.map(drop).map_err(fault("iam", "DeleteRole"))
    }

    async fn list(aws: &Aws, deployment: &Deployment) -> Result<Vec<Owned>, Fault> {
        let stem = identity::stem(deployment);
        let pages = aws.iam.list_roles().path_prefix("/").into_paginator().items().send();
        let roles = pages.collect::<Result<Vec<_>, _>>().await.map_err(fault("iam", "ListRoles"))?;
        let mut found = Vec::new();
        for role in roles.iter().filter(|role| role.role_name().starts_with(&stem)) {
            found.extend(identity::belongs(deployment, role.arn(), pairs(&tags_of(aws, role.role_name()).await?)));
        }
        Ok(found)
    }

    async fn claim(cx: &Cx<'_>, id: &Id) -> Result<(), Fault> {
        identity::unclaimed(cx.identity, pairs(&tags_of(cx.cloud, role_name(id)).await?))?;
        let request = cx.cloud.iam.tag_role().role_name(role_name(id)).set_tags(Some(tags(cx)?));
        request.send().await.map(drop).map_err(fault("iam", "TagRole"))
    }

    fn fits(cx: &Cx<'_>, id: &Id, spec: &Spec) -> bool {
        role_name(id) == identity::physical_name(cx.identity, &spec.name, NAME_LIMIT)
    }

    fn actions() -> Actions {
        Actions {
            write: &[
                "iam:AttachRolePolicy",
                "iam:CreateRole",
                "iam:DeleteRolePolicy",
                "iam:DetachRolePolicy",
                "iam:PutRolePolicy",
                "iam:TagRole",
                "iam:UpdateAssumeRolePolicy",
                "iam:UpdateRole",
            ],
            read: &[
                "iam:GetRole",
                "iam:GetRolePolicy",
                "iam:ListAttachedRolePolicies",
                "iam:ListRolePolicies",
                "iam:ListRoleTags",
                "iam:ListRoles",
            ],
            delete: &[
                "iam:DeleteRole",
                "iam:DeleteRolePolicy",
                "iam:DetachRolePolicy",
                "iam:ListAttachedRolePolicies",
                "iam:ListRolePolicies",
            ],
        }
    }
}

/// The name in a role's ARN: its last part.
pub(crate) fn role_name(id: &Id) -> &str {
    id.as_str().rsplit('/').next().unwrap_or_default()
}

fn tags(cx: &Cx<'_>) -> Result<Vec<Tag>, Fault> {
    let tags = identity::tags(cx.identity).into_iter();
    let tags = tags.map(|(key, value)| Tag::builder().key(key).value(value).build());
    tags.collect::<Result<_, _>>().map_err(unbuilt("iam", "CreateRole"))
}

async fn tags_of(aws: &Aws, role: &str) -> Result<Vec<Tag>, Fault> {
    let pages = aws.iam.list_role_tags().role_name(role).into_paginator().items().send();
    let tags = pages.collect::<Result<Vec<_>, _>>().await.map_err(fault("iam", "ListRoleTags"));
    Ok(absent(tags)?.unwrap_or_default())
}

fn pairs(tags: &[Tag]) -> impl Iterator<Item = (&str, &str)> {
    tags.iter().map(|tag| (tag.key(), tag.value()))
}

async fn get(aws: &Aws, role: &str) -> Result<Option<Described>, Fault> {
    let answer = absent(aws.iam.get_role().role_name(role).send().await.map_err(fault("iam", "GetRole")))?;
    Ok(answer.and_then(|answer| answer.role))
}

/// A document as IAM gives it back: URL-encoded.
fn decode(document: &str) -> Result<Policy, Fault> {
    let text = urlencoding::decode(document).map_err(|_| missing("iam", "GetRole", "readable policy document"))?;
    Ok(Policy::parse(&text))
}

/// Attaches what is missing before it detaches what is too much, so that the role never has less than both.
async fn set_managed(cx: &Cx<'_>, role: &str, wanted: &BTreeSet<String>) -> Result<(), Fault> {
    let live = managed(cx.cloud, role).await?;
    for arn in wanted.difference(&live) {
        let request = cx.cloud.iam.attach_role_policy().role_name(role).policy_arn(arn);
        request.send().await.map_err(fault("iam", "AttachRolePolicy"))?;
    }
    for arn in live.difference(wanted) {
        detach(cx.cloud, role, arn).await?;
    }
    Ok(())
}

async fn set_inline(cx: &Cx<'_>, role: &str, wanted: &BTreeMap<String, Policy>) -> Result<(), Fault> {
    let live = inline_names(cx.cloud, role).await?;
    for (name, policy) in wanted {
        let request = cx.cloud.iam.put_role_policy().role_name(role).policy_name(name);
        let request = request.policy_document(policy.text(cx)?);
        request.send().await.map_err(fault("iam", "PutRolePolicy"))?;
    }
    for name in live.iter().filter(|name| !wanted.contains_key(*name)) {
        remove_inline(cx.cloud, role, name).await?;
    }
    Ok(())
}

async fn detach(aws: &Aws, role: &str, arn: &str) -> Result<(), Fault> {
    let answer = aws.iam.detach_role_policy().role_name(role).policy_arn(arn).send().await;
    answer.map(drop).map_err(fault("iam", "DetachRolePolicy")).or_else(gone)
}

async fn remove_inline(aws: &Aws, role: &str, name: &str) -> Result<(), Fault> {
    let answer = aws.iam.delete_role_policy().role_name(role).policy_name(name).send().await;
    answer.map(drop).map_err(fault("iam", "DeleteRolePolicy")).or_else(gone)
}

/// The ARNs of the policies that are attached.
async fn managed(aws: &Aws, role: &str) -> Result<BTreeSet<String>, Fault> {
    let pages = aws.iam.list_attached_role_policies().role_name(role).into_paginator().items().send();
    let attached = pages.collect::<Result<Vec<_>, _>>().await.map_err(fault("iam", "ListAttachedRolePolicies"))?;
    Ok(attached.into_iter().filter_map(|policy| policy.policy_arn).collect())
}

async fn inline_names(aws: &Aws, role: &str) -> Result<Vec<String>, Fault> {
    let pages = aws.iam.list_role_policies().role_name(role).into_paginator().items().send();
    pages.collect::<Result<_, _>>().await.map_err(fault("iam", "ListRolePolicies"))
}

async fn inline(aws: &Aws, role: &str) -> Result<BTreeMap<String, Policy>, Fault> {
    let names = inline_names(aws, role).await?;
    let policies = names.into_iter().map(|name| async move {
        let request = aws.iam.get_role_policy().role_name(role).policy_name(&name);
        let answer = request.send().await.map_err(fault("iam", "GetRolePolicy"))?;
        let policy = decode(answer.policy_document())?;
        Ok((name, policy))
    });
    Ok(try_join_all(policies).await?.into_iter().collect())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn the_name_is_the_last_part_of_the_arn() {
        assert_eq!(role_name(&Id::from("arn:aws:iam::123456789012:role/acme-rcm-prod-task")), "acme-rcm-prod-task");
    }

    #[test]
    fn a_document_reads_back_as_it_was_written() {
        let document = json!({"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "sts:AssumeRole"}]});
        let encoded = urlencoding::encode(&document.to_string()).into_owned();
        assert_eq!(decode(&encoded).unwrap(), Policy::from(document));
    }
}

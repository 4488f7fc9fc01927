//! Managed policies: the customer's, and those of AWS that this kind of stack attaches.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::{Answer, Iam, conflict, document, no_such_entity, now, put_tags, tags_in, unique_id, untag, whole};
use crate::service::{Context, Tags};
use crate::wire::{Fault, Params, Xml};

/// The AWS-managed policies of the sandbox: the path after `arn:aws:iam::aws:policy/`.
const OF_AWS: [&str; 15] = [
    "AWSSupportAccess",
    "AdministratorAccess",
    "AmazonECS_FullAccess",
    "AmazonEC2ContainerRegistryReadOnly",
    "AmazonS3ReadOnlyAccess",
    "AmazonSSMManagedInstanceCore",
    "CloudWatchAgentServerPolicy",
    "CloudWatchLogsFullAccess",
    "ReadOnlyAccess",
    "SecurityAudit",
    "service-role/AWSAppRunnerServicePolicyForECRAccess",
    "service-role/AWSBackupServiceRolePolicyForBackup",
    "service-role/AmazonECSTaskExecutionRolePolicy",
    "service-role/AmazonRDSEnhancedMonitoringRole",
    "service-role/AWS_ConfigRole",
];

/// How many versions of a policy IAM keeps.
const VERSIONS: usize = 5;

#[derive(Serialize, Deserialize)]
pub(super) struct ManagedPolicy {
    name: String,
    arn: String,
    id: String,
    path: String,
    description: Option<String>,
    created: String,
    updated: String,
    default_version: u32,
    versions: BTreeMap<u32, Version>,
    last_version: u32,
    tags: Tags,
}

#[derive(Serialize, Deserialize)]
struct Version {
    document: String,
    created: String,
}

impl Iam {
    /// The name of a policy that can be attached.
    pub(super) fn attachable(&self, arn: &str) -> Result<String, Fault> {
        if let Some(path) = arn.strip_prefix("arn:aws:iam::aws:policy/").filter(|path| OF_AWS.contains(path)) {
            return Ok(path.rsplit('/').next().unwrap_or(path).to_owned());
        }
        let missing = || no_such_entity(format!("Policy {arn} does not exist or is not attachable."));
        self.policies.get(arn).map(|policy| policy.name.clone()).ok_or_else(missing)
    }

    fn policy(&mut self, params: &Params) -> Result<&mut ManagedPolicy, Fault> {
        let arn = params.require("PolicyArn")?;
        let missing = || no_such_entity(format!("Policy {arn} was not found."));
        self.policies.get_mut(arn).ok_or_else(missing)
    }

    fn attachments(&self, arn: &str) -> usize {
        let of_roles = self.roles.values().map(|role| &role.attached);
        let attached = of_roles.chain(self.users.values().map(|user| &user.attached));
        attached.filter(|attached| attached.contains_key(arn)).count()
    }

    pub(super) fn create_policy(&mut self, cx: &Context, params: &Params) -> Answer {
        let name = params.require("PolicyName")?;
        let text = params.require("PolicyDocument")?;
        document::check_permissions(text)?;
        let path = params.get("Path").unwrap_or("/").to_owned();
        let arn = format!("arn:aws:iam::{}:policy{path}{name}", cx.account);
        if self.policies.contains_key(&arn) {
            let message = format!("A policy called {name} already exists. Duplicate names are not allowed.");
            return Err(conflict("EntityAlreadyExists", message));
        }
        let policy = ManagedPolicy {
            name: name.to_owned(),
            arn: arn.clone(),
            id: unique_id("ANPA"),
            path,
            description: params.get("Description").map(str::to_owned),
            created: now(),
            updated: now(),
            default_version: 1,
            versions: BTreeMap::from([(1, Version { document: text.to_owned(), created: now() })]),
            last_version: 1,
            tags: tags_in(params),
        };
        let mut xml = Xml::default();
        xml.node("Policy", |xml| policy.put(xml, 0, true));
        self.policies.insert(arn, policy);
        Ok(xml)
    }

    pub(super) fn get_policy(&mut self, params: &Params) -> Answer {
        let attached = self.attachments(params.require("PolicyArn")?);
        let mut xml = Xml::default();
        let policy = self.policy(params)?;
        xml.node("Policy", |xml| policy.put(xml, attached, true));
        Ok(xml)
    }

    pub(super) fn list_policies(&self) -> Xml {
        let mut xml = Xml::default();
        xml.list("Policies", "member", &self.policies, |item, (arn, policy)| {
            policy.put(item, self.attachments(arn), false);
        });
        whole(xml)
    }

    pub(super) fn delete_policy(&mut self, params: &Params) -> Answer {
        let arn = self.policy(params)?.arn.clone();
        if self.attachments(&arn) > 0 {
            return Err(conflict("DeleteConflict", "Cannot delete a policy attached to entities."));
        }
        if self.policy(params)?.versions.len() > 1 {
            let message = "This policy has more than one version. Before you delete a policy, you must delete the policy's versions. The default version is deleted with the policy.";
            return Err(conflict("DeleteConflict", message));
        }
        self.policies.remove(&arn);
        Ok(Xml::default())
    }

    pub(super) fn create_policy_version(&mut self, params: &Params) -> Answer {
        let text = params.require("PolicyDocument")?;
        document::check_permissions(text)?;
        let policy = self.policy(params)?;
        if policy.versions.len() >= VERSIONS {
            let message = "A managed policy can have up to 5 versions. Before you create a new version, you must delete an existing version.";
            return Err(conflict("LimitExceeded", message));
        }
        policy.last_version += 1;
        let number = policy.last_version;
        policy.versions.insert(number, Version { document: text.to_owned(), created: now() });
        if params.get("SetAsDefault") == Some("true") {
            policy.default_version = number;
        }
        policy.updated = now();
        let mut xml = Xml::default();
        xml.node("PolicyVersion", |xml| policy.put_version(xml, number, false));
        Ok(xml)
    }

    pub(super) fn get_policy_version(&mut self, params: &Params) -> Answer {
        let policy = self.policy(params)?;
        let number = policy.version_number(params)?;
        let mut xml = Xml::default();
        xml.node("PolicyVersion", |xml| policy.put_version(xml, number, true));
        Ok(xml)
    }

    pub(super) fn list_policy_versions(&mut self, params: &Params) -> Answer {
        let policy = self.policy(params)?;
        let mut xml = Xml::default();
        xml.list("Versions", "member", policy.versions.keys(), |item, number| policy.put_version(item, *number, false));
        Ok(whole(xml))
    }

    pub(super) fn delete_policy_version(&mut self, params: &Params) -> Answer {
        let policy = self.policy(params)?;
        let number = policy.version_number(params)?;
        if number == policy.default_version {
            return Err(conflict("DeleteConflict", "Cannot delete the default version of a policy."));
        }
        policy.versions.remove(&number);
        Ok(Xml::default())
    }

    pub(super) fn tag_policy(&mut self, params: &Params) -> Answer {
        self.policy(params)?.tags.extend(tags_in(params));
        Ok(Xml::default())
    }

    pub(super) fn untag_policy(&mut self, params: &Params) -> Answer {
        untag(&mut self.policy(params)?.tags, params);
        Ok(Xml::default())
    }

    pub(super) fn list_policy_tags(&mut self, params: &Params) -> Answer {
        let mut xml = Xml::default();
        put_tags(&mut xml, &self.policy(params)?.tags);
        Ok(whole(xml))
    }
}

impl ManagedPolicy {
    /// What its default version says.
    pub(super) fn in_force(&self) -> Option<String> {
        self.versions.get(&self.default_version).map(|version| version.document.clone())
    }

    fn put(&self, xml: &mut Xml, attachments: usize, in_full: bool) {
        xml.text("PolicyName", &self.name).text("PolicyId", &self.id).text("Arn", &self.arn).text("Path", &self.path);
        xml.text("DefaultVersionId", format!("v{}", self.default_version)).text("AttachmentCount", attachments);
        xml.text("PermissionsBoundaryUsageCount", 0).text("IsAttachable", true);
        xml.text("CreateDate", &self.created).text("UpdateDate", &self.updated);
        if in_full {
            xml.opt("Description", self.description.as_ref());
            put_tags(xml, &self.tags);
        }
    }

    fn put_version(&self, xml: &mut Xml, number: u32, with_document: bool) {
        let Some(version) = self.versions.get(&number) else { return };
        let document = with_document.then(|| urlencoding::encode(&version.document));
        xml.opt("Document", document).text("VersionId", format!("v{number}"));
        xml.text("IsDefaultVersion", number == self.default_version).text("CreateDate", &version.created);
    }

    fn version_number(&self, params: &Params) -> Result<u32, Fault> {
        let id = params.require("VersionId")?;
        let number = id.strip_prefix('v').and_then(|number| number.parse().ok());
        let missing = || no_such_entity(format!("Policy {} version {id} does not exist.", self.arn));
        number.filter(|number| self.versions.contains_key(number)).ok_or_else(missing)
    }
}

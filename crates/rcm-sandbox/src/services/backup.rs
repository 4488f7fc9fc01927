//! AWS Backup: vaults, plans, selections and recovery points, of which a job makes one at once and no plan makes any.
//!
//! | What | As on AWS |
//! |---|---|
//! | vaults | under a key that is there; one that is not there is refused as if access to it were; one with recovery points is not deleted; what its policy denies to everybody is denied |
//! | plans | of a vault that is there; one with selections is not deleted, and one that was is still shown, with the date |
//! | selections | as a role that AWS Backup may take on; the same request again gives the same one |
//! | recovery points | `DELETING` for a while, then gone |
//!
//! Not there: snapshots behind the recovery points, locks, copies, restores.
//!
//! API: <https://docs.aws.amazon.com/aws-backup/latest/devguide/API_Reference.html>.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use uuid::Uuid;

use crate::arn::arn;
use crate::countdown::Countdown;
use crate::emulator::{Emulated, Emulator};
use crate::json::{self, Answer, Rest, without_nulls};
use crate::neighbours;
use crate::service::{ApiRequest, ApiResponse, Context, Tags};
use crate::time;
use crate::wire::Fault;

/// Who takes on the role of a selection.
const SERVICE: &str = "backup.amazonaws.com";

/// Vaults by name, plans by id.
#[derive(Default, Serialize, Deserialize)]
pub(crate) struct Backup {
    vaults: BTreeMap<String, Vault>,
    plans: BTreeMap<String, Plan>,
}

#[derive(Serialize, Deserialize)]
struct Vault {
    key: Option<String>,
    created: f64,
    token: Option<String>,
    policy: Option<String>,
    tags: Tags,
    /// By ARN.
    points: BTreeMap<String, Point>,
}

#[derive(Serialize, Deserialize)]
struct Point {
    resource: String,
    role: String,
    created: f64,
    /// On its way out, if it is.
    going: Option<Countdown>,
}

#[derive(Serialize, Deserialize)]
struct Plan {
    document: Value,
    version: String,
    created: f64,
    deleted: Option<f64>,
    token: Option<String>,
    tags: Tags,
    /// By id.
    selections: BTreeMap<String, Selection>,
}

#[derive(Serialize, Deserialize)]
struct Selection {
    document: Value,
    created: f64,
    token: Option<String>,
}

impl Emulated for Backup {
    const NAME: &'static str = "backup";

    async fn answer(emulator: &Emulator<Self>, cx: &Context, request: &ApiRequest) -> ApiResponse {
        let rest = match Rest::of(request) {
            Ok(rest) => rest,
            Err(fault) => return json::reply(Err(fault)),
        };
        if let Err(fault) = check(cx, request, &rest).await {
            return json::reply(Err(fault));
        }
        json::reply(emulator.lock().operate(cx, request, &rest))
    }

    fn arrive(&mut self) {
        for vault in self.vaults.values_mut() {
            vault.points.retain(|_, point| point.going.is_none());
        }
    }
}

/// What other services have to say to a request.
async fn check(cx: &Context, request: &ApiRequest, rest: &Rest) -> Result<(), Fault> {
    if let Some(key) = rest.body.text("EncryptionKeyArn")
        && neighbours::key_arn(cx, key).await.is_none()
    {
        return Err(invalid(format!("Invalid encryption key: {key}")));
    }
    if let ("PUT", ["backup", "plans", _, "selections"]) = (rest.asked(request).0, rest.asked(request).1.as_slice()) {
        let role = rest.body.value("BackupSelection").and_then(|selection| selection["IamRoleArn"].as_str());
        let role = role.unwrap_or_default();
        let name = role.rsplit('/').next().unwrap_or_default();
        if !neighbours::role_trusts(cx, name, SERVICE).await {
            return Err(invalid(format!("IAM Role {role} cannot be assumed by AWS Backup")));
        }
    }
    Ok(())
}

fn invalid(message: impl Into<String>) -> Fault {
    Fault::new("InvalidParameterValueException", message)
}

fn refused(message: impl Into<String>) -> Fault {
    Fault::new("InvalidRequestException", message)
}

fn missing(what: &str) -> Fault {
    Fault::new("ResourceNotFoundException", format!("{what} cannot be found.")).status(404)
}

/// So AWS Backup answers about vaults that are not there, too.
fn denied() -> Fault {
    Fault::new("AccessDeniedException", "Insufficient privileges to perform this action.").status(403)
}

impl Backup {
    fn operate(&mut self, cx: &Context, request: &ApiRequest, rest: &Rest) -> Answer {
        match (rest.asked(request).0, rest.asked(request).1.as_slice()) {
            ("GET", ["backup-vaults"]) => Ok(self.list_vaults(cx)),
            ("PUT", ["backup-vaults", name]) => self.create_vault(cx, name, rest),
            ("GET", ["backup-vaults", name]) => Ok(described(cx, name, self.vault(name)?)),
            ("DELETE", ["backup-vaults", name]) => self.delete_vault(name),
            ("PUT", ["backup-vaults", name, "access-policy"]) => self.put_policy(name, rest),
            ("GET", ["backup-vaults", name, "access-policy"]) => {
                let policy = self.vault(name)?.policy.clone().ok_or_else(|| missing("The access policy"))?;
                Ok(json!({"BackupVaultName": name, "BackupVaultArn": vault_arn(cx, name), "Policy": policy}))
            }
            ("DELETE", ["backup-vaults", name, "access-policy"]) => {
                self.vault(name)?.policy = None;
                Ok(json!({}))
            }
            ("GET", ["backup-vaults", name, "recovery-points"]) => self.list_points(cx, name),
            ("DELETE", ["backup-vaults", name, "recovery-points", point]) => self.delete_point(cx, name, point),
            ("PUT", ["backup-jobs"]) => self.start_job(cx, rest),
            ("GET", ["backup", "plans"]) => Ok(self.list_plans(cx)),
            ("PUT", ["backup", "plans"]) => self.create_plan(cx, rest),
            ("GET", ["backup", "plans", id]) => self.get_plan(cx, id),
            ("POST", ["backup", "plans", id]) => self.update_plan(cx, id, rest),
            ("DELETE", ["backup", "plans", id]) => self.delete_plan(cx, id),
            ("GET", ["backup", "plans", id, "selections"]) => self.list_selections(id),
            ("PUT", ["backup", "plans", id, "selections"]) => self.create_selection(id, rest),
            ("GET", ["backup", "plans", id, "selections", selection]) => self.get_selection(id, selection),
            ("DELETE", ["backup", "plans", id, "selections", selection]) => {
                self.plan(id)?.selections.remove(*selection).ok_or_else(|| missing("The selection"))?;
                Ok(json!({}))
            }
            ("GET", ["tags", arn]) => Ok(json!({"Tags": self.tags(cx, arn)?})),
            ("POST", ["tags", arn]) => {
                let added = json::string_map(rest.body.value("Tags"));
                self.tags(cx, arn)?.extend(added);
                Ok(json!({}))
            }
            (method, _) => json::unknown_operation(&format!("{method} {}", request.uri)),
        }
    }

    fn vault(&mut self, name: &str) -> Result<&mut Vault, Fault> {
        self.vaults.get_mut(name).ok_or_else(denied)
    }

    /// A plan that nobody has deleted.
    fn plan(&mut self, id: &str) -> Result<&mut Plan, Fault> {
        self.plans.get_mut(id).filter(|plan| plan.deleted.is_none()).ok_or_else(|| missing("The backup plan"))
    }

    fn tags(&mut self, cx: &Context, of: &str) -> Result<&mut Tags, Fault> {
        let name = of.rsplit(':').next().unwrap_or_default();
        if of == vault_arn(cx, name) {
            return self.vaults.get_mut(name).map(|vault| &mut vault.tags).ok_or_else(|| missing("The vault"));
        }
        self.plan(name).map(|plan| &mut plan.tags)
    }

    fn list_vaults(&self, cx: &Context) -> Value {
        let all: Vec<Value> = self.vaults.iter().map(|(name, vault)| described(cx, name, vault)).collect();
        json!({"BackupVaultList": all})
    }

    fn create_vault(&mut self, cx: &Context, name: &str, rest: &Rest) -> Answer {
        let allowed = |letter: char| letter.is_ascii_alphanumeric() || letter == '-' || letter == '_';
        if !(2..=50).contains(&name.len()) || !name.chars().all(allowed) {
            return Err(invalid("The vault's name is invalid."));
        }
        let token = rest.body.string("CreatorRequestId");
        if self.vaults.get(name).is_some_and(|vault| token.is_none() || vault.token != token) {
            return Err(Fault::new("AlreadyExistsException", "Backup vault with the same name already exists"));
        }
        self.vaults.entry(name.to_owned()).or_insert_with(|| Vault {
            key: rest.body.string("EncryptionKeyArn"),
            created: time::now(),
            token,
            policy: None,
            tags: json::string_map(rest.body.value("BackupVaultTags")),
            points: BTreeMap::new(),
        });
        Ok(json!({"BackupVaultName": name, "BackupVaultArn": vault_arn(cx, name)}))
    }

    fn delete_vault(&mut self, name: &str) -> Answer {
        let vault = self.vaults.get(name).ok_or_else(|| missing("The vault"))?;
        if !vault.points.is_empty() {
            return Err(refused("Backup vault cannot be deleted because it contains recovery points."));
        }
        self.vaults.remove(name);
        Ok(json!({}))
    }

    fn put_policy(&mut self, name: &str, rest: &Rest) -> Answer {
        let policy = rest.body.need("Policy")?;
        if !serde_json::from_str::<Value>(policy).is_ok_and(|policy| policy.get("Statement").is_some()) {
            return Err(invalid("The policy is not valid JSON."));
        }
        let vault = self.vault(name)?;
        vault.refuse_denied("backup:PutBackupVaultAccessPolicy")?;
        vault.policy = Some(policy.to_owned());
        Ok(json!({}))
    }

    /// The question is a poll for those that are on their way out.
    fn list_points(&mut self, cx: &Context, name: &str) -> Answer {
        let vault = self.vault(name)?;
        vault.points.retain(|_, point| point.going.as_mut().is_none_or(|going| !going.poll()));
        let told = |(arn, point): (&String, &Point)| {
            json!({
                "RecoveryPointArn": arn,
                "BackupVaultName": name,
                "BackupVaultArn": vault_arn(cx, name),
                "ResourceArn": point.resource,
                "IamRoleArn": point.role,
                "Status": if point.going.is_some() { "DELETING" } else { "COMPLETED" },
                "CreationDate": point.created,
            })
        };
        Ok(json!({"RecoveryPoints": vault.points.iter().map(told).collect::<Vec<_>>()}))
    }

    fn delete_point(&mut self, cx: &Context, name: &str, point: &str) -> Answer {
        let vault = self.vault(name)?;
        vault.refuse_denied("backup:DeleteRecoveryPoint")?;
        let point = vault.points.get_mut(point).ok_or_else(|| missing("The recovery point"))?;
        if point.going.is_some() {
            return Err(Fault::new("InvalidResourceStateException", "The recovery point is being deleted."));
        }
        point.going = Some(Countdown::new(cx.polls()));
        Ok(json!({}))
    }

    fn start_job(&mut self, cx: &Context, rest: &Rest) -> Answer {
        let (name, resource) = (rest.body.need("BackupVaultName")?, rest.body.need("ResourceArn")?.to_owned());
        let role = rest.body.need("IamRoleArn")?.to_owned();
        let job = Uuid::new_v4();
        let made = arn(cx, "rds", &format!("snapshot:awsbackup:job-{job}"));
        let point = Point { resource, role, created: time::now(), going: None };
        self.vault(name)?.points.insert(made.clone(), point);
        Ok(json!({"BackupJobId": job.to_string(), "RecoveryPointArn": made}))
    }

    fn list_plans(&self, cx: &Context) -> Value {
        let there = self.plans.iter().filter(|(_, plan)| plan.deleted.is_none());
        let told = |(id, plan): (&String, &Plan)| {
            json!({
                "BackupPlanId": id,
                "BackupPlanArn": plan_arn(cx, id),
                "BackupPlanName": plan.document["BackupPlanName"],
                "VersionId": plan.version,
                "CreationDate": plan.created,
            })
        };
        json!({"BackupPlansList": there.map(told).collect::<Vec<_>>()})
    }

    /// The document of a plan, whose vaults have to be there.
    fn document(&self, rest: &Rest) -> Result<Value, Fault> {
        let document = rest.body.value("BackupPlan").cloned().ok_or_else(|| invalid("BackupPlan is missing."))?;
        for rule in document["Rules"].as_array().into_iter().flatten() {
            if !self.vaults.contains_key(rule["TargetBackupVaultName"].as_str().unwrap_or_default()) {
                return Err(missing("The vault of a rule"));
            }
            if !rule["ScheduleExpression"].as_str().is_none_or(|schedule| schedule.starts_with("cron(")) {
                return Err(invalid("Invalid schedule expression."));
            }
            if rule["StartWindowMinutes"].as_i64().is_some_and(|minutes| minutes < 60) {
                return Err(invalid("The start window is at least 60 minutes."));
            }
        }
        Ok(document)
    }

    fn create_plan(&mut self, cx: &Context, rest: &Rest) -> Answer {
        let document = self.document(rest)?;
        let token = rest.body.string("CreatorRequestId");
        let same = self.plans.iter().find(|(_, plan)| token.is_some() && plan.token == token && plan.deleted.is_none());
        if let Some((id, plan)) = same {
            return Ok(plan.answer(cx, id));
        }
        let plan = Plan {
            document,
            version: Uuid::new_v4().to_string(),
            created: time::now(),
            deleted: None,
            token,
            tags: json::string_map(rest.body.value("BackupPlanTags")),
            selections: BTreeMap::new(),
        };
        let id = Uuid::new_v4().to_string();
        let answer = plan.answer(cx, &id);
        self.plans.insert(id, plan);
        Ok(answer)
    }

    fn get_plan(&self, cx: &Context, id: &str) -> Answer {
        let plan = self.plans.get(id).ok_or_else(|| missing("The backup plan"))?;
        let mut answer = plan.answer(cx, id);
        answer["BackupPlan"] = plan.document.clone();
        answer["DeletionDate"] = json!(plan.deleted);
        Ok(without_nulls(answer))
    }

    fn update_plan(&mut self, cx: &Context, id: &str, rest: &Rest) -> Answer {
        let document = self.document(rest)?;
        let plan = self.plan(id)?;
        plan.document = document;
        plan.version = Uuid::new_v4().to_string();
        Ok(plan.answer(cx, id))
    }

    fn delete_plan(&mut self, cx: &Context, id: &str) -> Answer {
        let plan = self.plan(id)?;
        if !plan.selections.is_empty() {
            return Err(refused("Related backup plan selections must be deleted prior to backup plan deletion"));
        }
        plan.deleted = Some(time::now());
        Ok(plan.answer(cx, id))
    }

    fn list_selections(&mut self, id: &str) -> Answer {
        let told = |(selection, it): (&String, &Selection)| {
            json!({
                "SelectionId": selection,
                "SelectionName": it.document["SelectionName"],
                "BackupPlanId": id,
                "CreationDate": it.created,
                "IamRoleArn": it.document["IamRoleArn"],
            })
        };
        Ok(json!({"BackupSelectionsList": self.plan(id)?.selections.iter().map(told).collect::<Vec<_>>()}))
    }

    fn create_selection(&mut self, id: &str, rest: &Rest) -> Answer {
        let document = rest.body.value("BackupSelection").cloned().unwrap_or_default();
        let token = rest.body.string("CreatorRequestId");
        let chosen =
            ["Resources", "ListOfTags"].iter().any(|list| document[*list].as_array().is_some_and(|it| !it.is_empty()));
        if !chosen {
            return Err(invalid(
                "Invalid backup selection. Either 'ListOfTags' or 'Resources' section must be non-empty.",
            ));
        }
        let plan = self.plan(id)?;
        let same = plan.selections.iter().find(|(_, selection)| token.is_some() && selection.token == token);
        let selection = same.map(|(selection, _)| selection.clone()).unwrap_or_else(|| Uuid::new_v4().to_string());
        let made = Selection { document, created: time::now(), token };
        let created = plan.selections.entry(selection.clone()).or_insert(made).created;
        Ok(json!({"SelectionId": selection, "BackupPlanId": id, "CreationDate": created}))
    }

    fn get_selection(&mut self, id: &str, selection: &str) -> Answer {
        let found = self.plan(id)?.selections.get(selection).ok_or_else(|| missing("The selection"))?;
        Ok(json!({
            "BackupSelection": found.document,
            "SelectionId": selection,
            "BackupPlanId": id,
            "CreationDate": found.created,
        }))
    }
}

impl Vault {
    /// Refuses what the policy denies to everybody.
    fn refuse_denied(&self, action: &str) -> Result<(), Fault> {
        let policy: Value = self.policy.as_deref().and_then(|text| serde_json::from_str(text).ok()).unwrap_or_default();
        let denies = |statement: &&Value| {
            statement["Effect"] == "Deny"
                && statement["Principal"] == "*"
                && json::one_or_many(statement.get("Action")).iter().any(|denied| *denied == action)
        };
        let denied = json::one_or_many(policy.get("Statement")).iter().any(denies);
        if denied { Err(self::denied()) } else { Ok(()) }
    }
}

impl Plan {
    fn answer(&self, cx: &Context, id: &str) -> Value {
        json!({
            "BackupPlanId": id,
            "BackupPlanArn": plan_arn(cx, id),
            "VersionId": self.version,
            "CreationDate": self.created,
        })
    }
}

fn described(cx: &Context, name: &str, vault: &Vault) -> Value {
    without_nulls(json!({
        "BackupVaultName": name,
        "BackupVaultArn": vault_arn(cx, name),
        "EncryptionKeyArn": vault.key,
        "CreationDate": vault.created,
        "NumberOfRecoveryPoints": vault.points.len(),
        "Locked": false,
    }))
}

fn vault_arn(cx: &Context, name: &str) -> String {
    arn(cx, "backup", &format!("backup-vault:{name}"))
}

fn plan_arn(cx: &Context, id: &str) -> String {
    arn(cx, "backup", &format!("backup-plan:{id}"))
}

//! Statements of IAM, and documents that hold as many of them as IAM lets one have.

use std::collections::{BTreeMap, BTreeSet};

use rcm_aws::{
    identity::{ENVIRONMENT, PARTNER},
    resources::baseline,
};
use serde_json::{Map, Value, json};

use super::reference::{About, Action, REFERENCE, Tags};

/// How many characters a managed policy may have, spaces not counted
/// (<https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_iam-quotas.html>).
pub const LONGEST: usize = 6144;

/// Services that answer in one Region for all, or that are asked before a Region matters.
pub(super) const GLOBAL: &[&str] = &["account", "iam", "pricing", "route53", "s3"];

/// Whose resources a policy is about.
#[derive(Debug, Clone, Copy)]
pub(super) struct Scope<'a> {
    pub(super) partition: &'a str,
    pub(super) region: &'a str,
    pub(super) account: &'a str,
    pub(super) partner: &'a str,
    pub(super) environment: &'a str,
    pub(super) project: &'a str,
    /// Where the environment's names begin.
    pub(super) prefix: &'a str,
    /// Where the names of the account's baseline begin, if that is rcm's.
    pub(super) baseline: Option<&'a str>,
    /// The id of the zone of the domain's records, if rcm makes them.
    pub(super) zone: Option<&'a str>,
}

/// What a statement asks for, beside the resource.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Asks {
    /// Nothing.
    Nothing,
    /// That it is in this Region.
    Region,
    /// That the tags are right. What is new is told apart by what else its calls need.
    Tags(Tags, usize),
}

/// Statements are put together by what reads them: a person. So each service has its own but for what cannot be confined.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
struct Key {
    sid: String,
    asks: Asks,
    /// Whether it is about what is the account's too.
    accounts: bool,
}

#[derive(Debug, Default)]
struct Statement {
    actions: BTreeSet<String>,
    resources: BTreeSet<String>,
}

/// What the statement of actions that the reference does not know is called.
const UNCONFINED: &str = "Unconfined";

/// Whether the reference knows what an action can be confined to.
pub(super) fn confines(action: &str) -> bool {
    REFERENCE.action(action).is_some()
}

/// The actions of a document that are not confined, because the reference does not know them.
pub(super) fn unconfined(document: &Value) -> Vec<String> {
    let statements = document["Statement"].as_array().into_iter().flatten();
    let unconfined =
        statements.filter(|statement| statement["Sid"].as_str().is_some_and(|sid| sid.starts_with(UNCONFINED)));
    let actions = unconfined.filter_map(|statement| statement["Action"].as_array()).flatten();
    actions.filter_map(Value::as_str).map(str::to_owned).collect()
}

/// The documents that allow `actions` and nothing else, and `unconfined` for every resource; each short enough for a managed policy. Of what
/// is the account's they allow those alone that are in `accounts`: nobody who may delete a partner's bucket may empty the one that the
/// account's trail writes to.
///
/// # Errors
/// The first of `actions` that the reference does not know.
pub(super) fn documents<'n>(
    actions: impl IntoIterator<Item = &'n str>,
    accounts: &BTreeSet<&str>,
    unconfined: impl IntoIterator<Item = &'n str>,
    scope: &Scope<'_>,
) -> Result<Vec<Value>, String> {
    let mut statements: BTreeMap<Key, Statement> = BTreeMap::new();
    for name in unconfined {
        // In every Region: whether the service answers in one for all is not known either.
        let key = Key { sid: UNCONFINED.to_owned(), asks: Asks::Nothing, accounts: false };
        let statement = statements.entry(key).or_default();
        statement.actions.insert(name.to_owned());
        statement.resources.insert("*".to_owned());
    }
    let mut news = News::default();
    for name in actions.into_iter().collect::<BTreeSet<_>>() {
        let action = REFERENCE.action(name).ok_or_else(|| name.to_owned())?;
        let accounts = accounts.contains(name) && scope.baseline.is_some();
        for (key, resources) in asked(name, &action, accounts, scope, &mut news) {
            let statement = statements.entry(key).or_default();
            statement.actions.insert(name.to_owned());
            statement.resources.extend(resources);
        }
    }
    let all = statements.into_iter().flat_map(|(key, statement)| short(&key, statement, scope));
    Ok(packed(all.collect()))
}

/// The statements that an action is in, with its resources there.
fn asked(
    name: &str,
    action: &Action<'_>,
    accounts: bool,
    scope: &Scope<'_>,
    news: &mut News,
) -> Vec<(Key, Vec<String>)> {
    let service = name.split(':').next().unwrap_or_default();
    let scope = scope.of_the_account(accounts);
    let too = if accounts { "AndAccounts" } else { "" };
    let key = |sid: &str, asks| Key { sid: format!("{}{sid}{too}", camel(service)), asks, accounts };
    if action.about.is_empty() {
        let (sid, asks) = match (action.changes, GLOBAL.contains(&service)) {
            (false, false) => ("Read", Asks::Region),
            (false, true) => ("ReadGlobal", Asks::Nothing),
            (true, false) => ("Change", Asks::Region),
            (true, true) => ("ChangeGlobal", Asks::Nothing),
        };
        return vec![(Key { sid: sid.to_owned(), asks, accounts: false }, vec!["*".to_owned()])];
    }
    let group = news.group(service, action);
    let of = |about: &About<'_>| match about {
        About::Named(arns) => (key("Named", Asks::Nothing), scope.arns(arns)),
        About::Shared(arn) => (key("Shared", Asks::Nothing), scope.arn(arn).into_iter().collect()),
        About::Tagged(arn, tags) => {
            let (sid, group) = match tags {
                Tags::Own => ("Own".to_owned(), 0),
                Tags::OwnOrNone => ("OwnOrNobodys".to_owned(), 0),
                Tags::New => (format!("New{}", group + 1), group),
            };
            (key(&sid, Asks::Tags(*tags, group)), scope.arn(arn).into_iter().collect())
        }
        About::Request => (key("Made", Asks::Tags(Tags::New, 0)), vec!["*".to_owned()]),
    };
    // An action without a resource here is about what this environment has none of.
    action.about.iter().map(of).filter(|(_, resources)| !resources.is_empty()).collect()
}

/// Which actions that make something may share a statement. `CreateSubnet` makes a subnet in a VPC: were it allowed for every VPC
/// whose request has the right tags, as `CreateVpc` is, it would be allowed in those of others.
#[derive(Debug, Default)]
struct News(BTreeMap<String, Vec<Group>>);

/// What a statement's actions make, and what they need beside that.
#[derive(Debug, Default)]
struct Group {
    made: BTreeSet<String>,
    needed: BTreeSet<String>,
}

impl News {
    /// The number of the group of `action` among those of its service.
    fn group(&mut self, service: &str, action: &Action<'_>) -> usize {
        let with = |new: bool| {
            let arns = action.about.iter().filter_map(move |about| match about {
                About::Tagged(arn, tags) if (*tags == Tags::New) == new => Some((*arn).to_owned()),
                _ => None,
            });
            arns.collect::<BTreeSet<_>>()
        };
        let (made, needed) = (with(true), with(false));
        if made.is_empty() {
            return 0;
        }
        let groups = self.0.entry(service.to_owned()).or_default();
        let fits = |others: &Group| others.made.is_disjoint(&needed) && others.needed.is_disjoint(&made);
        let at = groups.iter().position(fits).unwrap_or_else(|| {
            groups.push(Group::default());
            groups.len() - 1
        });
        groups[at].made.extend(made);
        groups[at].needed.extend(needed);
        at
    }
}

impl Scope<'_> {
    /// The same, with what is the account's or without.
    fn of_the_account(&self, accounts: bool) -> Self {
        Self { baseline: self.baseline.filter(|_| accounts), ..*self }
    }

    fn arns(&self, patterns: &[String]) -> Vec<String> {
        patterns.iter().filter_map(|pattern| self.arn(pattern)).collect()
    }

    /// The ARN that a pattern means here, if there is such a thing.
    pub(super) fn arn(&self, pattern: &str) -> Option<String> {
        let optional = [("{baseline}", self.baseline), ("{zone}", self.zone)];
        let mut arn = format!("arn:{}:{pattern}", self.partition);
        for (name, value) in optional.into_iter().filter(|(name, _)| pattern.contains(name)) {
            arn = arn.replace(name, value?);
        }
        let fixed = [
            ("{region}", self.region),
            ("{account}", self.account),
            ("{project}", self.project),
            ("{prefix}", self.prefix),
        ];
        Some(fixed.into_iter().fold(arn, |arn, (name, value)| arn.replace(name, value)))
    }

    /// This environment's tags, and with a baseline also those of what is the account's.
    fn tags(&self, of: &str) -> Value {
        let or_the_accounts = |own: &str, accounts: &str| match self.baseline {
            Some(_) => json!([own, accounts]),
            None => json!(own),
        };
        json!({
            format!("aws:{of}Tag/{PARTNER}"): or_the_accounts(self.partner, baseline::NOBODYS),
            format!("aws:{of}Tag/{ENVIRONMENT}"): or_the_accounts(self.environment, baseline::ENVIRONMENT),
        })
    }

    fn condition(&self, asks: Asks) -> Option<Value> {
        Some(match asks {
            Asks::Nothing => return None,
            Asks::Region => json!({ "StringEquals": { "aws:RequestedRegion": self.region } }),
            Asks::Tags(Tags::Own, _) => json!({ "StringEquals": self.tags("Resource") }),
            Asks::Tags(Tags::OwnOrNone, _) => json!({ "StringEqualsIfExists": self.tags("Resource") }),
            // What has somebody else's tags already is not taken over.
            Asks::Tags(Tags::New, _) => {
                json!({ "StringEquals": self.tags("Request"), "StringEqualsIfExists": self.tags("Resource") })
            }
        })
    }
}

/// The statement, or several if it is too long for a document of its own.
fn short(key: &Key, statement: Statement, scope: &Scope<'_>) -> Vec<Value> {
    let scope = scope.of_the_account(key.accounts);
    let mut parts = vec![(key.sid.clone(), statement)];
    let mut done = Vec::new();
    while let Some((sid, mut statement)) = parts.pop() {
        let value = json_of(&sid, &statement, scope.condition(key.asks));
        if length(&document(&[&value])) <= LONGEST || statement.actions.len() < 2 {
            done.push(value);
            continue;
        }
        let middle = statement.actions.iter().nth(statement.actions.len() / 2).cloned().unwrap_or_default();
        let rest = Statement { actions: statement.actions.split_off(&middle), resources: statement.resources.clone() };
        parts.push((format!("{sid}B"), rest));
        parts.push((format!("{sid}A"), statement));
    }
    done
}

fn json_of(sid: &str, statement: &Statement, condition: Option<Value>) -> Value {
    let mut fields = Map::new();
    fields.insert("Sid".to_owned(), json!(sid));
    fields.insert("Effect".to_owned(), json!("Allow"));
    fields.insert("Action".to_owned(), json!(statement.actions));
    fields.insert("Resource".to_owned(), json!(statement.resources));
    fields.extend(condition.map(|condition| ("Condition".to_owned(), condition)));
    Value::Object(fields)
}

/// As few documents as a first fit makes of them, in order.
fn packed(statements: Vec<Value>) -> Vec<Value> {
    let mut documents: Vec<Vec<&Value>> = Vec::new();
    for statement in &statements {
        let fits = |document: &Vec<&Value>| {
            let more: Vec<&Value> = document.iter().copied().chain([statement]).collect();
            length(&self::document(&more)) <= LONGEST
        };
        match documents.iter_mut().find(|document| fits(document)) {
            Some(document) => document.push(statement),
            None => documents.push(vec![statement]),
        }
    }
    documents.iter().map(|statements| document(statements)).collect()
}

fn document(statements: &[&Value]) -> Value {
    json!({ "Version": "2012-10-17", "Statement": statements })
}

/// How long IAM says that a document is.
pub(super) fn length(document: &Value) -> usize {
    document.to_string().chars().filter(|char| !char.is_whitespace()).count()
}

fn camel(service: &str) -> String {
    service.split('-').map(|word| word[..1].to_uppercase() + &word[1..]).collect()
}

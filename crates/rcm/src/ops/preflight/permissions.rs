//! Whether the caller may do what the plan does, by IAM's own simulator.
//!
//! Each action is asked about as `rcm permissions` confines it: of the resource and in the circumstances that its policy names. What
//! something denies is bad. What nothing allows is bad only if rcm's own policy would be allowed the same: if it would not, the
//! question was put wrongly, and nobody knows.

use std::collections::{BTreeMap, BTreeSet};

use futures::{StreamExt, stream};
use rcm_aws::{
    Caller,
    questions::{Answer, Decision, Principal, Simulation, named},
};
use rcm_engine::{model::Fault, plan::Action};
use serde_json::Value;

use super::{Ahead, Check, Verdict, is_made};
use crate::{Error, permissions::Verb};

const NAME: &str = "permissions";

/// How many questions are under way at once: IAM has one endpoint for all of the account, and throttles early.
const AT_ONCE: usize = 8;

/// How many actions a line names.
const SHOWN: usize = 12;

/// What IAM says of all that the plan does.
pub(super) struct Permitted {
    found: Result<Found, String>,
}

#[derive(Default)]
struct Found {
    principal: String,
    asked: usize,
    denied: BTreeMap<String, Answer>,
    /// Nothing allows it, and rcm's own policy would not either; or it depends on what a simulation cannot say.
    unsure: BTreeSet<String>,
    /// What only takes away what the run makes, if it fails.
    undoing: BTreeSet<String>,
}

impl Permitted {
    /// Whose permissions were simulated, if anybody's were.
    pub(super) fn principal(&self) -> Option<&str> {
        self.found.as_ref().ok().map(|found| found.principal.as_str())
    }

    /// The findings.
    pub(super) fn check(&self, ahead: &Ahead<'_>) -> Vec<Check> {
        let found = match &self.found {
            Ok(found) => found,
            Err(why) => return vec![Check::unseen(NAME, why.clone())],
        };
        if ahead.plan.is_empty() {
            return vec![Check::good(NAME, "the plan does nothing")];
        }
        found.checks()
    }
}

impl Found {
    fn checks(&self) -> Vec<Check> {
        let (undoing, doing): (Vec<_>, Vec<_>) =
            self.denied.iter().partition(|(action, _)| self.undoing.contains(*action));
        let mut checks = Vec::new();
        if doing.is_empty() {
            checks.push(Check::good(
                NAME,
                format!(
                    "IAM allows {} actions to {}",
                    self.asked - self.denied.len() - self.unsure.len(),
                    self.principal
                ),
            ));
        } else {
            checks.push(Check::found(NAME, Verdict::Bad, said(&doing, &self.principal), mend(&doing)));
        }
        if !undoing.is_empty() {
            let evidence = format!("{}; a run that fails could not be undone", said(&undoing, &self.principal));
            checks.push(Check::found("permissions/undo", Verdict::Warn, evidence, mend(&undoing)));
        }
        if !self.unsure.is_empty() {
            let unsure: Vec<&str> = self.unsure.iter().map(String::as_str).collect();
            let why = format!("IAM's simulator does not tell of {}", shortened(&unsure));
            checks.push(Check::unseen("permissions/unsure", why));
        }
        checks
    }
}

fn said(denied: &[(&String, &Answer)], principal: &str) -> String {
    let of = |answer: Answer, why: &str| {
        let names: Vec<&str> = denied.iter().filter(|(_, is)| **is == answer).map(|(name, _)| name.as_str()).collect();
        (!names.is_empty()).then(|| format!("{why} {}", shortened(&names)))
    };
    let all = [
        of(Answer::Implicit, "nothing allows"),
        of(Answer::Explicit, "a policy denies"),
        of(Answer::Bounded, "an organization's policy or a permissions boundary does not allow"),
    ];
    format!("{principal}: {}", all.into_iter().flatten().collect::<Vec<_>>().join("; "))
}

fn mend(denied: &[(&String, &Answer)]) -> String {
    match denied.iter().all(|(_, answer)| **answer == Answer::Implicit) {
        true => "rcm permissions --verb provision".to_owned(),
        false => "ask whoever keeps these policies; what rcm needs: rcm permissions --verb provision".to_owned(),
    }
}

fn shortened(names: &[&str]) -> String {
    match names.len() {
        0..=SHOWN => names.join(", "),
        all => format!("{} and {} more", names[..SHOWN].join(", "), all - SHOWN),
    }
}

/// Asks IAM.
pub(super) async fn ask(ahead: &Ahead<'_>, caller: &Caller) -> Permitted {
    let found = match ahead.environment.aws.principal(caller).await {
        Ok(Principal::Arn(principal)) => asked(ahead, principal).await,
        Ok(Principal::Nobody(why)) => Err(why),
        Err(fault) => Err(fault.to_string()),
    };
    Permitted { found }
}

async fn asked(ahead: &Ahead<'_>, principal: String) -> Result<Found, String> {
    let (doing, undoing) = actions(ahead);
    let all: BTreeSet<&'static str> = doing.union(&undoing).copied().collect();
    let questions = ahead.environment.simulations(&all, &names(ahead)).map_err(|error| error.to_string())?;
    let told = |fault: Fault| fault.to_string();
    let mut questions = questions.into_iter();
    let mut denied = Vec::new();
    // The first one alone: whoever may not ask it may ask none.
    if let Some(first) = questions.next() {
        let decisions = ahead.environment.aws.simulate(&principal, &first).await.map_err(told)?;
        denied.push((first, decisions));
    }
    let looks = questions.map(|question| {
        let principal = &principal;
        async move { Ok::<_, Fault>((question.clone(), ahead.environment.aws.simulate(principal, &question).await?)) }
    });
    let rest: Vec<Result<_, Fault>> = stream::iter(looks).buffer_unordered(AT_ONCE).collect().await;
    for answer in rest {
        denied.push(answer.map_err(told)?);
    }
    let undoing = undoing.difference(&doing).map(|action| (*action).to_owned()).collect();
    let mut found = Found { principal, asked: all.len(), undoing, ..Found::default() };
    judge(ahead, denied, &mut found).await.map_err(|error| error.to_string())?;
    Ok(found)
}

/// Sorts what is not allowed into what is denied and what nobody knows.
async fn judge(ahead: &Ahead<'_>, asked: Vec<(Simulation, Vec<Decision>)>, found: &mut Found) -> Result<(), Error> {
    let mut own = None;
    for (question, decisions) in asked {
        let refused: Vec<&Decision> = decisions.iter().filter(|decision| decision.answer != Answer::Allowed).collect();
        let implicit: BTreeSet<&str> = refused
            .iter()
            .filter(|decision| decision.answer == Answer::Implicit)
            .map(|decision| decision.action.as_str())
            .collect();
        for decision in &refused {
            match decision.answer {
                Answer::Explicit | Answer::Bounded => {
                    found.denied.insert(decision.action.clone(), decision.answer);
                }
                Answer::Depends => drop(found.unsure.insert(decision.action.clone())),
                Answer::Allowed | Answer::Implicit => {}
            }
        }
        if implicit.is_empty() {
            continue;
        }
        let documents = match &own {
            Some(documents) => documents,
            None => own.insert(documents(ahead)?),
        };
        let question = Simulation { actions: implicit.iter().map(|action| (*action).to_owned()).collect(), ..question };
        let ours = ahead.environment.aws.simulate_policies(documents, &question).await;
        let allowed = |action: &str| match &ours {
            Ok(ours) => {
                let mut of_action = ours.iter().filter(|decision| decision.action == action).peekable();
                of_action.peek().is_some() && of_action.all(|decision| decision.answer == Answer::Allowed)
            }
            Err(_) => false,
        };
        for action in implicit {
            match allowed(action) {
                true => drop(found.denied.entry(action.to_owned()).or_insert(Answer::Implicit)),
                false => drop(found.unsure.insert(action.to_owned())),
            }
        }
    }
    found.unsure.retain(|action| !found.denied.contains_key(action));
    Ok(())
}

/// rcm's own policies for the run.
fn documents(ahead: &Ahead<'_>) -> Result<Vec<String>, Error> {
    let policies = ahead.environment.permissions(&[Verb::Provision])?;
    Ok(policies.into_iter().map(|policy| policy.document.to_string()).collect())
}

/// What the plan does, and what would be needed to undo it.
fn actions(ahead: &Ahead<'_>) -> (BTreeSet<&'static str>, BTreeSet<&'static str>) {
    let (mut doing, mut undoing) = (BTreeSet::new(), BTreeSet::new());
    for step in ahead.plan.steps() {
        let Ok(resource) = ahead.environment.registry.get(&step.kind) else { continue };
        let actions = resource.actions();
        doing.extend(actions.read);
        match &step.action {
            Action::Delete { .. } => doing.extend(actions.delete),
            Action::Retain | Action::Leave => {}
            _ => doing.extend(actions.write),
        }
        if is_made(step) {
            undoing.extend(actions.delete);
        }
    }
    (doing, undoing)
}

/// The name of one resource of each kind that is made.
fn names(ahead: &Ahead<'_>) -> BTreeMap<String, String> {
    let mut names = BTreeMap::new();
    for step in ahead.made() {
        let called =
            || step.spec.get("name").or_else(|| step.spec.get("family")).and_then(Value::as_str).map(str::to_owned);
        let name = named(&step.kind, &ahead.identity(step), &step.spec).or_else(called);
        if let Some(name) = name {
            names.entry(step.kind.clone()).or_insert(name);
        }
    }
    names
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(denied: &[(&str, Answer)]) -> Vec<Check> {
        let denied = denied.iter().map(|(action, answer)| ((*action).to_owned(), *answer)).collect();
        let undoing = BTreeSet::from(["ec2:DeleteVpc".to_owned()]);
        Found { principal: "arn:role".into(), asked: 9, denied, undoing, ..Found::default() }.checks()
    }

    #[test]
    fn what_is_denied_is_named_and_what_only_a_rollback_needs_stops_nobody() {
        assert_eq!(found(&[]), [Check::good("permissions", "IAM allows 9 actions to arn:role")]);
        let missing = found(&[("ec2:CreateVpc", Answer::Implicit), ("ecs:CreateCluster", Answer::Explicit)]);
        assert_eq!(missing[0].verdict, Verdict::Bad);
        assert_eq!(missing[0].evidence, "arn:role: nothing allows ec2:CreateVpc; a policy denies ecs:CreateCluster");
        let undo = found(&[("ec2:DeleteVpc", Answer::Implicit)]);
        assert_eq!((undo[0].verdict, undo[1].verdict), (Verdict::Ok, Verdict::Warn));
        assert_eq!(undo[1].mend.as_deref(), Some("rcm permissions --verb provision"));
    }
}

//! A plan, for people: by layer, what happens to which resource and why, and what cannot be undone.

use std::collections::{BTreeMap, BTreeSet};

use anstyle::Style;
use rcm::engine::{
    model::{Address, Remnant},
    plan::{Action, FieldChange, Origin, Plan, Step},
};

use super::{BLUE, BOLD, DIM, GREEN, RED, YELLOW, count, layer_rank, paint, tail, value};

/// The plan as text. `holds_data` says whether a kind of resource holds what cannot be made again.
pub(crate) fn plan(plan: &Plan, holds_data: &dyn Fn(&str) -> bool) -> String {
    if plan.is_empty() {
        return nothing_to_do(plan);
    }
    let mut text = title(plan);
    for (layer, steps) in by_layer(plan) {
        text.push_str(&format!("\n{}\n", paint(BOLD, layer.1)));
        let width = steps.iter().map(|step| tail(step.address.as_str()).len()).max().unwrap_or(0);
        steps.iter().for_each(|step| text.push_str(&self::step(step, width)));
    }
    text.push_str(&section("Cannot be undone", RED, &final_steps(plan, holds_data)));
    let kept: Vec<String> = plan.retained.iter().map(ToString::to_string).collect();
    text.push_str(&section("Kept", BLUE, &kept));
    text.push_str(&section("Not allowed", RED, &blocked(plan)));
    text.push_str(&format!("\n{}\n", summary(plan)));
    text
}

fn title(plan: &Plan) -> String {
    let at = &plan.deployment;
    format!("Plan for {}/{} (account {}, {})\n", at.partner, at.environment, at.account, at.region)
}

fn nothing_to_do(plan: &Plan) -> String {
    let at = &plan.deployment;
    let kept = match plan.retained.len() {
        0 => String::new(),
        kept => format!(", {kept} kept"),
    };
    format!("Nothing to do for {}/{}: {} unchanged{kept}.\n", at.partner, at.environment, plan.unchanged)
}

/// The steps of each layer. The old half of a replacement is part of its step.
fn by_layer(plan: &Plan) -> BTreeMap<(usize, &str), Vec<&Step>> {
    let mut layers: BTreeMap<(usize, &str), Vec<&Step>> = BTreeMap::new();
    for step in plan.steps().filter(|step| !is_old_half(plan, step)) {
        layers.entry(layer_rank(step.address.layer())).or_default().push(step);
    }
    layers.values_mut().for_each(|steps| steps.sort_by(|a, b| a.address.cmp(&b.address)));
    layers
}

fn is_old_half(plan: &Plan, step: &Step) -> bool {
    let replaces = |other: &Step| other.address == step.address && matches!(other.action, Action::Replace { .. });
    matches!(step.action, Action::Delete { superseded: true }) && plan.forward.iter().any(replaces)
}

fn step(step: &Step, width: usize) -> String {
    let (symbol, style) = symbol(&step.action);
    let name = tail(step.address.as_str());
    let line = format!("{} {name:width$}  {}", paint(style, &format!("{symbol:>4}")), paint(DIM, &step.kind));
    let mut text = format!("{line}{}\n", remark(&step.action));
    if let Action::Update { changes } | Action::Replace { changes } = &step.action {
        changes.iter().for_each(|change| text.push_str(&self::change(change)));
    }
    text
}

fn symbol(action: &Action) -> (&'static str, Style) {
    match action {
        Action::Create { .. } | Action::Complete => ("+", GREEN),
        Action::Update { .. } => ("~", YELLOW),
        Action::Remake { .. } | Action::Replace { .. } => ("-/+", YELLOW),
        Action::Delete { .. } => ("-", RED),
        Action::Adopt { .. } => ("^", BLUE),
        Action::Retain => ("kept", BLUE),
        Action::Leave => ("left", BLUE),
    }
}

fn remark(action: &Action) -> String {
    let remark = match action {
        Action::Create { again: Some(why) } => format!("made again: {why}"),
        Action::Remake { why } => format!("an earlier run began it, and it failed: {why}"),
        Action::Adopt { id } => format!("exists already and is taken up again: {id}"),
        Action::Complete => "an earlier run began it; this one finishes it".to_owned(),
        Action::Leave => "the account's, and not this environment's alone".to_owned(),
        Action::Delete { superseded: true } => "the predecessor of what has replaced it".to_owned(),
        _ => return String::new(),
    };
    paint(DIM, &format!("  {remark}"))
}

/// How many differences inside one field are shown.
const LEAVES: usize = 6;

fn change(change: &FieldChange) -> String {
    let mut marks = String::new();
    if change.forces_replacement {
        marks.push_str(&paint(RED, "  forces replacement"));
    }
    if change.origin == Origin::Drift {
        marks.push_str(&paint(YELLOW, "  changed outside rcm"));
    }
    let leaves = value::leaves(&change.field, &change.before, &change.after);
    let lines: Vec<String> = leaves
        .iter()
        .take(LEAVES)
        .map(|(path, before, after)| match (before, after) {
            (Some(before), Some(after)) => format!("{path}: {}", value::pair(before, after)),
            (Some(before), None) => format!("{path}: without {}", value::short(before)),
            (None, Some(after)) => format!("{path}: with {}", value::short(after)),
            (None, None) => path.clone(),
        })
        .collect();
    let more = leaves.len().saturating_sub(LEAVES);
    let more = if more == 0 { String::new() } else { format!("         … and {}\n", count(more, "more difference")) };
    let mut lines = lines.into_iter();
    let first = lines.next().unwrap_or_else(|| change.field.clone());
    let rest: String = lines.map(|line| format!("         {line}\n")).collect();
    let effect = change.effect.iter().map(|effect| format!("           {}\n", paint(YELLOW, effect)));
    format!("         {first}{marks}\n{rest}{more}{}", effect.collect::<String>())
}

/// What destroys data, one line each.
fn final_steps(plan: &Plan, holds_data: &dyn Fn(&str) -> bool) -> Vec<String> {
    let data = |step: &&Step| holds_data(&step.kind);
    let deletes = plan.cleanup.iter().filter(|step| matches!(step.action, Action::Delete { .. }));
    let line = |step: &Step| {
        let how = if is_old_half(plan, step) { "is replaced by an empty one" } else { "is deleted with its data" };
        format!("{} {how}{}", step.address, snapshot(step, plan.purge))
    };
    let lines: BTreeSet<String> = deletes.filter(data).map(line).collect();
    let left = |remnant: &Remnant| format!("{} {} of {} is deleted", remnant.what, remnant.id, remnant.address);
    lines.into_iter().chain(plan.discards.iter().map(left)).collect()
}

fn snapshot(step: &Step, purge: bool) -> &'static str {
    match (step.kind.as_str(), purge) {
        ("rds/instance", false) => "; a final snapshot is taken first, and kept",
        ("rds/instance", true) => "; no final snapshot is taken",
        _ => "",
    }
}

fn blocked(plan: &Plan) -> Vec<String> {
    let line = |address: &Address, why: &str| format!("{address} {why}: allow it by --allow-destroy {address}");
    plan.blocked.iter().map(|blocked| line(&blocked.address, &blocked.why)).collect()
}

fn section(title: &str, style: Style, lines: &[String]) -> String {
    if lines.is_empty() {
        return String::new();
    }
    let lines: String = lines.iter().map(|line| format!("  {line}\n")).collect();
    format!("\n{}\n{lines}", paint(style.bold(), title))
}

/// `Plan: 12 to create, 1 to replace, 3 unchanged.`
fn summary(plan: &Plan) -> String {
    let counts = plan.counts();
    let words = ["create", "adopt", "complete", "update", "replace", "delete"];
    let mut parts: Vec<String> =
        words.iter().filter_map(|word| Some(format!("{} to {word}", counts.get(word)?))).collect();
    let old = plan.cleanup.iter().filter(|step| matches!(step.action, Action::Delete { superseded: true }));
    let leftovers = old.filter(|step| !is_old_half(plan, step)).count();
    if leftovers > 0 {
        parts.push(format!("{} to delete", count(leftovers, "predecessor")));
    }
    if !plan.discards.is_empty() {
        parts.push(format!("{} of earlier deletes to delete", count(plan.discards.len(), "remnant")));
    }
    if let Some(left) = counts.get("leave") {
        parts.push(format!("{left} left to the account"));
    }
    if !plan.retained.is_empty() {
        parts.push(format!("{} kept", plan.retained.len()));
    }
    if plan.unchanged > 0 {
        parts.push(format!("{} unchanged", plan.unchanged));
    }
    format!("Plan: {}.", parts.join(", "))
}

#[cfg(test)]
mod tests;

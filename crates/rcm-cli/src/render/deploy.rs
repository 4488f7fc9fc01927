//! A push and a deploy, for people.

use std::time::Duration;

use rcm::{
    Deployed,
    aws::StoppedTask,
    config::ImageRef,
    engine::run::{Aftermath, Outcome},
    image::{Happening, Pushed},
};

use super::{BOLD, DIM, GREEN, RED, YELLOW, count, duration, paint, report::failure};
use crate::{error::advice, session::Next};

/// What was deployed where.
#[derive(Debug)]
pub(crate) struct Told<'a> {
    /// The image.
    pub(crate) image: &'a ImageRef,
    /// `acme/prod`
    pub(crate) name: &'a str,
    /// How long it took.
    pub(crate) took: Duration,
    /// What to type next.
    pub(crate) next: &'a Next,
}

/// The line of what happened to a layer; `None` for what needs none.
pub(crate) fn layer(happening: &Happening) -> Option<String> {
    Some(match happening {
        Happening::Sending { .. } => return None,
        Happening::Present { digest, size } => {
            format!("  {}  {}\n", digest.short(), paint(DIM, &format!("is there   {}", bytes(*size))))
        }
        Happening::Sent { digest, size } => format!("  {}  pushed     {}\n", digest.short(), bytes(*size)),
        Happening::Again { digest, why, from } => {
            let from = if *from == 0 { "from the beginning".to_owned() } else { format!("from {}", bytes(*from)) };
            format!("  {}  {}  {why}\n", digest.short(), paint(YELLOW, &format!("again {from}:")))
        }
    })
}

/// What a push has done.
pub(crate) fn pushed(pushed: &Pushed, image: &ImageRef) -> String {
    match pushed.sent {
        0 => format!("{image} is in the repository already.\n"),
        sent => format!(
            "Pushed {image}: {} of {} sent, {} there already.\n",
            count(sent, "blob"),
            bytes(pushed.sent_bytes),
            pushed.present
        ),
    }
}

/// What a push of the web application has led to.
pub(crate) fn web(image: &ImageRef, name: &str) -> String {
    format!(
        "{} {image}\n  There is nothing to roll out: {name} has a repository for the web application and no service that runs it.\n",
        paint(GREEN.bold(), "Pushed.")
    )
}

/// How a deploy went.
pub(crate) fn report(deployed: &Deployed, told: &Told<'_>) -> String {
    let Told { image, name, took, next } = told;
    match &deployed.report.outcome {
        Outcome::Done if deployed.report.plan.is_empty() => {
            format!("{} Nothing was changed.\n", paint(GREEN.bold(), &format!("{name} runs {image} already.")))
        }
        Outcome::Done => {
            let title = paint(GREEN.bold(), &format!("Deployed to {name} in {}", duration(*took)));
            let back = format!("  To go back to the image before: {}\n", next.command("deploy --rollback"));
            format!("{title}: {image}\n{}", if deployed.has_predecessor { &back } else { "" })
        }
        Outcome::Cancelled => {
            let title = paint(YELLOW.bold(), &format!("Stopped the deploy to {name}."));
            format!("{title} Nothing was lost; to go on: {}\n", next.command("provision"))
        }
        Outcome::Parked(steps) => {
            let waits: String = steps.iter().map(|(address, what)| format!("  {address} waits for {what}\n")).collect();
            format!("{} waits for somebody outside.\n{waits}", paint(YELLOW.bold(), name))
        }
        Outcome::Failed { failures, aftermath } => {
            let title = paint(RED.bold(), &format!("The deploy to {name} failed after {}", duration(*took)));
            let failures_text: String = failures.iter().map(|(address, fault)| failure(address, fault)).collect();
            let tasks: String = deployed.stopped.iter().map(stopped).collect();
            let tasks = if tasks.is_empty() { tasks } else { format!("\n{}\n{tasks}", paint(BOLD, "Stopped tasks")) };
            let advice = failures.iter().find_map(|(_, fault)| advice(fault, next));
            let advice = advice.map(|advice| format!("  = help: {advice}\n")).unwrap_or_default();
            format!("{title}\n{failures_text}{tasks}\n{}\n{advice}{}", became(aftermath), what_next(aftermath, next))
        }
    }
}

fn became(aftermath: &Aftermath) -> String {
    match aftermath {
        Aftermath::RolledBack => "What ran before runs again; AWS is as it was.".to_owned(),
        Aftermath::Kept => "What was done stays, and is known; the next run goes on from there.".to_owned(),
        Aftermath::Interrupted => {
            "It was stopped while what it had done was being undone. What is not undone stays, and is known.".to_owned()
        }
        Aftermath::Stuck(left) => {
            let left: String = left.iter().map(|(address, fault)| failure(address, fault)).collect();
            format!("What this run had done was undone, but for these, which still exist and are known:\n{left}")
        }
    }
}

fn what_next(aftermath: &Aftermath, next: &Next) -> String {
    match aftermath {
        Aftermath::RolledBack => {
            format!("  = next: mend the image, then: {}\n", next.command("deploy --image FILE|REF"))
        }
        Aftermath::Kept => format!(
            "  = next: go on: {}\n          or undo it: {}\n",
            next.command("provision"),
            next.command("rollback")
        ),
        Aftermath::Stuck(_) => format!("  = next: mend it, then undo them too: {}\n", next.command("rollback")),
        Aftermath::Interrupted => format!("  = next: undo the rest: {}\n", next.command("rollback")),
    }
}

/// One task, why it stopped, and the last that it said.
fn stopped(task: &StoppedTask) -> String {
    let mut text = format!("  {} of {}: {}\n", task.task, task.revision, paint(RED, &task.reason));
    for container in &task.containers {
        let code = container.exit_code.map_or_else(|| "never ran".to_owned(), |code| format!("exit code {code}"));
        let reason = container.reason.as_ref().map(|reason| format!(": {reason}")).unwrap_or_default();
        text.push_str(&format!("    container {}: {code}{reason}\n", container.name));
    }
    if !task.log.is_empty() {
        text.push_str("    its last lines:\n");
    }
    for line in &task.log {
        // What an application writes does not move the cursor here.
        let plain: String = line.trim_end().chars().map(|c| if c.is_control() { ' ' } else { c }).collect();
        text.push_str(&format!("      {plain}\n"));
    }
    text
}

/// `512 B`, `1.5 kB`, `12.0 MB`
fn bytes(count: u64) -> String {
    let (unit, divisor) = match count {
        0..1_000 => return format!("{count} B"),
        1_000..1_000_000 => ("kB", 1_000),
        1_000_000..1_000_000_000 => ("MB", 1_000_000),
        _ => ("GB", 1_000_000_000),
    };
    format!("{}.{} {unit}", count / divisor, count % divisor * 10 / divisor)
}

#[cfg(test)]
mod tests {
    use anstream::adapter::strip_str;
    use rcm::aws::StoppedContainer;

    use super::*;

    #[test]
    fn a_stopped_task_is_told_with_its_reasons_and_its_last_lines() {
        let container =
            StoppedContainer { name: "api".into(), exit_code: Some(1), reason: Some("OutOfMemoryError".into()) };
        let task = StoppedTask {
            task: "4a1b".into(),
            revision: "acme-rcm-prod-api:7".into(),
            reason: "Essential container in task exited".into(),
            containers: vec![container],
            log: vec!["listening on 8080\n".into(), "\u{1b}[31mno database\u{1b}[0m".into()],
        };
        insta::assert_snapshot!(strip_str(&stopped(&task)).to_string(), @"
          4a1b of acme-rcm-prod-api:7: Essential container in task exited
            container api: exit code 1: OutOfMemoryError
            its last lines:
              listening on 8080
               [31mno database [0m
        ");
    }

    #[test]
    fn sizes_are_as_people_say_them() {
        assert_eq!(
            [bytes(999), bytes(1_500), bytes(12_000_000), bytes(2_400_000_000)],
            ["999 B", "1.5 kB", "12.0 MB", "2.4 GB"]
        );
    }
}

//! `rcm init`: writes a partner file. Every answer is judged at once, by the rules of the file itself.

use std::{collections::BTreeMap, fs, io::Write, path::Path};

use rcm::{
    PartnerConfig,
    config::{Question, check, draft, questions},
    engine::run::Cancel,
};
use serde_json::json;

use crate::{
    args::{Format, Globals, Init},
    error::{CommandError, Exit, disk},
    render::{BOLD, DIM, GREEN, RED, json as lines, paint},
    session::Next,
    signals::{self, Stake},
    terminal,
};

/// What was answered, by setting.
type Answers = BTreeMap<&'static str, String>;

/// Asks and returns what was typed; `None` when nobody answers any more.
type Ask<'a> = &'a mut dyn FnMut(&str) -> Option<String>;

pub(super) async fn run(globals: &Globals, args: &Init) -> Result<Exit, CommandError> {
    // Nothing is written before the last answer, so there is nothing to be careful about.
    signals::listen(Cancel::new(), Stake::new(false), |_| {})?;
    let path = PartnerConfig::path(&globals.partners_dir, &args.name).map_err(|error| CommandError::config(&error))?;
    if path.exists() {
        return Err(exists(globals, args, &path));
    }
    let given = given(args)?;
    let answers = if globals.yes || !terminal::can_ask() {
        unasked(&args.name, given)?
    } else {
        let title = paint(BOLD, &format!("A new partner file: {}", path.display()));
        terminal::tell(&format!("{title}\nEnter takes what stands in brackets. Ctrl-C leaves everything as it is.\n"));
        // The other thread goes on listening for signals.
        tokio::task::block_in_place(|| asked(&args.name, given, &mut terminal::ask))?
    };
    let text = draft(&args.name, &answers);
    let config = PartnerConfig::parse(&path, &text, None).map_err(|error| CommandError::config(&error))?;
    write(globals, args, &path, &text)?;
    tell(globals, args, &config)?;
    Ok(Exit::Done)
}

/// The answers of the command line, each of which must be right.
fn given(args: &Init) -> Result<Answers, CommandError> {
    let options = [
        ("project_prefix", &args.project_prefix),
        ("brand_name", &args.brand_name),
        ("environment", &args.environment),
        ("domain_name", &args.domain_name),
        ("support_email", &args.support_email),
        ("primary_color", &args.primary_color),
        ("aws_account_id", &args.aws_account_id),
        ("aws_region", &args.aws_region),
        ("tier", &args.tier),
    ];
    let given: Answers = options.into_iter().filter_map(|(name, value)| Some((name, value.clone()?))).collect();
    let wrong = given.iter().filter_map(|(name, answer)| {
        let refusal = check(name, answer).err()?;
        Some(format!("{}: {}{}", flag(name), refusal.message, help(refusal.help)))
    });
    let causes: Vec<String> = wrong.collect();
    if causes.is_empty() {
        return Ok(given);
    }
    Err(CommandError { causes, ..CommandError::new(Exit::Usage, "a partner file cannot say this") })
}

fn help(help: Option<String>) -> String {
    help.map(|help| format!(" ({help})")).unwrap_or_default()
}

/// `--brand-name`
fn flag(name: &str) -> String {
    format!("--{}", name.replace('_', "-"))
}

/// What is answered by Enter, or where nobody is asked.
fn default(partner: &str, question: &Question) -> Option<String> {
    let prefix = format!("{partner}-rcm");
    let default = match question.name {
        "project_prefix" if check("project_prefix", &prefix).is_ok() => &prefix,
        "environment" => "prod",
        "primary_color" => "#1976D2",
        "tier" => "production",
        _ => return None,
    };
    Some(default.to_owned())
}

/// The given answers and the defaults of the others, where nobody is asked.
fn unasked(partner: &str, mut answers: Answers) -> Result<Answers, CommandError> {
    let mut missing = Vec::new();
    for question in questions() {
        match (answers.contains_key(question.name), default(partner, &question)) {
            (true, _) => {}
            (false, Some(default)) => drop(answers.insert(question.name, default)),
            (false, None) if question.required => missing.push(question),
            (false, None) => {}
        }
    }
    if missing.is_empty() {
        return Ok(answers);
    }
    let causes = missing.iter().map(|it| format!("{}: {} It takes {}.", flag(it.name), it.meaning, it.takes)).collect();
    let error = CommandError::new(Exit::Usage, "nobody is asked here, and these have no default");
    Err(CommandError { causes, ..error }.hint("give them, or run it in a terminal without --yes"))
}

/// The given answers and what a person says to the other questions.
fn asked(partner: &str, mut answers: Answers, ask: Ask<'_>) -> Result<Answers, CommandError> {
    for question in questions() {
        if answers.contains_key(question.name) {
            continue;
        }
        if let Some(answer) = one(partner, &question, ask)? {
            answers.insert(question.name, answer);
        }
    }
    Ok(answers)
}

/// Asks until the answer is right. `None` for what can be left out and was.
fn one(partner: &str, question: &Question, ask: Ask<'_>) -> Result<Option<String>, CommandError> {
    let default = default(partner, question);
    let bracket = match (&default, question.required) {
        (Some(default), _) => format!(" [{default}]"),
        (None, true) => String::new(),
        (None, false) => " [none]".to_owned(),
    };
    let mut text = format!(
        "\n{}\n{}\n{}{bracket}: ",
        question.meaning,
        paint(DIM, &format!("It takes {}.", question.takes)),
        question.name
    );
    loop {
        let nobody = || CommandError::new(Exit::Stopped, "no answer; nothing was written");
        let answer = ask(&text).ok_or_else(nobody)?;
        if answer.is_empty() && (default.is_some() || !question.required) {
            return Ok(default);
        }
        match check(question.name, &answer) {
            Ok(()) => return Ok(Some(answer)),
            Err(refusal) => {
                let why = format!("{}{}", refusal.message, help(refusal.help));
                text = format!("{}\n{}{bracket}: ", paint(RED, &why), question.name);
            }
        }
    }
}

/// Makes the file, whole or not at all, and never in the place of another.
fn write(globals: &Globals, args: &Init, path: &Path, text: &str) -> Result<(), CommandError> {
    let failed = |error: std::io::Error| {
        let message = format!("cannot write {}: {error}", path.display());
        CommandError::new(Exit::Failed, message).hint(disk(&error))
    };
    fs::create_dir_all(&globals.partners_dir).map_err(failed)?;
    let mut file = match fs::File::create_new(path) {
        Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => return Err(exists(globals, args, path)),
        opened => opened.map_err(failed)?,
    };
    let written = file.write_all(text.as_bytes()).and_then(|()| file.sync_all());
    written.map_err(|error| {
        // Half of it would only stand in the way of the next try.
        let _ = fs::remove_file(path);
        failed(error)
    })
}

fn exists(globals: &Globals, args: &Init, path: &Path) -> CommandError {
    CommandError::new(Exit::Refused, format!("{} is there already, and stays as it is", path.display()))
        .hint(format!("to check it: {}; or choose another name", next(globals, args, false).command("validate")))
}

fn next(globals: &Globals, args: &Init, sandbox: bool) -> Next {
    Next::with(globals, &args.name, sandbox)
}

fn tell(globals: &Globals, args: &Init, config: &PartnerConfig) -> Result<(), CommandError> {
    let tried = ["plan", "provision"].map(|verb| next(globals, args, true).command(verb));
    let real = next(globals, args, false).command("plan");
    let file = config.file.display().to_string();
    match globals.output {
        Format::Json => terminal::out(&lines::line(&json!({
            "file": file, "partner": config.partner, "environment": config.environment,
            "next": tried.iter().chain([&real]).collect::<Vec<_>>(),
        }))),
        Format::Human => terminal::out(&format!(
            "{} {file}\n\nNext\n  look at the file, and at what else it can say: docs/partner-file.md\n  try it without an account: {}\n{:29}{}\n  \
             with credentials of account {}: {real}\n",
            paint(GREEN, "Wrote"),
            tried[0],
            "",
            tried[1],
            config.aws_account_id,
        )),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The answers to a script of what is typed, and every question that was asked.
    fn play(given: &[(&'static str, &str)], typed: &[&str]) -> (Result<Answers, CommandError>, Vec<String>) {
        let mut typed = typed.iter();
        let mut questions = Vec::new();
        let given = given.iter().map(|(name, answer)| (*name, (*answer).to_owned())).collect();
        let answers = asked("acme", given, &mut |question| {
            questions.push(anstream::adapter::strip_str(question).to_string());
            typed.next().map(|answer| (*answer).to_owned())
        });
        (answers, questions)
    }

    const TYPED: [&str; 9] = ["", "Acme", "", "", "support@acme.com", "", "123456789012", "us-east-1", ""];

    #[test]
    fn enter_takes_the_default_and_what_has_none_is_left_out() {
        let (answers, questions) = play(&[], &TYPED);
        let answers = answers.unwrap();
        assert_eq!(questions.len(), 9);
        assert!(questions[0].ends_with("project_prefix [acme-rcm]: "), "{}", questions[0]);
        assert!(questions[3].ends_with("domain_name [none]: "), "{}", questions[3]);
        assert_eq!((answers["project_prefix"].as_str(), answers["tier"].as_str()), ("acme-rcm", "production"));
        assert_eq!(answers.get("domain_name"), None);
    }

    #[test]
    fn a_wrong_answer_is_refused_at_once_with_the_files_own_words_and_asked_again() {
        let mut typed = TYPED.to_vec();
        typed.splice(7..8, ["us-esat-1", "us-east-1"]);
        typed.insert(1, "");
        let (answers, questions) = play(&[], &typed);
        assert_eq!(answers.unwrap()["aws_region"], "us-east-1");
        assert_eq!(questions.len(), 11);
        assert!(questions[2].starts_with("the brand name is empty"), "{}", questions[2]);
        let said = &questions[9];
        assert!(said.starts_with("`us-esat-1` is not an AWS Region (did you mean \"us-east-1\"?)\n"), "{said}");
    }

    #[test]
    fn what_is_known_is_not_asked_and_no_answer_is_no_file() {
        let (answers, questions) = play(&[("brand_name", "Acme"), ("tier", "development")], &[""]);
        assert_eq!(answers.unwrap_err().exit, Exit::Stopped);
        assert_eq!(questions.len(), 2);
        assert!(questions[1].contains("environment [prod]"), "{}", questions[1]);
    }
}

//! A new partner file: what is asked for it, by the same rules as what is in one, and what it then says.

use std::collections::BTreeMap;

use super::read::ENVIRONMENTS;
use super::settings::{self, Kind, Preset, SETTINGS, Setting, Value};
use super::values::{Refusal, Tier};

/// The settings that a new partner file is asked for, in the order of the questions.
const ASKED: [&str; 9] = [
    "project_prefix",
    "brand_name",
    "environment",
    "domain_name",
    "support_email",
    "primary_color",
    "aws_account_id",
    "aws_region",
    "tier",
];

/// One setting that a new partner file is asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Question {
    /// The setting.
    pub name: &'static str,
    /// What it means.
    pub meaning: String,
    /// What it takes.
    pub takes: String,
    /// Whether a partner file must have it.
    pub required: bool,
}

/// What to ask for a new partner file, in the order of the file.
pub fn questions() -> Vec<Question> {
    let asked = ASKED.iter().filter_map(|name| settings::find(name));
    asked
        .map(|setting| Question {
            name: setting.name,
            meaning: plain(setting.doc),
            // Quotes belong to the file, not to an answer.
            takes: setting.kind.takes().replace(" in quotes", "").replace('"', ""),
            required: matches!(setting.default, Preset::Required),
        })
        .collect()
}

/// Whether `answer` may stand for the text setting `name` in a partner file.
///
/// # Errors
/// Why not, and what to write instead: what the file's own check says.
pub fn check(name: &str, answer: &str) -> Result<(), Refusal> {
    let unknown = || Refusal::new(format!("`{name}` is no setting that takes text"));
    let setting = settings::find(name).ok_or_else(unknown)?;
    let (Kind::Text { check, .. } | Kind::Choice { check, .. }) = &setting.kind else { return Err(unknown()) };
    check(answer).map_err(|refusal| match refusal.help {
        Some(_) => refusal,
        None => refusal.help(setting.usage()),
    })
}

/// The text of a partner file with these answers, by setting; what has none is a comment. Everything else that can be set stands
/// below as a comment too, with what the tier presets.
pub fn draft(partner: &str, answers: &BTreeMap<&str, String>) -> String {
    let tier = answers.get("tier").and_then(|tier| tier.parse().ok()).unwrap_or(Tier::Production);
    let head = format!(
        "#:schema ../docs/schemas/partner.schema.json\n# The partner {partner}. Every setting, its default and what it takes: \
         docs/partner-file.md\n# No secret belongs here: rcm makes them and keeps them in AWS Secrets Manager.\n"
    );
    let asked: String =
        ASKED.iter().filter_map(|name| settings::find(name)).map(|setting| line(setting, answers)).collect();
    let presets = SETTINGS.iter().filter(|setting| !ASKED.contains(&setting.name));
    let presets: String = presets.map(|setting| preset(setting, tier)).collect();
    format!(
        "{head}{asked}\n# Several environments in one file ([{ENVIRONMENTS}.NAME]), and what can be changed later: docs/partner-file.md\n\n\
         # What the tier presets; a line without its # overrides it.\n{presets}"
    )
}

fn line(setting: &Setting, answers: &BTreeMap<&str, String>) -> String {
    let Setting { name, doc, example, .. } = setting;
    let value = match answers.get(name) {
        Some(answer) => format!("{name} = {}", toml::Value::String(answer.clone())),
        None => format!("# {name} = {example}"),
    };
    format!("\n# {}\n{value}\n", plain(doc))
}

fn preset(setting: &Setting, tier: Tier) -> String {
    let value = match setting.preset(tier) {
        // What it is with the preset number of zones.
        Some(Value::OnePerZone) => settings::find("availability_zones").and_then(|zones| zones.preset(tier)),
        other => other,
    };
    // What can have one value yet is nothing to choose.
    let choice = !matches!(setting.kind, Kind::Choice { allowed: [_], .. });
    let line = |value: Value| format!("\n# {}\n# {} = {value}\n", plain(setting.doc), setting.name);
    value.filter(|_| choice).map_or_else(String::new, line)
}

/// A setting's documentation without the marks of Markdown.
fn plain(doc: &str) -> String {
    let mut text = String::new();
    let mut rest = doc;
    while let Some((before, link)) = rest.split_once('[') {
        let (name, after) = link.split_once("](").unwrap_or((link, ")"));
        text.push_str(before);
        text.push_str(name);
        rest = after.split_once(')').map_or("", |(_, after)| after);
    }
    (text + rest).replace('`', "")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::PartnerConfig;

    fn answers(tier: &str) -> BTreeMap<&'static str, String> {
        BTreeMap::from([
            ("project_prefix", "acme-rcm".to_owned()),
            ("brand_name", "Acme \"Health\" \\ Söhne".to_owned()),
            ("environment", "prod".to_owned()),
            ("support_email", "support@acme.com".to_owned()),
            ("primary_color", "#FF5722".to_owned()),
            ("aws_account_id", "123456789012".to_owned()),
            ("aws_region", "us-east-1".to_owned()),
            ("tier", tier.to_owned()),
        ])
    }

    fn parse(text: &str) -> PartnerConfig {
        PartnerConfig::parse("partners/acme.toml", text, None).unwrap_or_else(|error| panic!("{error}\n{text}"))
    }

    #[test]
    fn a_draft_is_a_partner_file_that_says_what_was_answered() {
        let config = parse(&draft("acme", &answers("development")));
        assert_eq!((config.partner.as_str(), config.brand_name.as_str()), ("acme", "Acme \"Health\" \\ Söhne"));
        assert_eq!((config.tier, config.domain_name), (Tier::Development, None));
    }

    #[test]
    fn the_commented_presets_of_a_draft_are_the_presets() {
        for tier in Tier::ALL {
            let text = draft("acme", &answers(tier.as_str()));
            let (head, presets) = text.split_once("# What the tier presets").unwrap();
            let lines = presets.lines().skip(1).map(|line| line.trim_start_matches("# "));
            let is_setting =
                |line: &&str| line.split_once(" = ").is_some_and(|(name, _)| settings::find(name).is_some());
            let spelt: String = lines.filter(is_setting).map(|line| format!("{line}\n")).collect();
            assert!(spelt.lines().count() > 10, "{spelt}");
            assert_eq!(parse(&format!("{head}{spelt}")), parse(head), "{tier}");
        }
    }

    #[test]
    fn an_answer_is_judged_as_the_file_is() {
        assert_eq!(check("aws_region", "us-east-1"), Ok(()));
        assert_eq!(check("aws_region", "us-esat-1").unwrap_err().help.unwrap(), "did you mean \"us-east-1\"?");
        let refusal = check("support_email", "nobody").unwrap_err();
        assert_eq!(refusal.message, "`nobody` is not an e-mail address");
        assert!(refusal.help.unwrap().starts_with("support_email takes an e-mail address"));
        assert!(check("ecs_cpu", "256").is_err(), "a number is not asked for");
    }

    #[test]
    fn documentation_is_plain_in_a_comment() {
        assert_eq!(
            plain("It depends on `ecs_cpu`, see [Task sizes](#task-sizes)."),
            "It depends on ecs_cpu, see Task sizes."
        );
    }
}

//! From the text of a partner file to its settings, each checked by itself and remembered with its place.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::ops::Range;
use std::path::Path;

use toml::Spanned;
use toml::de::{DeInteger, DeTable, DeValue};

use super::error::Problem;
use super::nearest::nearest;
use super::settings::{self, Kind, SETTINGS, Setting, Value};
use super::source::{Source, names_a_secret};
use super::text;
use super::values::Refusal;

/// The key of the tables that describe several environments.
pub(super) const ENVIRONMENTS: &str = "environments";

/// A partner file as it was read: everything that can be said of each setting by itself has been said.
pub(super) struct Document<'a> {
    pub(super) source: Source<'a>,
    /// What stands outside of the environments' tables.
    pub(super) common: Layer,
    /// The environments' tables, by name.
    pub(super) environments: BTreeMap<String, Layer>,
    pub(super) problems: Vec<Problem>,
}

/// The settings of one table.
#[derive(Default)]
pub(super) struct Layer {
    given: BTreeMap<&'static str, Given>,
    /// The table's name in the file; `None` for the top level.
    pub(super) header: Option<Range<usize>>,
}

/// A setting that the file gives.
pub(super) struct Given {
    /// Where its value stands.
    pub(super) span: Range<usize>,
    /// `None` where the value is no good, which has been reported.
    pub(super) value: Option<Value>,
}

impl Layer {
    pub(super) fn get(&self, name: &str) -> Option<&Given> {
        self.given.get(name)
    }
}

/// Reads a partner file as far as it can be read.
pub(super) fn read<'a>(file: &Path, text: &'a str) -> Document<'a> {
    let (table, errors) = DeTable::parse_recoverable(text);
    let mut document = Document {
        source: Source::new(file, text, !errors.is_empty()),
        common: Layer::default(),
        environments: BTreeMap::new(),
        problems: Vec::new(),
    };
    hide_secrets(&mut document.source, table.get_ref());
    if errors.is_empty() {
        document.read_top(table.get_ref());
    }
    // What a parser can save from a broken file is not what its author meant: no other problem is looked for.
    for error in errors {
        let refusal = Refusal::new(format!("not valid TOML: {}", error.message()));
        let problem = document.source.problem(error.span(), None, refusal);
        document.problems.push(problem);
    }
    document
}

/// Makes sure that no value whose key speaks of a secret can end up on a screen, wherever it stands.
fn hide_secrets(source: &mut Source<'_>, table: &DeTable<'_>) {
    for (key, value) in table {
        match value.get_ref() {
            _ if names_a_secret(key.get_ref()) => source.hide(value.span()),
            inner => hide_within(source, inner),
        }
    }
}

fn hide_within(source: &mut Source<'_>, value: &DeValue<'_>) {
    match value {
        DeValue::Table(table) => hide_secrets(source, table),
        DeValue::Array(items) => items.iter().for_each(|item| hide_within(source, item.get_ref())),
        _ => {}
    }
}

type Entry<'t, 'i> = (&'t Spanned<Cow<'i, str>>, &'t Spanned<DeValue<'i>>);

impl Document<'_> {
    fn read_top(&mut self, table: &DeTable<'_>) {
        let (environments, settings): (Vec<Entry<'_, '_>>, _) =
            table.iter().partition(|(key, _)| key.get_ref() == ENVIRONMENTS);
        self.common = self.read_layer(settings, None);
        for (_, value) in environments {
            match value.get_ref() {
                DeValue::Table(tables) => self.read_environments(tables),
                other => {
                    self.refuse_type(ENVIRONMENTS, value.span(), "a table", other.type_str(), ONLY_TABLES.to_owned())
                }
            }
        }
    }

    fn read_environments(&mut self, tables: &DeTable<'_>) {
        for (name, value) in tables {
            if let Err(refusal) = text::environment(name.get_ref()) {
                self.report(name.span(), name.get_ref(), refusal, None);
            }
            match value.get_ref() {
                DeValue::Table(table) => {
                    let layer = self.read_layer(table.iter().collect(), Some(name.span()));
                    self.environments.insert(name.get_ref().to_string(), layer);
                }
                other => {
                    self.refuse_type(name.get_ref(), value.span(), "a table", other.type_str(), ONLY_TABLES.to_owned())
                }
            }
        }
    }

    fn read_layer(&mut self, entries: Vec<Entry<'_, '_>>, header: Option<Range<usize>>) -> Layer {
        let mut layer = Layer { header, ..Layer::default() };
        for (key, value) in entries {
            match settings::find(key.get_ref()) {
                Some(setting) if setting.name == "environment" && layer.header.is_some() => {
                    let refusal = Refusal::new("an environment's table has its name already")
                        .help("leave `environment` out here: the name is the one in [environments.NAME]");
                    self.report(key.span(), setting.name, refusal, None);
                }
                Some(setting) => {
                    let given = Given { span: value.span(), value: self.read_value(setting, value) };
                    layer.given.insert(setting.name, given);
                }
                None => self.refuse_key(key, value),
            }
        }
        layer
    }

    pub(super) fn read_value(&mut self, setting: &Setting, value: &Spanned<DeValue<'_>>) -> Option<Value> {
        let checked = match (&setting.kind, value.get_ref()) {
            (Kind::Schedules, DeValue::Array(items)) => return self.read_schedules(items),
            (Kind::Text { check, .. } | Kind::Choice { check, .. }, DeValue::String(text)) => {
                check(text).map(|()| Value::Text(Cow::Owned(text.to_string())))
            }
            (Kind::Flag, DeValue::Boolean(flag)) => Ok(Value::Flag(*flag)),
            (Kind::Number { .. } | Kind::NumberOf(_), DeValue::Integer(number)) => {
                setting.check_number(as_i64(number)).map(Value::Number)
            }
            (_, other) => {
                let wanted = setting.kind.toml_type();
                self.refuse_type(
                    setting.name,
                    value.span(),
                    with_article(wanted),
                    other.type_str(),
                    mend_type(setting, other),
                );
                return None;
            }
        };
        match checked {
            Ok(value) => Some(value),
            Err(refusal) => {
                self.report(value.span(), setting.name, refusal, Some(setting));
                None
            }
        }
    }

    pub(super) fn refuse_type(
        &mut self,
        key: &str,
        span: Range<usize>,
        wanted: &str,
        found: &'static str,
        help: String,
    ) {
        let message = format!("`{key}` takes {wanted}, not {}", with_article(found));
        self.report(span, key, Refusal::new(message).help(help), None);
    }

    fn refuse_key(&mut self, key: &Spanned<Cow<'_, str>>, value: &Spanned<DeValue<'_>>) {
        let name = key.get_ref().as_ref();
        let refusal = match name {
            "db_password" | "jwt_secret" => {
                Refusal::new(format!("`{name}` must not be in a partner file: rcm generates it and keeps it in Secrets Manager"))
                    .help("delete the line; nothing secret belongs in a file, and a value that has been in one is no longer a secret")
            }
            _ if names_a_secret(name) => {
                Refusal::new(format!("`{name}` must not be in a partner file: nothing secret belongs in one"))
                    .help("delete the line; for AWS credentials name a profile with aws_profile or a role with aws_role_arn")
            }
            _ => Refusal::new(format!("unknown setting `{name}`")).help(unknown_key_help(name, value.get_ref())),
        };
        self.report(key.span(), name, refusal, None);
    }

    /// Adds a problem; without a help of its own it says what the setting takes.
    pub(super) fn report(&mut self, span: Range<usize>, key: &str, refusal: Refusal, setting: Option<&Setting>) {
        let help = refusal.help.or_else(|| setting.map(Setting::usage));
        let problem = self.source.problem(Some(span), Some(key), Refusal { help, ..refusal });
        self.problems.push(problem);
    }
}

const ONLY_TABLES: &str = "an environment is a table, [environments.NAME], with the settings in which it differs";

fn unknown_key_help(name: &str, value: &DeValue<'_>) -> String {
    if value.is_table() {
        return format!("settings are flat, one to a line; {ONLY_TABLES}");
    }
    match nearest(name, SETTINGS.iter().map(|setting| setting.name)) {
        Some(near) => format!("did you mean `{near}`?"),
        None => "every setting is listed in docs/partner-file.md".to_owned(),
    }
}

/// What to write instead of a value of the wrong type, where the value itself would do.
fn mend_type(setting: &Setting, found: &DeValue<'_>) -> String {
    let rewritten = match (&setting.kind, found) {
        (Kind::Text { check, .. } | Kind::Choice { check, .. }, DeValue::Integer(number)) => {
            let text = number.to_string();
            check(&text).ok().map(|()| format!("{text:?}"))
        }
        (Kind::Flag, DeValue::String(text)) => text.parse::<bool>().ok().map(|flag| flag.to_string()),
        (_, DeValue::String(text)) => text
            .parse::<i64>()
            .ok()
            .and_then(|number| setting.check_number(number).ok())
            .map(|number| number.to_string()),
        _ => None,
    };
    match rewritten {
        Some(value) => format!("write {} = {value}", setting.name),
        None => setting.usage(),
    }
}

/// An integer of the file; one too large for 64 bits is as good as the largest.
fn as_i64(number: &DeInteger<'_>) -> i64 {
    i64::from_str_radix(number.as_str(), number.radix()).unwrap_or(i64::MAX)
}

pub(super) fn with_article(type_name: &str) -> &'static str {
    match type_name {
        "string" => "a string",
        "integer" => "an integer",
        "float" => "a float",
        "boolean" => "true or false",
        "datetime" => "a date",
        "array" => "an array",
        _ => "a table",
    }
}

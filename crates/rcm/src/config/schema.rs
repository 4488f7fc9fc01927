//! What is made from the table of settings for people and their editors.

use serde_json::{Map, Value as Json, json};

use super::schedule::FIELDS;
use super::settings::{Kind, Preset, SETTINGS, Setting, Value};
use super::values::Tier;

/// The JSON Schema of a partner file, for editors. It knows what a single value may be; what must fit together only rcm knows.
///
/// Draft 7, which the TOML language servers understand.
pub fn json_schema() -> Json {
    let of_an_environment = properties(|setting| setting.name != "environment");
    let mut at_the_top = properties(|_| true);
    at_the_top.insert(
        "environments".to_owned(),
        json!({
            "description": "The environments that the file describes, each with the settings in which it differs.",
            "type": "object",
            "propertyNames": { "pattern": "^[a-z][a-z0-9]*(-[a-z0-9]+)*$" },
            "additionalProperties": { "type": "object", "additionalProperties": false, "properties": of_an_environment },
        }),
    );
    let required =
        SETTINGS.iter().filter(|setting| matches!(setting.default, Preset::Required)).map(|setting| setting.name);
    json!({
        "$schema": "http://json-schema.org/draft-07/schema#",
        "title": "rcm partner file",
        "description": "One partner's environments. Reference: docs/partner-file.md",
        "type": "object",
        "additionalProperties": false,
        "anyOf": [{ "required": required.collect::<Vec<_>>() }, { "required": ["environments"] }],
        "properties": at_the_top,
        "definitions": SETTINGS.iter().map(|setting| (setting.name.to_owned(), definition(setting))).collect::<Map<_, _>>(),
    })
}

fn properties(which: impl Fn(&Setting) -> bool) -> Map<String, Json> {
    let chosen = SETTINGS.iter().filter(|setting| which(setting));
    chosen
        .map(|setting| (setting.name.to_owned(), json!({ "$ref": format!("#/definitions/{}", setting.name) })))
        .collect()
}

fn definition(setting: &Setting) -> Json {
    let mut definition = match &setting.kind {
        Kind::Text { pattern: "", .. } => json!({ "minLength": 1 }),
        Kind::Text { pattern, .. } => json!({ "pattern": pattern }),
        Kind::Choice { allowed, .. } => json!({ "enum": allowed }),
        Kind::Number { min, max } => json!({ "minimum": min, "maximum": max }),
        Kind::NumberOf(numbers) => json!({ "enum": numbers }),
        Kind::Flag => json!({}),
        Kind::Schedules => json!({ "items": schedule() }),
    };
    definition["type"] = json!(setting.kind.toml_type());
    definition["description"] = json!(format!("{} Default: {}.", setting.doc, default(setting)));
    definition
}

fn schedule() -> Json {
    let required = FIELDS.iter().filter(|field| matches!(field.default, Preset::Required)).map(|field| field.name);
    json!({
        "type": "object",
        "additionalProperties": false,
        "required": required.collect::<Vec<_>>(),
        "properties": FIELDS.iter().map(|field| (field.name.to_owned(), definition(field))).collect::<Map<_, _>>(),
    })
}

/// The reference of all settings as a Markdown table.
pub fn reference() -> String {
    let head = "| Setting | Takes | Default | Meaning |\n|---|---|---|---|\n".to_owned();
    SETTINGS.iter().fold(head, |table, setting| {
        let (name, takes) = (setting.name, setting.kind.takes());
        format!(
            "{table}| `{name}` | {takes} | {} | {} Example: `{}` |\n",
            default(setting),
            setting.doc,
            setting.example
        )
    })
}

/// What the setting is where the file does not say, by tier where that differs.
fn default(setting: &Setting) -> String {
    match &setting.default {
        Preset::Required => "required".to_owned(),
        Preset::Nothing => "none".to_owned(),
        Preset::Always(value) => code(value),
        Preset::PerTier(values) => {
            let by_tier = Tier::ALL.iter().zip(values).map(|(tier, value)| format!("{tier}: {}", code(value)));
            by_tier.collect::<Vec<_>>().join(", ")
        }
    }
}

fn code(value: &Value) -> String {
    match value {
        Value::OnePerZone => value.to_string(),
        _ => format!("`{value}`"),
    }
}

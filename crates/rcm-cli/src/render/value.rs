//! JSON values in a line.

use rcm::engine::model::{Reference, references};
use serde_json::Value;

/// How many characters of a value are shown.
const WIDTH: usize = 72;

/// How much is shown of what two long values begin with alike: enough to know a digest by.
const LEAD: usize = "sha256:".len();

/// What was and what will be, in a line. Where both begin alike for longer than is shown, they are shown from where they differ.
pub(crate) fn pair(before: &Value, after: &Value) -> String {
    let (old, new) = (text(before), text(after));
    let alike = old.chars().zip(new.chars()).take_while(|(old, new)| old == new).count();
    if alike < WIDTH - 1 || !references(after).is_empty() {
        return format!("{} → {}", short(before), short(after));
    }
    let from = |text: &str| format!("…{}", cut(&text.chars().skip(alike - LEAD).collect::<String>(), WIDTH));
    format!("{} → {}", from(&old), from(&new))
}

/// The value in at most a line's width. What refers to something that does not exist yet is only known afterwards.
pub(crate) fn short(value: &Value) -> String {
    if let Some(reference) = Reference::from_value(value) {
        return format!("known after apply ({})", reference.address);
    }
    let known_later = if references(value).is_empty() { "" } else { " (in part known after apply)" };
    format!("{}{known_later}", cut(&text(value), WIDTH))
}

fn text(value: &Value) -> String {
    match value {
        Value::Null => "nothing".to_owned(),
        other => other.to_string(),
    }
}

/// The text, or its beginning and how long it really is.
pub(crate) fn cut(text: &str, width: usize) -> String {
    let length = text.chars().count();
    if length <= width {
        return text.to_owned();
    }
    let shown: String = text.chars().take(width.saturating_sub(1)).collect();
    format!("{shown}… ({length} characters)")
}

/// One difference inside a value: where, what was there, what is wanted.
pub(crate) type Leaf<'v> = (String, Option<&'v Value>, Option<&'v Value>);

/// The differences between two values, each at its deepest place. Lists are sets: items are only added and removed.
pub(crate) fn leaves<'v>(field: &str, before: &'v Value, after: &'v Value) -> Vec<Leaf<'v>> {
    match (before, after) {
        _ if before == after => Vec::new(),
        (Value::Object(old), Value::Object(new)) if Reference::from_value(after).is_none() => {
            let keys: std::collections::BTreeSet<&String> = old.keys().chain(new.keys()).collect();
            let inner = keys.into_iter().flat_map(|key| {
                let path = format!("{field}.{key}");
                match (old.get(key), new.get(key)) {
                    (Some(old), Some(new)) => leaves(&path, old, new),
                    (old, new) => vec![(path, old, new)],
                }
            });
            inner.collect()
        }
        (Value::Array(old), Value::Array(new)) => {
            let gone = old.iter().filter(|item| !new.contains(item)).map(|item| (field.to_owned(), Some(item), None));
            let come = new.iter().filter(|item| !old.contains(item)).map(|item| (field.to_owned(), None, Some(item)));
            gone.chain(come).collect()
        }
        _ => vec![(field.to_owned(), Some(before), Some(after))],
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn references_are_known_after_apply() {
        assert_eq!(short(&json!({"$ref": "network/vpc"})), "known after apply (network/vpc)");
        assert_eq!(short(&json!([{"$ref": "network/vpc"}])), r#"[{"$ref":"network/vpc"}] (in part known after apply)"#);
        assert_eq!(short(&json!(null)), "nothing");
    }

    #[test]
    fn long_values_are_cut() {
        let shown = short(&json!("x".repeat(500)));
        assert!(shown.ends_with("… (502 characters)") && shown.chars().count() < 100);
    }

    #[test]
    fn what_begins_alike_is_shown_from_where_it_differs() {
        let image = |digit: &str| {
            json!(format!("123456789012.dkr.ecr.us-east-1.amazonaws.com/acme-rcm-prod-api@sha256:{}", digit.repeat(64)))
        };
        let digest = |digit: &str| format!("…sha256:{}\"", digit.repeat(64));
        assert_eq!(pair(&image("a"), &image("b")), format!("{} → {}", digest("a"), digest("b")));
        assert_eq!(pair(&json!("a"), &json!("ab")), r#""a" → "ab""#);
        let later = pair(&image("a"), &json!({"$ref": "network/vpc"}));
        assert!(later.ends_with("→ known after apply (network/vpc)"), "{later}");
    }

    #[test]
    fn a_difference_is_named_at_its_deepest_place() {
        let before = json!({"a": {"b": 1, "c": 2}, "list": [1, 2]});
        let after = json!({"a": {"b": 1, "c": 3}, "list": [2, 3]});
        let found: Vec<String> = leaves("spec", &before, &after).into_iter().map(|(path, ..)| path).collect();
        assert_eq!(found, ["spec.a.c", "spec.list", "spec.list"]);
    }
}

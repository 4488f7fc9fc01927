//! The filters of `ListSecrets`: <https://docs.aws.amazon.com/secretsmanager/latest/apireference/API_Filter.html>.

use serde_json::Value;

use super::Secret;
use crate::json::Input;
use crate::wire::Fault;

/// One filter: any of its values is enough, and a value that starts with `!` must not be met.
pub(super) struct Filter {
    key: String,
    values: Vec<String>,
}

/// The filters of a request.
pub(super) fn of(input: &Input) -> Result<Vec<Filter>, Fault> {
    input.objects("Filters").iter().map(Filter::of).collect()
}

impl Filter {
    fn of(given: &Value) -> Result<Filter, Fault> {
        let key = given.get("Key").and_then(Value::as_str).unwrap_or_default();
        if !["description", "name", "tag-key", "tag-value", "primary-region", "owning-service", "all"].contains(&key) {
            return Err(Fault::new("InvalidParameterException", format!("{key} is not a filter of ListSecrets.")));
        }
        let values = given.get("Values").and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
        let values = values.iter().filter_map(|value| value.as_str().map(str::to_owned)).collect();
        Ok(Filter { key: key.to_owned(), values })
    }

    pub(super) fn accepts(&self, secret: &Secret) -> bool {
        self.values.iter().any(|value| match value.strip_prefix('!') {
            Some(unwanted) => !self.meets(secret, unwanted),
            None => self.meets(secret, value),
        })
    }

    fn meets(&self, secret: &Secret, prefix: &str) -> bool {
        let description = secret.description.as_deref().unwrap_or_default();
        let tag_key = || secret.tags.keys().any(|key| key.starts_with(prefix));
        let tag_value = || secret.tags.values().any(|value| value.starts_with(prefix));
        match self.key.as_str() {
            "name" => secret.name.starts_with(prefix),
            "description" => has_word(description, prefix),
            "tag-key" => tag_key(),
            "tag-value" => tag_value(),
            "all" => secret.name.starts_with(prefix) || has_word(description, prefix) || tag_key() || tag_value(),
            // Replicas and secrets of other services are not emulated.
            _ => false,
        }
    }
}

fn has_word(text: &str, prefix: &str) -> bool {
    let prefix = prefix.to_lowercase();
    text.to_lowercase().split_whitespace().any(|word| word.starts_with(&prefix))
}

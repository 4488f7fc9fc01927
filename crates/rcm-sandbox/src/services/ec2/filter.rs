//! Filters of a Describe: all of them must hold, each by one of its values; `*` and `?` are wildcards.

use super::invalid;
use crate::service::Tags;
use crate::wire::{Fault, Params};

/// The filters of a request.
pub(super) struct Filters(Vec<Filter>);

#[derive(Clone)]
struct Filter {
    name: String,
    values: Vec<String>,
}

impl Filters {
    pub(super) fn of(params: &Params) -> Self {
        let filter = |given: Params| Filter {
            name: given.get("Name").unwrap_or_default().to_owned(),
            values: given.list("Value").into_iter().map(str::to_owned).collect(),
        };
        Self(params.structs("Filter").into_iter().map(filter).collect())
    }

    /// All but those that ask for a state: a poll may change it.
    pub(super) fn without_state(&self) -> Self {
        Self(self.0.iter().filter(|filter| !filter.name.ends_with("state")).cloned().collect())
    }

    /// Whether something with these tags, and these values for other filters, passes. A filter without values is an error,
    /// as is one that `values` does not know.
    pub(super) fn admit(&self, tags: &Tags, values: impl Fn(&str) -> Option<Vec<String>>) -> Result<bool, Fault> {
        for filter in &self.0 {
            let found = tagged(tags, &filter.name)
                .or_else(|| values(&filter.name))
                .ok_or_else(|| invalid(format!("The filter '{}' is invalid", filter.name)))?;
            if !filter.values.iter().any(|pattern| found.iter().any(|value| matches(pattern, value))) {
                return Ok(false);
            }
        }
        Ok(true)
    }
}

fn tagged(tags: &Tags, name: &str) -> Option<Vec<String>> {
    match name.strip_prefix("tag:") {
        Some(key) => Some(tags.get(key).into_iter().cloned().collect()),
        None if name == "tag-key" => Some(tags.keys().cloned().collect()),
        None => None,
    }
}

fn matches(pattern: &str, value: &str) -> bool {
    match pattern.split_at_checked(1) {
        Some(("*", rest)) => {
            (0..=value.len()).filter(|at| value.is_char_boundary(*at)).any(|at| matches(rest, &value[at..]))
        }
        _ => {
            let (mut pattern, mut value) = (pattern.chars(), value.chars());
            match (pattern.next(), value.next()) {
                (None, None) => true,
                (Some(wanted), Some(found)) if wanted == found || wanted == '?' => {
                    matches(pattern.as_str(), value.as_str())
                }
                _ => false,
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::matches;

    #[test]
    fn wildcards_stand_for_any_text_and_for_one_character() {
        assert!(matches("acme-*", "acme-prod") && matches("*", "") && matches("*prod", "acme-prod"));
        assert!(matches("a?me", "acme") && !matches("a?me", "ame") && !matches("acme", "acme-prod"));
        assert!(matches("é*", "été") && !matches("é", "e"));
    }
}

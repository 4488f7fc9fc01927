//! `reference.toml`, which is compiled in: what IAM can confine an action to.

use std::{collections::BTreeMap, sync::LazyLock};

use serde::Deserialize;

/// The file.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Reference {
    named: BTreeMap<String, Vec<String>>,
    tagged: BTreeMap<String, String>,
    shared: BTreeMap<String, String>,
    reads: BTreeMap<String, Vec<String>>,
    writes: BTreeMap<String, Vec<String>>,
}

/// What an action is about, and what tells that it is this environment's.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum About<'r> {
    /// A type whose ARN tells it; patterns of it, without `arn:` and partition.
    Named(&'r [String]),
    /// A type that is the account's or AWS's.
    Shared(&'r str),
    /// A type whose tags tell it.
    Tagged(&'r str, Tags),
    /// What the call makes and tags, where IAM knows no type for it.
    Request,
}

/// The tags that something has to have.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Tags {
    /// This environment's.
    Own,
    /// This environment's, or nobody's.
    OwnOrNone,
    /// The request gives it this environment's.
    New,
}

/// An action of the file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Action<'r> {
    /// Whether it changes anything.
    pub(super) changes: bool,
    /// What it is about; nothing where it cannot be confined.
    pub(super) about: Vec<About<'r>>,
}

impl Reference {
    /// What is known of an action (`ec2:CreateVpc`).
    pub(super) fn action(&self, name: &str) -> Option<Action<'_>> {
        let read = self.reads.get(name).map(|about| (false, about));
        let (changes, about) = read.or_else(|| self.writes.get(name).map(|about| (true, about)))?;
        let about = about.iter().map(|text| self.about(text)).collect::<Option<_>>()?;
        Some(Action { changes, about })
    }

    /// The types that an action is about with their marks, as the file has them, in the order of [`Action::about`].
    pub(super) fn marked(&self, name: &str) -> Option<&[String]> {
        self.reads.get(name).or_else(|| self.writes.get(name)).map(Vec::as_slice)
    }

    fn about<'r>(&'r self, text: &'r str) -> Option<About<'r>> {
        let (tags, kind) = match text.split_at_checked(1) {
            Some(("+", "*")) => return Some(About::Request),
            Some(("+", kind)) => (Tags::New, kind),
            Some(("?", kind)) => (Tags::OwnOrNone, kind),
            _ => (Tags::Own, text),
        };
        let named = self.named.get(kind).map(|arns| About::Named(arns));
        let shared = || self.shared.get(kind).map(|arn| About::Shared(arn));
        let tagged = || self.tagged.get(kind).map(|arn| About::Tagged(arn, tags));
        named.or_else(shared).or_else(tagged)
    }

    /// Every action of the file.
    #[cfg(test)]
    pub(super) fn names(&self) -> impl Iterator<Item = &str> {
        self.reads.keys().chain(self.writes.keys()).map(String::as_str)
    }
}

/// The file's content.
pub(super) static REFERENCE: LazyLock<Reference> = LazyLock::new(|| {
    toml::from_str(include_str!("reference.toml")).unwrap_or_else(|error| {
        // A test reads it: what is compiled in is what was tested.
        tracing::error!("reference.toml: {error}");
        Reference::default()
    })
});

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_action_is_about_something_that_is_known() {
        let reference = &*REFERENCE;
        assert!(reference.names().count() > 300);
        for name in reference.names() {
            assert!(reference.action(name).is_some(), "{name} is about a type that has no ARN");
            let in_both = reference.reads.contains_key(name) && reference.writes.contains_key(name);
            assert!(!in_both, "{name} reads, or it changes");
        }
    }
}

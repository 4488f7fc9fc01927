//! The parameters of a form body: `Filter.1.Name=vpc-id&Filter.1.Value.1=vpc-0a1b`.

use std::collections::{BTreeMap, BTreeSet};

use super::Fault;

/// The parameters of an awsQuery request, or of a structure within one.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Params(BTreeMap<String, String>);

impl Params {
    /// Reads `name=value&…`. What is not UTF-8 or has no `=` is left out.
    pub(crate) fn parse(body: &[u8]) -> Self {
        let text = std::str::from_utf8(body).unwrap_or_default();
        let pairs = text.split('&').filter_map(|pair| pair.split_once('='));
        Self(pairs.map(|(name, value)| (decoded(name), decoded(value))).collect())
    }

    /// The operation, `Action`.
    pub(crate) fn action(&self) -> &str {
        self.get("Action").unwrap_or_default()
    }

    /// A parameter, also an empty one.
    pub(crate) fn get(&self, name: &str) -> Option<&str> {
        self.0.get(name).map(String::as_str)
    }

    /// A parameter that AWS insists on: `MissingParameter` without it.
    pub(crate) fn require(&self, name: &str) -> Result<&str, Fault> {
        self.get(name)
            .filter(|value| !value.is_empty())
            .ok_or_else(|| Fault::new("MissingParameter", format!("The request must contain the parameter {name}")))
    }

    /// A parameter as a number, a bool, …: `InvalidParameterValue` when it is none.
    pub(crate) fn parsed<T: std::str::FromStr>(&self, name: &str) -> Result<Option<T>, Fault> {
        let parse = |value: &str| {
            value.parse().map_err(|_| {
                Fault::new("InvalidParameterValue", format!("Invalid value '{value}' for the parameter {name}"))
            })
        };
        self.get(name).map(parse).transpose()
    }

    /// The values of a list of scalars, in order: `list("SubnetId")` of `SubnetId.1`, `SubnetId.2`. awsQuery services nest
    /// their lists: `list("Subnets.member")`, `list("SubnetIds.SubnetIdentifier")`.
    pub(crate) fn list(&self, prefix: &str) -> Vec<&str> {
        self.indexes(prefix).iter().filter_map(|index| self.get(&format!("{prefix}.{index}"))).collect()
    }

    /// The structures of a list, in order: `structs("Filter")` of `Filter.1.Name`, `Filter.2.Name`; the parameters of each
    /// are named from there (`Name`, `Value.1`).
    pub(crate) fn structs(&self, prefix: &str) -> Vec<Params> {
        self.indexes(prefix).iter().map(|index| self.within(&format!("{prefix}.{index}"))).collect()
    }

    /// The parameters below `prefix.`, named from there.
    pub(crate) fn within(&self, prefix: &str) -> Params {
        let below = |(name, value): (&String, &String)| {
            let rest = name.strip_prefix(prefix)?.strip_prefix('.')?;
            Some((rest.to_owned(), value.clone()))
        };
        Params(self.0.iter().filter_map(below).collect())
    }

    /// The names of all parameters, as they came.
    pub(crate) fn names(&self) -> impl Iterator<Item = &str> {
        self.0.keys().map(String::as_str)
    }

    fn indexes(&self, prefix: &str) -> BTreeSet<u32> {
        let index = |name: &String| name.strip_prefix(prefix)?.strip_prefix('.')?.split('.').next()?.parse().ok();
        self.0.keys().filter_map(index).collect()
    }
}

fn decoded(text: &str) -> String {
    let spaced = text.replace('+', " ");
    urlencoding::decode(&spaced).map(|text| text.into_owned()).unwrap_or(spaced)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lists_keep_their_order_beyond_nine() {
        let body: Vec<String> = (1..=11).rev().map(|n| format!("SubnetId.{n}=subnet-{n}")).collect();
        let params = Params::parse(body.join("&").as_bytes());
        assert_eq!(params.list("SubnetId").last(), Some(&"subnet-11"));
        assert_eq!(params.list("SubnetId")[1], "subnet-2");
    }

    #[test]
    fn structures_are_named_from_where_they_are() {
        let params = Params::parse(b"Filter.1.Name=tag%3Arcm%3Apartner&Filter.1.Value.1=acme+rcm&FilterX.2.Name=no");
        let filters = params.structs("Filter");
        assert_eq!(filters.len(), 1);
        assert_eq!((filters[0].get("Name"), filters[0].list("Value")), (Some("tag:rcm:partner"), vec!["acme rcm"]));
    }
}

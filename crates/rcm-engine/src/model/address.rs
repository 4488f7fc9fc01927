//! The two names of a resource: the one we give it and the one the cloud gives it.

use std::{fmt, str::FromStr};

use serde::{Deserialize, Serialize};

/// The name of a node for life: lower-case words joined by `-`, in one or more parts joined by `/`
/// (`network/subnet/private-a`). State, plan, journal and ownership tags all speak of a resource by its address.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Address(String);

/// Why a string is no [`Address`].
#[derive(Debug, thiserror::Error)]
#[error("`{0}` is not an address: lower-case letters, digits and `-`, in parts joined by `/`, as in `network/vpc`")]
pub struct AddressError(String);

impl Address {
    /// Checks and wraps.
    pub fn new(text: impl Into<String>) -> Result<Self, AddressError> {
        let text = text.into();
        let part = |part: &str| {
            !part.is_empty()
                && part.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-')
        };
        if text.split('/').all(part) { Ok(Self(text)) } else { Err(AddressError(text)) }
    }

    /// The address as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The first part: the layer of the blueprint that the node belongs to.
    pub fn layer(&self) -> &str {
        self.0.split('/').next().unwrap_or_default()
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

impl FromStr for Address {
    type Err = AddressError;
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Self::new(text)
    }
}

impl TryFrom<String> for Address {
    type Error = AddressError;
    fn try_from(text: String) -> Result<Self, Self::Error> {
        Self::new(text)
    }
}

impl From<Address> for String {
    fn from(address: Address) -> Self {
        address.0
    }
}

/// What the cloud calls a resource once it exists: an id, an ARN or a name, whichever its API wants to be asked with.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Id(String);

impl Id {
    /// Wraps an id that the cloud gave.
    pub fn new(id: impl Into<String>) -> Self {
        Self(id.into())
    }

    /// The id as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Id {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

impl From<&str> for Id {
    fn from(id: &str) -> Self {
        Self(id.to_owned())
    }
}

impl From<String> for Id {
    fn from(id: String) -> Self {
        Self(id)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_words_and_slashes() {
        for good in ["network/vpc", "a", "network/subnet/private-a", "x1/y-2"] {
            assert_eq!(Address::new(good).unwrap().as_str(), good);
        }
        for bad in ["", "/", "network/", "Network/vpc", "a b", "a//b", "ä"] {
            assert!(Address::new(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn a_broken_address_is_refused_when_read_from_a_file() {
        assert!(serde_json::from_str::<Address>("\"../etc\"").is_err());
    }
}

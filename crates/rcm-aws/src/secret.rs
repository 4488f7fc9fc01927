//! Secret text that does not get out by accident.

use std::fmt;

use rcm_engine::model::Fault;

/// A secret. Cannot be serialised, printed or compared; [`expose`](Secret::expose) is the one way to it, and is easy to search for.
pub struct Secret(String);

impl Secret {
    /// Wraps a secret that was read from where it is kept.
    pub fn new(text: impl Into<String>) -> Self {
        Self(text.into())
    }

    /// `length` characters from the operating system's random source, letters and digits alone, so that it needs no escaping
    /// in a URL, a shell or a connection string.
    pub fn generate(length: usize) -> Result<Self, Fault> {
        const ALPHABET: &[u8; 62] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789";
        /// The largest multiple of 62 that a byte can hold: bytes above it would favour the first letters.
        const FAIR: u8 = 248;
        let mut text = String::with_capacity(length);
        let mut bytes = [0u8; 64];
        while text.len() < length {
            getrandom::fill(&mut bytes)
                .map_err(|error| Fault::invalid("random", format!("no random numbers from the system: {error}")))?;
            let fair = bytes.iter().filter(|byte| **byte < FAIR);
            text.extend(fair.take(length - text.len()).map(|byte| char::from(ALPHABET[usize::from(byte % 62)])));
        }
        Ok(Self(text))
    }

    /// The secret itself, for the one call that needs it.
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(…)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn generated_secrets_are_long_plain_and_different() {
        let (a, b) = (Secret::generate(48).unwrap(), Secret::generate(48).unwrap());
        assert_eq!(a.expose().len(), 48);
        assert!(a.expose().bytes().all(|byte| byte.is_ascii_alphanumeric()));
        assert!(a.expose() != b.expose());
    }

    #[test]
    fn a_secret_does_not_print() {
        assert_eq!(format!("{:?}", Secret::new("hunter2")), "Secret(…)");
    }
}

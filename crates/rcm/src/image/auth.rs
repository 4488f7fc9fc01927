//! Who we are for a registry: the basic authentication of ECR, and the tokens of Docker Hub and most others.
//!
//! A registry answers `401` and says in `WWW-Authenticate` what it wants. `Basic` is user and password with every request;
//! `Bearer` names a server that gives a token for them
//! ([token authentication](https://distribution.github.io/distribution/spec/auth/token/)).

use base64::{Engine, engine::general_purpose::STANDARD};
use http::Uri;
use rcm_aws::Secret;

use super::reference::is_loopback;

/// A user of a registry. For ECR the user is `AWS`, and the password is a token of twelve hours.
#[derive(Debug)]
pub struct Login {
    /// The user.
    pub user: String,
    /// The password or token.
    pub password: Secret,
}

impl Login {
    /// The header that says so.
    pub(super) fn header(&self) -> Secret {
        Secret::new(format!("Basic {}", STANDARD.encode(format!("{}:{}", self.user, self.password.expose()))))
    }
}

/// What a registry wants to know.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Challenge {
    Basic,
    Bearer { realm: String, service: Option<String> },
}

impl Challenge {
    /// Reads a `WWW-Authenticate`; `None` if it asks for something else.
    pub(super) fn parse(header: &str) -> Option<Self> {
        let (scheme, rest) = header.split_once(' ').unwrap_or((header, ""));
        if scheme.eq_ignore_ascii_case("basic") {
            return Some(Self::Basic);
        }
        if !scheme.eq_ignore_ascii_case("bearer") {
            return None;
        }
        Some(Self::Bearer { realm: parameter(rest, "realm")?, service: parameter(rest, "service") })
    }
}

/// `name="value"` in a list of such. A comma may be within the quotes.
fn parameter(list: &str, name: &str) -> Option<String> {
    let mut rest = list;
    loop {
        let (key, after) = rest.split_once("=\"")?;
        let (value, after) = after.split_once('"')?;
        if key.trim_matches([' ', ',']).eq_ignore_ascii_case(name) {
            return Some(value.to_owned());
        }
        rest = after;
    }
}

/// Where a token for `rights` to `repository` is given. `None` where the registry names a place that a password cannot be sent to.
pub(super) fn token_url(realm: &str, service: Option<&str>, repository: &str, rights: &str) -> Option<String> {
    let uri: Uri = realm.parse().ok()?;
    let safe = uri.scheme_str() == Some("https") || uri.authority().is_some_and(|host| is_loopback(host.as_str()));
    let join = if realm.contains('?') { '&' } else { '?' };
    let service = service.map(|service| format!("service={}&", urlencoding::encode(service))).unwrap_or_default();
    let scope = format!("repository:{repository}:{rights}");
    safe.then(|| format!("{realm}{join}{service}scope={}", urlencoding::encode(&scope)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_registry_wants_is_read_from_its_answer() {
        let hub = r#"Bearer realm="https://auth.docker.io/token",service="registry.docker.io",scope="repository:a:pull,push""#;
        let bearer = Challenge::Bearer {
            realm: "https://auth.docker.io/token".into(),
            service: Some("registry.docker.io".into()),
        };
        assert_eq!(Challenge::parse(hub), Some(bearer));
        let reordered = r#"bearer scope="repository:a:pull,push", realm="https://a/t""#;
        assert_eq!(Challenge::parse(reordered), Some(Challenge::Bearer { realm: "https://a/t".into(), service: None }));
        assert_eq!(Challenge::parse(r#"Basic realm="ecr""#), Some(Challenge::Basic));
        assert_eq!(Challenge::parse("Negotiate"), None);
        assert_eq!(Challenge::parse("Bearer"), None);
    }

    #[test]
    fn a_password_goes_nowhere_in_the_clear() {
        let url = |realm| token_url(realm, Some("a b"), "acme/api", "pull,push");
        let asked = "https://auth/token?service=a%20b&scope=repository%3Aacme%2Fapi%3Apull%2Cpush";
        assert_eq!(url("https://auth/token").as_deref(), Some(asked));
        assert!(url("http://127.0.0.1:1/token").is_some() && url("http://auth/token").is_none());
    }

    #[test]
    fn a_login_does_not_print() {
        let login = Login { user: "AWS".into(), password: Secret::new("hunter2") };
        assert!(!format!("{login:?} {:?}", login.header()).contains("hunter2"));
        assert_eq!(login.header().expose(), "Basic QVdTOmh1bnRlcjI=");
    }
}

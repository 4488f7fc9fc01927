//! Where an image is: registry, repository, and a tag or a digest.

use std::{fmt, net::IpAddr};

use super::{Digest, ImageError};

/// The registry of names without one.
const DOCKER_HUB: &str = "docker.io";
/// Where that answers.
const DOCKER_HUB_API: &str = "registry-1.docker.io";

/// An image in a registry, as one types it: `nginx`, `ghcr.io/acme/api:1.4`, `HOST/api@sha256:…`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reference {
    /// The registry's host, with a port where it has one.
    pub registry: String,
    /// The repository there.
    pub repository: String,
    /// Which image of it.
    pub version: Version,
}

/// Which image of a repository.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Version {
    /// Whichever has this tag now.
    Tag(String),
    /// This one.
    Digest(Digest),
}

impl Reference {
    /// Reads a reference. Without a registry it is Docker Hub's, without a tag `latest`; with a digest, a tag does not count.
    ///
    /// # Errors
    /// What is none, with what is wrong with it.
    pub fn parse(text: &str) -> Result<Self, ImageError> {
        let wrong = |why: &str| ImageError::Reference { text: text.to_owned(), why: why.to_owned() };
        let (name, digest) = match text.split_once('@') {
            Some((name, digest)) => {
                let digest = Digest::parse(digest);
                (name, Some(digest.ok_or_else(|| wrong("its digest is not sha256: and 64 hexadecimal digits"))?))
            }
            None => (text, None),
        };
        let (name, tag) = match name.rsplit_once(':') {
            Some((name, tag)) if !tag.contains('/') => (name, Some(tag)),
            _ => (name, None),
        };
        let is_tag = |tag: &str| {
            !tag.is_empty() && tag.len() <= 128 && tag.chars().all(|c| c.is_ascii_alphanumeric() || "._-".contains(c))
        };
        if !tag.is_none_or(is_tag) {
            return Err(wrong("its tag is not one"));
        }
        let (registry, repository) = match name.split_once('/') {
            Some((host, rest)) if is_host(host) => (host, rest.to_owned()),
            Some(_) => (DOCKER_HUB, name.to_owned()),
            None => (DOCKER_HUB, format!("library/{name}")),
        };
        let plain = |part: &str| {
            let allowed = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || "._-".contains(c);
            part.starts_with(|c: char| c.is_ascii_alphanumeric()) && part.chars().all(allowed)
        };
        if name.is_empty() || !repository.split('/').all(plain) {
            return Err(wrong("a repository's name is of lowercase letters, digits and . _ - between slashes"));
        }
        let version = match digest {
            Some(digest) => Version::Digest(digest),
            None => Version::Tag(tag.unwrap_or("latest").to_owned()),
        };
        Ok(Self { registry: registry.to_owned(), repository, version })
    }

    /// Where the registry answers. Plain HTTP only on this machine.
    pub(super) fn base_url(&self) -> String {
        match self.registry.as_str() {
            DOCKER_HUB => format!("https://{DOCKER_HUB_API}"),
            host if is_loopback(host) => format!("http://{host}"),
            host => format!("https://{host}"),
        }
    }
}

/// Whether what stands before the first slash is a registry, and not part of a name at Docker Hub. `.` and `..` are files'.
fn is_host(host: &str) -> bool {
    let begins = host.starts_with(|c: char| c.is_ascii_alphanumeric() || c == '[');
    begins && (host.contains(['.', ':']) || host == "localhost")
}

/// Whether a host, with or without a port, is this machine.
pub(super) fn is_loopback(host: &str) -> bool {
    let name = match host.rsplit_once(':') {
        Some((name, port)) if port.bytes().all(|byte| byte.is_ascii_digit()) => name,
        _ => host,
    };
    let name = name.trim_matches(['[', ']']);
    name == "localhost" || name.parse::<IpAddr>().is_ok_and(|address| address.is_loopback())
}

impl Version {
    /// As a registry's API takes it.
    pub fn as_str(&self) -> &str {
        match self {
            Self::Tag(tag) => tag,
            Self::Digest(digest) => digest.as_str(),
        }
    }
}

impl fmt::Display for Reference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { registry, repository, version } = self;
        let mark = if matches!(version, Version::Tag(_)) { ':' } else { '@' };
        write!(f, "{registry}/{repository}{mark}{}", version.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_left_out_is_docker_hub_library_and_latest() {
        let digest = format!("sha256:{}", "a".repeat(64));
        let pinned = format!("ghcr.io/acme/api:1.4@{digest}");
        let read = |text: &str| Reference::parse(text).unwrap().to_string();
        assert_eq!(read("nginx"), "docker.io/library/nginx:latest");
        assert_eq!(read("acme/api:1.4"), "docker.io/acme/api:1.4");
        assert_eq!(read("localhost/api"), "localhost/api:latest");
        assert_eq!(read("localhost:5000/team/api:v1"), "localhost:5000/team/api:v1");
        assert_eq!(read(&pinned), format!("ghcr.io/acme/api@{digest}"));
    }

    #[test]
    fn what_names_no_image_is_refused() {
        for wrong in ["", ":tag", "Acme/API", "api:", "api@sha256:abc", "./api.tar", "ghcr.io//api", "api:a b"] {
            assert!(Reference::parse(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn only_this_machine_is_spoken_to_without_tls() {
        let url = |text: &str| Reference::parse(text).unwrap().base_url();
        assert_eq!(url("127.0.0.1:5000/api"), "http://127.0.0.1:5000");
        assert_eq!(url("localhost:5000/api"), "http://localhost:5000");
        assert_eq!(url("10.0.0.1:5000/api"), "https://10.0.0.1:5000");
        assert_eq!(url("nginx"), "https://registry-1.docker.io");
        assert!(is_loopback("[::1]:5000") && !is_loopback("localhost.example.com:5000"));
    }
}

//! The rules of settings that stay plain text.

use super::values::Refusal;

/// Lowercase letters, digits and single hyphens, beginning with a letter: what every AWS name made from it allows.
fn word(text: &str, what: &str) -> Result<(), Refusal> {
    let Some(why) = fault_of_word(text) else { return Ok(()) };
    let refusal = Refusal::new(format!("`{text}` is not {what}: {why}"));
    let mended = text.to_lowercase().replace([' ', '_', '.'], "-");
    match fault_of_word(&mended) {
        None => Err(refusal.help(format!("only lowercase letters, digits and hyphens are allowed: \"{mended}\""))),
        Some(_) => Err(refusal),
    }
}

fn fault_of_word(text: &str) -> Option<String> {
    if text.is_empty() {
        return Some("it is empty".to_owned());
    }
    if let Some(odd) = text.chars().find(|c| !(c.is_ascii_lowercase() || c.is_ascii_digit() || *c == '-')) {
        return Some(format!("`{odd}` is not allowed in it"));
    }
    if !text.starts_with(|c: char| c.is_ascii_lowercase()) {
        return Some("it does not begin with a letter".to_owned());
    }
    let hyphens = text.ends_with('-') || text.contains("--");
    hyphens.then(|| "a hyphen must stand between letters or digits".to_owned())
}

/// What a name may not begin with, because something made from it may not.
/// <https://docs.aws.amazon.com/AmazonS3/latest/userguide/bucketnamingrules.html>,
/// <https://docs.aws.amazon.com/elasticloadbalancing/latest/APIReference/API_CreateLoadBalancer.html>
const RESERVED_STARTS: &[(&str, &str)] =
    &[("internal-", "a load balancer"), ("sthree-", "an S3 bucket"), ("amzn-s3-demo-", "an S3 bucket")];

pub(super) fn project_prefix(text: &str) -> Result<(), Refusal> {
    word(text, "a project prefix")?;
    match RESERVED_STARTS.iter().find(|(start, _)| text.starts_with(start)) {
        Some((start, whose)) => Err(Refusal::new(format!(
            "`{text}` begins with `{start}`, which AWS does not allow in the name of {whose}"
        ))),
        None => Ok(()),
    }
}

pub(super) fn environment(text: &str) -> Result<(), Refusal> {
    word(text, "an environment name")
}

pub(super) fn schedule_name(text: &str) -> Result<(), Refusal> {
    word(text, "a schedule's name")
}

/// The longest brand name, in characters: generous for a name, far below what an environment variable holds.
const BRAND_NAME_MAX: usize = 100;

pub(super) fn brand_name(text: &str) -> Result<(), Refusal> {
    line(text, "brand name")?;
    match text.chars().count() {
        count if count > BRAND_NAME_MAX => {
            Err(Refusal::new(format!("the brand name has {count} characters; at most {BRAND_NAME_MAX} are allowed")))
        }
        _ => Ok(()),
    }
}

/// One line of visible text.
fn line(text: &str, what: &str) -> Result<(), Refusal> {
    if text.trim().is_empty() {
        return Err(Refusal::new(format!("the {what} is empty")));
    }
    if text.trim() != text {
        return Err(Refusal::new(format!("the {what} has spaces around it")).help(format!("write \"{}\"", text.trim())));
    }
    match text.chars().find(|c| c.is_control()) {
        Some(odd) => Err(Refusal::new(format!("the {what} has a control character ({})", odd.escape_debug()))),
        None => Ok(()),
    }
}

/// ACM refuses a longer first name: it becomes the certificate's common name.
/// <https://docs.aws.amazon.com/acm/latest/userguide/acm-public-certificates.html>
const DOMAIN_NAME_MAX: usize = 64;

pub(super) fn domain_name(text: &str) -> Result<(), Refusal> {
    let refusal = || Refusal::new(format!("`{text}` is not a domain name"));
    if text.is_empty() {
        return Err(Refusal::new("the domain name is empty").help("leave the line out where there is no domain yet"));
    }
    if let Some((_, rest)) = text.split_once("://") {
        let host = rest.split(['/', ':']).next().unwrap_or(rest);
        return Err(refusal().help(format!("it is the name alone: \"{host}\"")));
    }
    if text.starts_with("*.") {
        return Err(refusal().help("name one host; a wildcard is not supported"));
    }
    if text != text.to_lowercase() {
        return Err(refusal().help(format!("write it in lowercase: \"{}\"", text.to_lowercase())));
    }
    if !is_domain(text) {
        return Err(refusal());
    }
    match text.len() {
        length if length > DOMAIN_NAME_MAX => Err(Refusal::new(format!(
            "the domain name has {length} characters; a certificate's first name has at most {DOMAIN_NAME_MAX}"
        ))),
        _ => Ok(()),
    }
}

fn is_domain(text: &str) -> bool {
    let label = |label: &str| {
        (1..=63).contains(&label.len())
            && label.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-')
            && !label.starts_with('-')
            && !label.ends_with('-')
    };
    let top = text.rsplit('.').next().unwrap_or_default();
    text.contains('.') && text.split('.').all(label) && top.len() >= 2 && !top.bytes().all(|b| b.is_ascii_digit())
}

pub(super) fn email(text: &str) -> Result<(), Refusal> {
    let local_part = |c: char| c.is_ascii_alphanumeric() || "!#$%&'*+/=?^_`{|}~.-".contains(c);
    let well_formed = text.rsplit_once('@').is_some_and(|(local, domain)| {
        (1..=64).contains(&local.len())
            && local.chars().all(local_part)
            && !local.starts_with('.')
            && !local.ends_with('.')
            && !local.contains("..")
            && is_domain(domain)
    });
    if well_formed { Ok(()) } else { Err(Refusal::new(format!("`{text}` is not an e-mail address"))) }
}

/// Families that RDS cannot encrypt at rest.
/// <https://docs.aws.amazon.com/AmazonRDS/latest/UserGuide/Overview.Encryption.html>
const UNENCRYPTED_FAMILIES: &[&str] = &["m1", "m2", "t1"];

/// What AWS takes for an alternate contact's name:
/// <https://docs.aws.amazon.com/accounts/latest/reference/API_AlternateContact.html>
const CONTACT_MAX: usize = 64;
/// The same for its telephone number.
const PHONE_MAX: usize = 25;

pub(super) fn contact(text: &str) -> Result<(), Refusal> {
    line(text, "name of the contact")?;
    match text.chars().count() {
        count if count > CONTACT_MAX => {
            let message = format!("the name of the contact has {count} characters; at most {CONTACT_MAX} are allowed");
            Err(Refusal::new(message))
        }
        _ => Ok(()),
    }
}

pub(super) fn phone(text: &str) -> Result<(), Refusal> {
    line(text, "telephone number")?;
    let allowed = |c: char| c.is_ascii_digit() || " ()+-".contains(c);
    let digits = text.chars().filter(char::is_ascii_digit).count();
    if text.len() <= PHONE_MAX && digits >= 3 && text.chars().all(allowed) {
        return Ok(());
    }
    Err(Refusal::new(format!("`{text}` is not a telephone number")))
}

/// `db.<family>.<size>`. Which of them a Region sells is AWS's to say.
pub(super) fn db_instance_class(text: &str) -> Result<(), Refusal> {
    let refusal = || Refusal::new(format!("`{text}` is not a database instance class"));
    let parts: Vec<&str> = text.split('.').collect();
    let &["db", family, size] = parts.as_slice() else {
        return match parts.as_slice() {
            [family, size] if is_family(family) && is_size(size) => Err(refusal().help(format!("write \"db.{text}\""))),
            _ => Err(refusal()),
        };
    };
    if UNENCRYPTED_FAMILIES.contains(&family) {
        return Err(Refusal::new(format!("`{text}` cannot be encrypted at rest")));
    }
    if is_family(family) && is_size(size) { Ok(()) } else { Err(refusal()) }
}

/// A letter or a few, the generation, and what is special about it: `t4g`, `r6gd`, `x2iedn`.
fn is_family(text: &str) -> bool {
    let generation = text.trim_start_matches(|c: char| c.is_ascii_lowercase());
    let kind = generation.trim_start_matches(|c: char| c.is_ascii_digit());
    generation.len() < text.len() && kind.len() < generation.len() && kind.bytes().all(|b| b.is_ascii_lowercase())
}

fn is_size(text: &str) -> bool {
    let multiple =
        text.strip_suffix("xlarge").is_some_and(|n| n.bytes().all(|b| b.is_ascii_digit()) && !n.starts_with('0'));
    multiple || matches!(text, "micro" | "small" | "medium" | "large")
}

pub(super) fn profile(text: &str) -> Result<(), Refusal> {
    line(text, "profile's name")
}

/// <https://docs.aws.amazon.com/STS/latest/APIReference/API_AssumeRole.html>
pub(super) fn external_id(text: &str) -> Result<(), Refusal> {
    let allowed = |c: char| c.is_ascii_alphanumeric() || "_+=,.@:/-".contains(c);
    match text.len() {
        2..=1224 if text.chars().all(allowed) => Ok(()),
        _ => Err(Refusal::new(format!("`{text}` is not an external ID"))),
    }
}

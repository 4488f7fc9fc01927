//! What the environment variables of OpenTelemetry say
//! (<https://opentelemetry.io/docs/specs/otel/configuration/sdk-environment-variables/>).

use std::collections::BTreeMap;

use http::Uri;

/// Where a collector listens on this machine, if nobody says where.
const DEFAULT: &str = "http://localhost:4318";

/// Where traces go, and what they say of themselves.
pub(super) struct Settings {
    /// Where they are posted to.
    pub(super) endpoint: Uri,
    /// With which headers. They may be secrets: they are sent, and shown nowhere.
    pub(super) headers: Vec<(String, String)>,
    /// What the spans are of.
    pub(super) resource: BTreeMap<String, String>,
    /// The span that this run is a part of.
    pub(super) parent: Option<Parent>,
}

/// A span of somebody else's, by its `traceparent` (<https://www.w3.org/TR/trace-context/#traceparent-header>).
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Parent {
    /// The trace, 32 hexadecimal digits.
    pub(super) trace: String,
    /// The span, 16 of them.
    pub(super) span: String,
    /// Whether anybody keeps that trace.
    sampled: bool,
}

/// The settings; `None` where no trace is wanted. The error is a sentence.
pub(super) fn read(variable: impl Fn(&str) -> Option<String>) -> Result<Option<Settings>, String> {
    // As the specification has it, empty is unset.
    let set = |name: &str| variable(name).map(|value| value.trim().to_owned()).filter(|value| !value.is_empty());
    let of_traces = |name: &str| {
        let names = [format!("OTEL_EXPORTER_OTLP_TRACES_{name}"), format!("OTEL_EXPORTER_OTLP_{name}")];
        names.into_iter().find_map(|name| Some((set(&name)?, name)))
    };
    if set("OTEL_SDK_DISABLED").is_some_and(|value| value.eq_ignore_ascii_case("true")) {
        return Ok(None);
    }
    let endpoint = match (set("OTEL_TRACES_EXPORTER").as_deref(), of_traces("ENDPOINT")) {
        (Some("none"), _) | (None, None) => return Ok(None),
        (Some("otlp"), None) => format!("{DEFAULT}/v1/traces"),
        (Some("otlp") | None, Some((url, name))) if name == "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT" => url,
        (Some("otlp") | None, Some((url, _))) => format!("{}/v1/traces", url.trim_end_matches('/')),
        (Some(other), _) => return Err(format!("OTEL_TRACES_EXPORTER is `{other}`; rcm knows `otlp` and `none`")),
    };
    if let Some((protocol, name)) = of_traces("PROTOCOL").filter(|(protocol, _)| protocol != "http/json") {
        return Err(format!(
            "{name} is `{protocol}`; rcm speaks `http/json` alone, which collectors take on port 4318"
        ));
    }
    let parent = set("TRACEPARENT").as_deref().and_then(parent);
    if parent.as_ref().is_some_and(|parent| !parent.sampled) {
        return Ok(None);
    }
    let headers = of_traces("HEADERS").map_or(Ok(Vec::new()), |(list, name)| pairs(&list, &name))?;
    Ok(Some(Settings { endpoint: url(&endpoint)?, headers, resource: resource(set)?, parent }))
}

fn url(text: &str) -> Result<Uri, String> {
    let wrong =
        || "the endpoint of OTEL_EXPORTER_OTLP_… is not a URL as in https://collector.example.com:4318".to_owned();
    let url: Uri = text.parse().map_err(|_| wrong())?;
    let known = matches!(url.scheme_str(), Some("http" | "https")) && url.host().is_some();
    if known { Ok(url) } else { Err(wrong()) }
}

/// What the spans are of. A service that is named by itself goes before one among the attributes.
fn resource(set: impl Fn(&str) -> Option<String>) -> Result<BTreeMap<String, String>, String> {
    const NAME: &str = "OTEL_RESOURCE_ATTRIBUTES";
    let mut resource = BTreeMap::from([
        ("service.name".to_owned(), "rcm".to_owned()),
        ("service.version".to_owned(), env!("CARGO_PKG_VERSION").to_owned()),
    ]);
    resource.extend(set(NAME).map_or(Ok(Vec::new()), |list| pairs(&list, NAME))?);
    resource.extend(set("OTEL_SERVICE_NAME").map(|name| ("service.name".to_owned(), name)));
    Ok(resource)
}

/// `name=value,name=value`, values percent-encoded. What is wrong is not repeated: it may be a secret.
fn pairs(list: &str, variable: &str) -> Result<Vec<(String, String)>, String> {
    let pair = |pair: &str| {
        let (name, value) = pair.split_once('=')?;
        let value = urlencoding::decode(value.trim()).ok()?;
        Some((name.trim().to_owned(), value.into_owned())).filter(|(name, _)| !name.is_empty())
    };
    let listed = list.split(',').filter(|part| !part.trim().is_empty());
    let pairs: Option<Vec<_>> = listed.map(pair).collect();
    pairs.ok_or_else(|| format!("{variable} is not a list as in name=value,other=value"))
}

/// Somebody's span; `None` where it is not one, and then the run begins a trace of its own, as the specification asks.
fn parent(text: &str) -> Option<Parent> {
    let hex = |part: &str, digits: usize| {
        let is_hex = part.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'));
        part.len() == digits && is_hex
    };
    let given = |part: &str, digits: usize| hex(part, digits) && part.bytes().any(|byte| byte != b'0');
    let mut parts = text.split('-');
    let (version, trace, span, flags) = (parts.next()?, parts.next()?, parts.next()?, parts.next()?);
    // Later versions may say more at the end; this one may not, and `ff` is none.
    let known = hex(version, 2) && version != "ff" && (version != "00" || parts.next().is_none());
    if !known || !given(trace, 32) || !given(span, 16) || !hex(flags, 2) {
        return None;
    }
    let sampled = u8::from_str_radix(flags, 16).ok()? & 1 == 1;
    Some(Parent { trace: trace.to_owned(), span: span.to_owned(), sampled })
}

#[cfg(test)]
mod tests {
    use super::*;

    const TRACE: &str = "4bf92f3577b34da6a3ce929d0e0e4736";

    fn of(variables: &[(&str, &str)]) -> Result<Option<Settings>, String> {
        let find =
            |name: &str| variables.iter().find(|(known, _)| *known == name).map(|(_, value)| (*value).to_owned());
        read(find)
    }

    fn endpoint(variables: &[(&str, &str)]) -> Option<String> {
        of(variables).unwrap().map(|settings| settings.endpoint.to_string())
    }

    #[test]
    fn nothing_is_sent_unless_somebody_says_where_or_asks_for_it() {
        let there = ("OTEL_EXPORTER_OTLP_ENDPOINT", "https://collector.acme.com:4318/");
        assert_eq!(endpoint(&[]), None);
        assert_eq!(endpoint(&[("OTEL_EXPORTER_OTLP_ENDPOINT", " ")]), None);
        assert_eq!(endpoint(&[there, ("OTEL_SDK_DISABLED", "true")]), None);
        assert_eq!(endpoint(&[there, ("OTEL_TRACES_EXPORTER", "none")]), None);
        assert_eq!(endpoint(&[there]).unwrap(), "https://collector.acme.com:4318/v1/traces");
        assert_eq!(endpoint(&[("OTEL_TRACES_EXPORTER", "otlp")]).unwrap(), "http://localhost:4318/v1/traces");
        let exactly = ("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "http://127.0.0.1:9/here");
        assert_eq!(endpoint(&[there, exactly]).unwrap(), "http://127.0.0.1:9/here");
    }

    #[test]
    fn what_is_not_spoken_is_refused_without_repeating_secrets() {
        let there = ("OTEL_EXPORTER_OTLP_ENDPOINT", "http://127.0.0.1:4317");
        let why = |more| of(&[there, more]).err().unwrap();
        assert!(why(("OTEL_EXPORTER_OTLP_PROTOCOL", "grpc")).contains("`grpc`; rcm speaks `http/json`"));
        assert!(why(("OTEL_TRACES_EXPORTER", "console")).contains("`console`"));
        let headers = why(("OTEL_EXPORTER_OTLP_HEADERS", "s3cr3t"));
        assert!(headers.contains("OTEL_EXPORTER_OTLP_HEADERS") && !headers.contains("s3cr3t"), "{headers}");
        assert!(of(&[("OTEL_EXPORTER_OTLP_ENDPOINT", "collector:4318")]).is_err());
    }

    #[test]
    fn names_and_headers_are_lists_and_the_more_exact_variable_wins() {
        let settings = of(&[
            ("OTEL_TRACES_EXPORTER", "otlp"),
            ("OTEL_EXPORTER_OTLP_HEADERS", "authorization=Bearer%20abc, x-team = ops"),
            ("OTEL_RESOURCE_ATTRIBUTES", "service.name=other,deployment.environment=prod"),
            ("OTEL_SERVICE_NAME", "partners"),
        ]);
        let settings = settings.unwrap().unwrap();
        let headers = [("authorization", "Bearer abc"), ("x-team", "ops")];
        assert_eq!(settings.headers, headers.map(|(name, value)| (name.to_owned(), value.to_owned())));
        assert_eq!(settings.resource["service.name"], "partners");
        assert_eq!(settings.resource["deployment.environment"], "prod");
    }

    #[test]
    fn a_parent_is_taken_as_it_is_meant_or_not_at_all() {
        let sampled = parent(&format!("00-{TRACE}-00f067aa0ba902b7-01")).unwrap();
        assert_eq!((sampled.trace.as_str(), sampled.span.as_str()), (TRACE, "00f067aa0ba902b7"));
        let zeros = "0".repeat(32);
        for wrong in [
            "".to_owned(),
            format!("00-{TRACE}-00f067aa0ba902b7"),
            format!("00-{zeros}-00f067aa0ba902b7-01"),
            format!("ff-{TRACE}-00f067aa0ba902b7-01"),
            format!("00-{TRACE}-00f067aa0ba902b7-01-more"),
            format!("00-{}-00f067aa0ba902b7-01", TRACE.to_uppercase()),
        ] {
            assert_eq!(parent(&wrong), None, "{wrong}");
        }
        let unsampled = format!("00-{TRACE}-00f067aa0ba902b7-00");
        assert!(of(&[("OTEL_TRACES_EXPORTER", "otlp"), ("TRACEPARENT", &unsampled)]).unwrap().is_none());
    }
}

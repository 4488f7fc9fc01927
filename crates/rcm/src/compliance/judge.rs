//! How a control is judged: which resources it is about, and what has to be so there.

use serde_json::Value;

use super::{Finding, Subject, Verdict};

/// Which resources a control is about.
#[derive(Debug, Clone, Copy)]
pub enum Check {
    /// Every resource of a kind that `about` picks; nothing where there is none.
    Each {
        /// The kind.
        kind: &'static str,
        /// Which of them.
        about: fn(&Subject) -> bool,
        /// What has to be so.
        test: Test,
    },
    /// As [`Each`](Check::Each), and there has to be one.
    Needs {
        /// The kind.
        kind: &'static str,
        /// Which of them.
        about: fn(&Subject) -> bool,
        /// What has to be so.
        test: Test,
    },
    /// Every resource of a kind is named by one of another kind.
    Covered {
        /// The kind.
        kind: &'static str,
        /// The other kind.
        by: &'static str,
        /// The other's field that names it.
        field: &'static str,
    },
    /// As [`Each`](Check::Each), and where there is none, rcm does it in another way unless it is told to.
    Chosen {
        /// The kind.
        kind: &'static str,
        /// Which of them.
        about: fn(&Subject) -> bool,
        /// What has to be so.
        test: Test,
        /// What is so where there is none, and why.
        without: &'static str,
    },
    /// As [`Needs`](Check::Needs), of an account that rcm keeps the baseline of; open where it does not.
    Baseline {
        /// The kind.
        kind: &'static str,
        /// Which of them.
        about: fn(&Subject) -> bool,
        /// What has to be so.
        test: Test,
        /// Why there is none although rcm keeps the baseline: the setting that would make it.
        without: &'static str,
    },
    /// All of these.
    All(&'static [Check]),
    /// As [`Each`](Check::Each), where rcm leaves the choice to a person: by design, if it is not so.
    Choice {
        /// The kind.
        kind: &'static str,
        /// What has to be so.
        test: Test,
        /// Why it need not be.
        why: &'static str,
    },
    /// Something that rcm does not do, and why.
    Deviation(&'static str),
    /// Something that no program can show; what a person has to do.
    Person(&'static str),
}

/// What has to be so at a resource. Fields are named as JSON pointers without the first slash.
#[derive(Debug, Clone, Copy)]
pub enum Test {
    /// It is there.
    Exists,
    /// A field is `true`.
    Yes(&'static str),
    /// A field is `false`.
    No(&'static str),
    /// A field has a value.
    Set(&'static str),
    /// A field is a number that is not smaller.
    AtLeast(&'static str, i64),
    /// A field is a number that is larger than 0 and not larger.
    AtMost(&'static str, i64),
    /// A field is one of these texts.
    OneOf(&'static str, &'static [&'static str]),
    /// An output is this text.
    Output(&'static str, &'static str),
    /// Its `lacks`, what somebody else's resource falls short of, is empty.
    Complete,
    /// An output is `true`; until it is, somebody has still to make it so.
    Confirmed(&'static str),
    /// What a function says of a field: what shows that it is so, or what is wrong.
    Field(&'static str, fn(&Value) -> Result<String, String>),
}

/// All of a kind.
pub(super) fn all(_: &Subject) -> bool {
    true
}

impl Check {
    /// What is found among `subjects`.
    pub(super) fn judge(&self, subjects: &[Subject]) -> Vec<Finding> {
        match self {
            Self::Each { kind, about, test } => each(subjects, kind, *about, *test),
            Self::Needs { kind, about, test } => {
                let found = each(subjects, kind, *about, *test);
                if found.is_empty() {
                    vec![general(Verdict::Fail, format!("there is no {kind} for it"))]
                } else {
                    found
                }
            }
            Self::Covered { kind, by, field } => covered(subjects, kind, by, field),
            Self::Chosen { kind, about, test, without } => {
                let found = each(subjects, kind, *about, *test);
                if found.is_empty() { vec![general(Verdict::Deviates, *without)] } else { found }
            }
            Self::Baseline { kind, about, test, without } => {
                let found = each(subjects, kind, *about, *test);
                let kept = subjects.iter().any(|subject| subject.address.as_str().starts_with("baseline/"));
                let why = if kept { without } else { "rcm does not look after the account: account_baseline = false" };
                if found.is_empty() { vec![general(Verdict::Open, why)] } else { found }
            }
            Self::All(checks) => checks.iter().flat_map(|check| check.judge(subjects)).collect(),
            Self::Choice { kind, test, why } => each(subjects, kind, all, *test)
                .into_iter()
                .map(|finding| match finding.verdict {
                    Verdict::Fail => Finding { verdict: Verdict::Deviates, evidence: (*why).to_owned(), ..finding },
                    _ => finding,
                })
                .collect(),
            Self::Deviation(why) => vec![general(Verdict::Deviates, *why)],
            Self::Person(what) => vec![general(Verdict::Open, *what)],
        }
    }

    /// The kind of resources that it is about, the first where there are several.
    pub fn kind(&self) -> Option<&'static str> {
        match self {
            Self::Each { kind, .. } | Self::Needs { kind, .. } | Self::Baseline { kind, .. } => Some(kind),
            Self::Covered { kind, .. } | Self::Chosen { kind, .. } | Self::Choice { kind, .. } => Some(kind),
            Self::All(checks) => checks.first().and_then(Self::kind),
            Self::Deviation(_) | Self::Person(_) => None,
        }
    }

    /// What has to be so at each resource of that kind.
    pub fn test(&self) -> Option<Test> {
        match self {
            Self::Each { test, .. } | Self::Needs { test, .. } | Self::Baseline { test, .. } => Some(*test),
            Self::Chosen { test, .. } | Self::Choice { test, .. } => Some(*test),
            Self::All(checks) => checks.first().and_then(Self::test),
            Self::Covered { .. } | Self::Deviation(_) | Self::Person(_) => None,
        }
    }
}

fn general(verdict: Verdict, evidence: impl Into<String>) -> Finding {
    Finding { resource: None, verdict, evidence: evidence.into() }
}

fn each(subjects: &[Subject], kind: &str, about: fn(&Subject) -> bool, test: Test) -> Vec<Finding> {
    let of_kind = subjects.iter().filter(|subject| subject.kind == kind);
    let about = of_kind.filter(|subject| subject.fields.is_none() || about(subject));
    about
        .map(|subject| {
            let (verdict, evidence) = test.judge(subject);
            Finding { resource: Some(subject.address.clone()), verdict, evidence }
        })
        .collect()
}

fn covered(subjects: &[Subject], kind: &str, by: &str, field: &str) -> Vec<Finding> {
    let finding = |subject: &Subject| {
        let mut covers = subjects.iter().filter(|cover| cover.kind == by);
        let cover = covers.find(|cover| names(cover.field(field), subject));
        let (verdict, evidence) = match cover {
            Some(cover) => (Verdict::Pass, format!("{} is before it", cover.address)),
            None => (Verdict::Fail, format!("no {by} is before it")),
        };
        Finding { resource: Some(subject.address.clone()), verdict, evidence }
    };
    subjects.iter().filter(|subject| subject.kind == kind).map(finding).collect()
}

/// Whether a value names a resource: by its address, as a plan does, or by what AWS calls it.
fn names(value: &Value, subject: &Subject) -> bool {
    let by_address = value.get("$ref").is_some_and(|address| *address == subject.address.as_str());
    let outputs = subject.outputs.as_object();
    by_address || (value.is_string() && outputs.is_some_and(|outputs| outputs.values().any(|output| output == value)))
}

impl Test {
    /// The field of the spec that it looks at.
    pub fn field(&self) -> Option<&'static str> {
        match *self {
            Self::Exists | Self::Complete | Self::Confirmed(_) | Self::Output(..) => None,
            Self::Yes(field) | Self::No(field) | Self::Set(field) | Self::AtLeast(field, _) => Some(field),
            Self::AtMost(field, _) | Self::OneOf(field, _) | Self::Field(field, _) => Some(field),
        }
    }

    fn judge(&self, subject: &Subject) -> (Verdict, String) {
        let Some(fields) = &subject.fields else {
            return (Verdict::Fail, "it was deleted outside rcm".to_owned());
        };
        if let Self::Output(name, wanted) = self {
            return output(&subject.outputs, name, wanted);
        }
        if let Self::Complete = self {
            return complete(&subject.outputs);
        }
        if let Self::Confirmed(name) = self {
            return confirmed(&subject.outputs, name);
        }
        let Some(field) = self.field() else { return (Verdict::Pass, "it is there".to_owned()) };
        let Some(value) = fields.pointer(&format!("/{field}")) else {
            return (Verdict::Open, format!("{field} was not seen"));
        };
        let judged = match self {
            Self::Field(_, judge) => judge(value),
            _ if self.holds(value) => Ok(format!("{field} = {}", short(value))),
            _ => Err(format!("{field} = {}", short(value))),
        };
        match judged {
            Ok(evidence) => (Verdict::Pass, evidence),
            Err(evidence) => (Verdict::Fail, evidence),
        }
    }

    fn holds(&self, value: &Value) -> bool {
        match *self {
            Self::Yes(_) => *value == Value::Bool(true),
            Self::No(_) => *value == Value::Bool(false),
            Self::Set(_) => is_set(value),
            Self::AtLeast(_, least) => value.as_i64().is_some_and(|number| number >= least),
            Self::AtMost(_, most) => value.as_i64().is_some_and(|number| (1..=most).contains(&number)),
            Self::OneOf(_, texts) => value.as_str().is_some_and(|text| texts.contains(&text)),
            Self::Exists | Self::Complete | Self::Confirmed(_) | Self::Output(..) | Self::Field(..) => true,
        }
    }
}

fn output(outputs: &Value, name: &str, wanted: &str) -> (Verdict, String) {
    match outputs.get(name).and_then(Value::as_str) {
        None => (Verdict::Open, format!("{name} is not known yet")),
        Some(found) if found == wanted => (Verdict::Pass, format!("{name} = {found}")),
        Some(found) => (Verdict::Fail, format!("{name} = {found}")),
    }
}

fn confirmed(outputs: &Value, name: &str) -> (Verdict, String) {
    let verdict = if outputs[name] == true { Verdict::Pass } else { Verdict::Open };
    (verdict, format!("{name} = {}", short(&outputs[name])))
}

fn complete(outputs: &Value) -> (Verdict, String) {
    let lacks: Option<Vec<&str>> =
        outputs["lacks"].as_array().map(|lacks| lacks.iter().filter_map(Value::as_str).collect());
    match lacks.as_deref() {
        None => (Verdict::Open, "it is not known yet what it lacks".to_owned()),
        Some([]) => (Verdict::Pass, "it lacks nothing".to_owned()),
        Some(lacks) => (Verdict::Fail, format!("it is somebody else's and lacks: {}", lacks.join(", "))),
    }
}

fn is_set(value: &Value) -> bool {
    match value {
        Value::Null => false,
        Value::String(text) => !text.is_empty(),
        Value::Array(items) => !items.is_empty(),
        Value::Object(fields) => !fields.is_empty(),
        Value::Bool(_) | Value::Number(_) => true,
    }
}

/// A value for people: the address that a reference names, text without quotes, anything long cut.
fn short(value: &Value) -> String {
    const LONGEST: usize = 80;
    let text = match (value, value.get("$ref").and_then(Value::as_str)) {
        (_, Some(address)) => address.to_owned(),
        (Value::String(text), None) => text.clone(),
        (Value::Null, None) => "none".to_owned(),
        (other, None) => other.to_string(),
    };
    if text.chars().count() <= LONGEST { text } else { text.chars().take(LONGEST).chain("…".chars()).collect() }
}

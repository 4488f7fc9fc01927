//! Scheduled changes of the number of tasks: `ecs_schedules`, the one setting that is a list.

use std::str::FromStr;

use toml::Spanned;
use toml::de::DeValue;

use super::nearest::nearest;
use super::read::{Document, with_article};
use super::settings::{Kind, Preset, Setting, Value};
use super::text;
use super::values::Refusal;

/// From when on autoscaling holds other counts.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Schedule {
    /// What it is called; each has a name of its own.
    pub name: String,
    /// `at(…)`, `rate(…)` or `cron(…)`, as Application Auto Scaling writes them.
    /// <https://docs.aws.amazon.com/autoscaling/application/APIReference/API_PutScheduledAction.html>
    pub schedule: String,
    /// The time zone of `at` and `cron` (`America/New_York`); `None` for UTC.
    pub timezone: Option<String>,
    /// The fewest tasks from then on.
    pub min: u32,
    /// The most tasks from then on.
    pub max: u32,
}

/// What a schedule consists of, in the order in which one writes it.
pub(super) static FIELDS: &[Setting] = &[
    Setting {
        name: "name",
        kind: Kind::Text {
            takes: "lowercase letters, digits and hyphens, beginning with a letter",
            pattern: "^[a-z][a-z0-9]*(-[a-z0-9]+)*$",
            check: text::schedule_name,
        },
        default: Preset::Required,
        doc: "What the schedule is called.",
        example: r#""night""#,
    },
    Setting {
        name: "schedule",
        kind: Kind::Text {
            takes: "at(yyyy-mm-ddThh:mm:ss), rate(number unit) or cron(six fields)",
            pattern: r"^(at|rate|cron)\(.+\)$",
            check: expression,
        },
        default: Preset::Required,
        doc: "When: once, at an interval, or as cron says.",
        example: r#""cron(0 20 * * ? *)""#,
    },
    Setting {
        name: "timezone",
        kind: Kind::Text {
            takes: "the name of a time zone",
            pattern: "^[A-Za-z]+([/_+-][A-Za-z0-9]+)*$",
            check: timezone,
        },
        default: Preset::Nothing,
        doc: "The time zone of at(…) and cron(…); UTC without it.",
        example: r#""America/New_York""#,
    },
    Setting {
        name: "min",
        kind: Kind::Number { min: 0, max: 1000 },
        default: Preset::Required,
        doc: "The fewest tasks from then on.",
        example: "1",
    },
    Setting {
        name: "max",
        kind: Kind::Number { min: 0, max: 1000 },
        default: Preset::Required,
        doc: "The most tasks from then on.",
        example: "2",
    },
];

/// What `ecs_schedules` takes, for people.
pub(super) fn takes() -> String {
    "a list of tables with name, schedule, min, max and perhaps timezone".to_owned()
}

impl Document<'_> {
    /// A list of schedules; `None` where one is no good, which has been reported.
    pub(super) fn read_schedules(&mut self, items: &[Spanned<DeValue<'_>>]) -> Option<Value> {
        let read: Vec<Option<Schedule>> = items.iter().map(|item| self.read_schedule(item)).collect();
        let all: Vec<Schedule> = read.into_iter().collect::<Option<_>>()?;
        for (index, (schedule, item)) in all.iter().zip(items).enumerate() {
            if all[..index].iter().any(|earlier| earlier.name == schedule.name) {
                let refusal = Refusal::new(format!("two schedules are called `{}`", schedule.name))
                    .help("give each a name of its own");
                self.report(item.span(), "ecs_schedules", refusal, None);
                return None;
            }
        }
        Some(Value::Schedules(all))
    }

    fn read_schedule(&mut self, item: &Spanned<DeValue<'_>>) -> Option<Schedule> {
        let DeValue::Table(table) = item.get_ref() else {
            let found = item.get_ref().type_str();
            let message = format!("`ecs_schedules` takes {}, not {}", takes(), with_article(found));
            self.report(item.span(), "ecs_schedules", Refusal::new(message), None);
            return None;
        };
        let unknown = table.iter().filter(|(key, _)| FIELDS.iter().all(|field| field.name != key.get_ref()));
        let mut right = true;
        for (key, _) in unknown {
            let known = FIELDS.iter().map(|field| field.name);
            let help = match nearest(key.get_ref(), known.clone()) {
                Some(near) => format!("did you mean `{near}`?"),
                None => format!("a schedule has {}", known.collect::<Vec<_>>().join(", ")),
            };
            let refusal = Refusal::new(format!("a schedule has no `{}`", key.get_ref())).help(help);
            self.report(key.span(), "ecs_schedules", refusal, None);
            right = false;
        }
        let mut given = |document: &mut Self, name: &str| {
            let field = FIELDS.iter().find(|field| field.name == name)?;
            match table.get(name) {
                Some(value) => {
                    let read = document.read_value(field, value);
                    right &= read.is_some();
                    read
                }
                None if matches!(field.default, Preset::Required) => {
                    let refusal = Refusal::new(format!("the schedule has no `{name}`")).help(field.usage());
                    document.report(item.span(), "ecs_schedules", refusal, None);
                    None
                }
                None => None,
            }
        };
        let (name, schedule) = (given(self, "name").and_then(word), given(self, "schedule").and_then(word));
        let timezone = given(self, "timezone").and_then(word);
        let (min, max) = (given(self, "min").and_then(number), given(self, "max").and_then(number));
        let read = Schedule { name: name?, schedule: schedule?, timezone, min: min?, max: max? };
        if !right {
            return None;
        }
        match read.fault() {
            None => Some(read),
            Some(refusal) => {
                self.report(item.span(), "ecs_schedules", refusal, None);
                None
            }
        }
    }
}

impl Schedule {
    /// What does not fit together in it.
    fn fault(&self) -> Option<Refusal> {
        let Schedule { name, schedule, timezone, min, max } = self;
        if min > max {
            let refusal = Refusal::new(format!("in the schedule `{name}`, min = {min} is more than max = {max}"));
            return Some(refusal.help("min must be at most max"));
        }
        if timezone.is_some() && schedule.starts_with("rate(") {
            let refusal = Refusal::new(format!("the schedule `{name}` is an interval, which no time zone changes"));
            return Some(refusal.help("delete the timezone, or write the schedule with at(…) or cron(…)"));
        }
        None
    }
}

fn word(value: Value) -> Option<String> {
    match value {
        Value::Text(text) => Some(text.into_owned()),
        _ => None,
    }
}

fn number(value: Value) -> Option<u32> {
    match value {
        Value::Number(number) => Some(number),
        _ => None,
    }
}

/// A time zone by its name in the IANA database, which Joda-Time, whose names AWS takes, has too. Whether there is one of that name
/// is AWS's to say.
fn timezone(text: &str) -> Result<(), Refusal> {
    let part = |part: &str| !part.is_empty() && part.chars().all(|c| c.is_ascii_alphanumeric() || "_+-".contains(c));
    let begins = text.starts_with(|c: char| c.is_ascii_alphabetic());
    if begins && text.len() <= 64 && text.split('/').all(part) {
        return Ok(());
    }
    Err(Refusal::new(format!("`{text}` is not the name of a time zone")))
}

/// <https://docs.aws.amazon.com/autoscaling/application/userguide/scheduled-scaling-using-cron-expressions.html>
fn expression(text: &str) -> Result<(), Refusal> {
    let refusal = || Refusal::new(format!("`{text}` is not a schedule"));
    let (kind, inner) = text.strip_suffix(')').and_then(|text| text.split_once('(')).ok_or_else(refusal)?;
    match kind {
        "at" => match jiff::civil::DateTime::from_str(inner) {
            Ok(_) if inner.len() == "yyyy-mm-ddThh:mm:ss".len() && inner.contains('T') => Ok(()),
            _ => Err(refusal().help("a moment is written as in at(2027-01-31T20:00:00)")),
        },
        "rate" => {
            match inner.split_once(' ') {
                Some((count, unit)) if is_count(count) && is_unit(unit) => Ok(()),
                _ => Err(refusal()
                    .help("an interval is written as in rate(6 hours): a whole number of minutes, hours or days")),
            }
        }
        "cron" => match fault_of_cron(inner) {
            None => Ok(()),
            Some(why) => Err(refusal().help(format!(
                "{why}; as in cron(0 20 ? * MON-FRI *): minute, hour, day of month, month, day of week, year"
            ))),
        },
        _ => Err(refusal()),
    }
}

fn is_count(text: &str) -> bool {
    text.bytes().all(|b| b.is_ascii_digit()) && text.parse::<u32>().is_ok_and(|count| count > 0)
}

fn is_unit(text: &str) -> bool {
    ["minute", "minutes", "hour", "hours", "day", "days"].contains(&text)
}

fn fault_of_cron(text: &str) -> Option<&'static str> {
    let fields: Vec<&str> = text.split(' ').collect();
    let [_, _, day_of_month, _, day_of_week, _] = fields.as_slice() else { return Some("cron has six fields") };
    let allowed = |c: char| c.is_ascii_alphanumeric() || ",-*?/#".contains(c);
    if fields.iter().any(|field| field.is_empty() || !field.chars().all(allowed)) {
        return Some("a field has letters, digits and , - * ? / #");
    }
    let open = [day_of_month, day_of_week].iter().filter(|field| ***field == "?").count();
    (open != 1).then_some("one of the two days is `?`, and only one")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_schedule_is_written_as_application_auto_scaling_takes_it() {
        for right in [
            "at(2027-01-31T20:00:00)",
            "rate(1 day)",
            "rate(12 hours)",
            "cron(0 20 ? * MON-FRI *)",
            "cron(0/15 6 1 * ? 2027)",
        ] {
            assert_eq!(expression(right), Ok(()), "{right}");
        }
        for wrong in [
            "20:00",
            "at(2027-01-31)",
            "at(2027-02-30T20:00:00)",
            "at(2027-01-31 20:00:00)",
            "rate(day)",
            "rate(0 hours)",
            "rate(1 week)",
            "cron(0 20 * * *)",
            "cron(0 20 * * * *)",
            "cron(0 20 ? * ? *)",
            "cron(0 20 * * ? $)",
            "every(1 day)",
            "cron(0 20 * * ? *",
        ] {
            assert!(expression(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn a_time_zone_has_the_shape_of_one() {
        for right in ["UTC", "America/New_York", "Etc/GMT+9", "America/Argentina/Buenos_Aires"] {
            assert_eq!(timezone(right), Ok(()), "{right}");
        }
        for wrong in ["", "+01:00", "America/", "New York", "/UTC"] {
            assert!(timezone(wrong).is_err(), "{wrong}");
        }
    }
}

//! Outputs and DNS records, for people.

use rcm::{Output, Outputs};
use serde_json::Value;

use super::table::table;

/// What outputs are called.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Label {
    /// As a person calls them.
    Title,
    /// As `rcm output NAME` takes them.
    Name,
}

/// The outputs as a table, DNS records below it.
pub(crate) fn outputs(outputs: &Outputs, label: Label) -> String {
    let called = |output: &Output| match label {
        Label::Title => output.title.to_owned(),
        Label::Name => output.name.to_owned(),
    };
    let (records, plain): (Vec<&Output>, Vec<&Output>) =
        outputs.0.iter().partition(|output| dns_records(&output.value).is_some());
    let rows: Vec<[String; 2]> = plain.iter().map(|output| [called(output), bare(&output.value)]).collect();
    let mut text = table("  ", &rows);
    for output in records {
        if let Some(table) = dns_records(&output.value) {
            text.push_str(&format!("  {}\n{table}", called(output)));
        }
    }
    text
}

/// A value as a shell script wants it: text without quotes, anything else as JSON.
pub(crate) fn bare(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}

/// DNS records as a table, if this is a list of such.
pub(crate) fn dns_records(value: &Value) -> Option<String> {
    let records = value.as_array().filter(|records| !records.is_empty())?;
    let row = |record: &Value| {
        let field = |name: &str| Some(record.get(name)?.as_str()?.to_owned());
        Some([field("type")?, field("name")?, field("value")?])
    };
    let mut rows = vec![["type".to_owned(), "name".to_owned(), "value".to_owned()]];
    for record in records {
        rows.push(row(record)?);
    }
    Some(table("    ", &rows))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn validation_records_are_a_table_to_copy_from() {
        let records = json!([{
            "domain": "rcm.acme.com",
            "name": "_3f2a.rcm.acme.com.",
            "type": "CNAME",
            "value": "_9c1b.acm-validations.aws.",
        }]);
        insta::assert_snapshot!(dns_records(&records).unwrap(), @"
        type   name                 value
        CNAME  _3f2a.rcm.acme.com.  _9c1b.acm-validations.aws.
        ");
        assert_eq!(dns_records(&json!(["a"])), None);
        assert_eq!(dns_records(&json!([])), None);
    }

    #[test]
    fn people_read_titles_and_scripts_read_names() {
        let vpc = Output { name: "vpc_id", title: "VPC", value: json!("vpc-1") };
        let port = Output { name: "database_port", title: "Database port", value: json!(5432) };
        let all = Outputs(vec![vpc, port]);
        insta::assert_snapshot!(outputs(&all, Label::Title), @"
        VPC            vpc-1
        Database port  5432
        ");
        insta::assert_snapshot!(outputs(&all, Label::Name), @"
        vpc_id         vpc-1
        database_port  5432
        ");
    }
}

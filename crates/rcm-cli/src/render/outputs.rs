//! Outputs and DNS records, for people.

use rcm::{Output, Outputs};
use serde_json::Value;

use super::table::table;

/// The outputs as a table, DNS records below it.
pub(crate) fn outputs(outputs: &Outputs) -> String {
    let (records, plain): (Vec<&Output>, Vec<&Output>) =
        outputs.0.iter().partition(|output| dns_records(&output.value).is_some());
    let rows: Vec<[String; 3]> = plain
        .iter()
        .map(|output| [output.title.to_owned(), bare(&output.value), format!("({})", output.name)])
        .collect();
    let mut text = table("  ", &rows);
    for output in records {
        if let Some(table) = dns_records(&output.value) {
            text.push_str(&format!("  {}  ({})\n{table}", output.title, output.name));
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
    fn outputs_carry_their_name_for_programs() {
        let vpc = Output { name: "vpc_id", title: "VPC", value: json!("vpc-1") };
        let port = Output { name: "database_port", title: "Database port", value: json!(5432) };
        insta::assert_snapshot!(outputs(&Outputs(vec![vpc, port])), @"
        VPC            vpc-1  (vpc_id)
        Database port  5432   (database_port)
        ");
    }
}

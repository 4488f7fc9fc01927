//! Policy documents: JSON that IAM, KMS and S3 keep for us.
//!
//! Grammar: [policy elements](https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_grammar.html).
//!
//! Surprises: the services give documents back in another spelling than they got them: a list of one becomes its item, a
//! single statement becomes a list. Both sides are therefore brought into one spelling before they are compared.

use rcm_engine::model::{Cx, Fault};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

/// A policy document in its one spelling: statements in a list, lists of one replaced by their item, and the values of
/// conditions as text. References may stand in it; they are left alone.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(from = "Value", into = "Value")]
pub struct Policy(Value);

impl Policy {
    /// A document that a service gave back. What is not JSON is kept as text, and so equals no document.
    pub fn parse(text: &str) -> Self {
        serde_json::from_str::<Value>(text).unwrap_or_else(|_| Value::from(text)).into()
    }

    /// The text to send, with its references replaced.
    pub fn text<C>(&self, cx: &Cx<'_, C>) -> Result<String, Fault> {
        cx.resolve(&self.0).map(|document| document.to_string())
    }
}

impl From<Value> for Policy {
    fn from(document: Value) -> Self {
        let Value::Object(mut document) = document else { return Self(document) };
        if let Some(statements) = document.remove("Statement") {
            let statements = match statements {
                Value::Array(statements) => statements,
                one => vec![one],
            };
            document.insert("Statement".into(), statements.into_iter().map(statement).collect());
        }
        Self(document.into())
    }
}

impl From<Policy> for Value {
    fn from(policy: Policy) -> Self {
        policy.0
    }
}

fn statement(statement: Value) -> Value {
    let Value::Object(statement) = statement else { return statement };
    let element = |(name, value): (String, Value)| {
        let value = match name.as_str() {
            "Action" | "NotAction" | "Resource" | "NotResource" => alone(value),
            "Principal" | "NotPrincipal" => each(value, alone),
            "Condition" => each(value, |operator| each(operator, |values| alone(in_text(values)))),
            _ => value,
        };
        (name, value)
    };
    statement.into_iter().map(element).collect::<Map<_, _>>().into()
}

/// A list of one as its item.
fn alone(value: Value) -> Value {
    match value {
        Value::Array(mut items) if items.len() == 1 => items.remove(0),
        other => other,
    }
}

fn in_text(value: Value) -> Value {
    match value {
        Value::Bool(_) | Value::Number(_) => Value::from(value.to_string()),
        Value::Array(items) => items.into_iter().map(in_text).collect(),
        other => other,
    }
}

fn each(value: Value, change: impl Fn(Value) -> Value) -> Value {
    match value {
        Value::Object(map) => map.into_iter().map(|(key, item)| (key, change(item))).collect::<Map<_, _>>().into(),
        other => other,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn spellings_of_one_document_are_equal() {
        let ours = json!({"Version": "2012-10-17", "Statement": {
            "Effect": "Deny", "Principal": {"AWS": ["*"]}, "Action": ["s3:*"], "Resource": ["arn:aws:s3:::a"],
            "Condition": {"Bool": {"aws:SecureTransport": false}},
        }});
        let theirs = r#"{"Version": "2012-10-17", "Statement": [{
            "Effect": "Deny", "Principal": {"AWS": "*"}, "Action": "s3:*", "Resource": "arn:aws:s3:::a",
            "Condition": {"Bool": {"aws:SecureTransport": ["false"]}}
        }]}"#;
        assert_eq!(Policy::from(ours), Policy::parse(theirs));
    }

    #[test]
    fn another_document_is_not_equal() {
        let one = json!({"Statement": [{"Effect": "Allow", "Action": ["s3:GetObject", "s3:PutObject"]}]});
        let other = r#"{"Statement": [{"Effect": "Allow", "Action": "s3:GetObject"}]}"#;
        assert_ne!(Policy::from(one), Policy::parse(other));
        assert_ne!(Policy::parse("not json"), Policy::default());
    }

    #[test]
    fn references_stay_references() {
        let key = json!({"$ref": "security/key", "output": "key_arn", "early": true});
        let policy = Policy::from(json!({"Statement": [{
            "Action": "kms:Decrypt", "Resource": [key], "Condition": {"ArnEquals": {"aws:SourceArn": key}},
        }]}));
        assert_eq!(rcm_engine::model::references(&policy.into()).len(), 2);
    }
}

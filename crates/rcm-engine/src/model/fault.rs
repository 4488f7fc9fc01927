//! What went wrong with a call, in the engine's own words.

use serde::{Deserialize, Serialize};

/// What a failed call means for what happens next. The cloud's side maps its errors to these in one table.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum FaultKind {
    /// Refused for its rate, and certainly not executed. Sent again, slower.
    Throttled,
    /// Nobody knows whether it was executed: a time-out, a reset, a 5xx. A create is looked up before it is sent again.
    Transient,
    /// Something it depends on exists, but not everywhere yet. Sent again within a deadline.
    Propagating,
    /// Something else still uses it. A delete is sent again within a deadline.
    InUse,
    /// It does not exist. For a delete, success; just after a create, `Propagating`.
    NotFound,
    /// A resource of that name exists already. Ours if the ownership tags say so.
    Exists,
    /// It cannot be deleted while it holds something that people may want back (images, objects).
    HasContent,
    /// Not allowed to.
    Denied,
    /// A limit of the account.
    Quota,
    /// The request is wrong and will be wrong tomorrow.
    Invalid,
}

/// A failed call to the cloud, or a wait that ended badly.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
#[error("{service}:{operation}: {code}: {message}{}", request_id.as_ref().map(|id| format!(" (request id {id})")).unwrap_or_default())]
pub struct Fault {
    /// What it means.
    pub kind: FaultKind,
    /// The service, as its IAM prefix (`ec2`).
    pub service: String,
    /// The operation (`CreateVpc`), or the verb of the engine where no call was sent (`ready`).
    pub operation: String,
    /// The wire code (`DependencyViolation`), or a short word of ours.
    pub code: String,
    /// What a person should read.
    pub message: String,
    /// The request id to quote to the cloud's support.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub request_id: Option<String>,
}

impl Fault {
    /// A fault that rcm itself found, without a call.
    pub fn ours(kind: FaultKind, operation: &str, code: &str, message: impl Into<String>) -> Self {
        Self {
            kind,
            service: "rcm".into(),
            operation: operation.into(),
            code: code.into(),
            message: message.into(),
            request_id: None,
        }
    }

    /// A fault that no retry mends: a wrong spec, a broken assumption.
    pub fn invalid(operation: &str, message: impl Into<String>) -> Self {
        Self::ours(FaultKind::Invalid, operation, "Invalid", message)
    }
}

//! Whom AWS writes to and calls about the account's security: its alternate contact for that.
//!
//! API: [PutAlternateContact](https://docs.aws.amazon.com/accounts/latest/reference/API_PutAlternateContact.html),
//! [GetAlternateContact](https://docs.aws.amazon.com/accounts/latest/reference/API_GetAlternateContact.html).
//!
//! Surprises: an account has one at most, putting takes over whatever is there, and there are no tags: ours is the one that has the
//! title below. AWS takes none without name, title, address and telephone number. The service is in one region of each partition. Whoever
//! is in there is never overwritten, not even by another deployment of the account that would name somebody else; a deployment that
//! changes its own setting changes the one that rcm has made. So what stands in it is not compared.

use aws_sdk_account::types::{AlternateContact, AlternateContactType::Security};
use rcm_engine::model::{Actions, Fault, FaultKind, Id, Observed, OnDestroy, Resource};
use serde::{Deserialize, Serialize};

use crate::{
    Aws,
    classify::{absent, fault},
};

type Cx<'a> = rcm_engine::model::Cx<'a, Aws>;

/// The title of the one that rcm has made.
const TITLE: &str = "Security contact, set by rcm";

/// What the contact should be.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Spec {
    /// Who it is: at most 64 characters.
    pub name: String,
    /// Where AWS writes to.
    pub email: String,
    /// Where AWS calls: at most 25 digits, spaces and `()+-`.
    pub phone: String,
}

/// What AWS gave.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Outputs {
    /// Where AWS writes to.
    pub email: String,
}

/// The contact.
pub struct SecurityContact;

impl Resource for SecurityContact {
    type Cloud = Aws;
    type Spec = Spec;
    type Outputs = Outputs;
    const KIND: &'static str = "account/security-contact";
    const REPLACE_ON: &'static [&'static str] = &[];
    const ON_DESTROY: OnDestroy = OnDestroy::Leave;

    async fn create(cx: &Cx<'_>, spec: &Spec) -> Result<Id, Fault> {
        // Putting would take somebody else's over.
        if get(cx.cloud).await?.is_some() {
            let message = "the account has a security contact already";
            return Err(Fault::ours(FaultKind::Exists, "PutAlternateContact", "ContactAlreadyExists", message));
        }
        put(cx, spec).await?;
        Ok(id(cx))
    }

    async fn configure(cx: &Cx<'_>, _: &Id, spec: &Spec) -> Result<(), Fault> {
        // The put is the whole create, and what was there before is left as it is.
        if cx.creating() {
            return Ok(());
        }
        let live = get(cx.cloud).await?;
        let ours = live.is_some_and(|live| live.title() == Some(TITLE) && !is_right(&live, spec));
        if ours { put(cx, spec).await } else { Ok(()) }
    }

    async fn read(cx: &Cx<'_>, _: &Id) -> Result<Option<Observed<Outputs>>, Fault> {
        let live = get(cx.cloud).await?;
        Ok(live.map(|live| Observed::new(Outputs { email: live.email_address.unwrap_or_default() })))
    }

    /// Whoever it is.
    async fn find(cx: &Cx<'_>, _: &Spec) -> Result<Option<Id>, Fault> {
        Ok(get(cx.cloud).await?.map(|_| id(cx)))
    }

    /// Leaves it: it is the account's.
    async fn delete(_: &Cx<'_>, _: &Id) -> Result<(), Fault> {
        Ok(())
    }

    fn fits(cx: &Cx<'_>, id: &Id, _: &Spec) -> bool {
        *id == self::id(cx)
    }

    fn actions() -> Actions {
        Actions { write: &["account:PutAlternateContact"], read: &["account:GetAlternateContact"], delete: &[] }
    }
}

/// The account.
fn id(cx: &Cx<'_>) -> Id {
    Id::from(cx.identity.deployment.account.as_str())
}

fn is_right(live: &AlternateContact, spec: &Spec) -> bool {
    let wanted = [spec.name.as_str(), &spec.email, &spec.phone].map(Some);
    [live.name(), live.email_address(), live.phone_number()] == wanted
}

async fn get(aws: &Aws) -> Result<Option<AlternateContact>, Fault> {
    let answer = aws.account.get_alternate_contact().alternate_contact_type(Security).send().await;
    Ok(absent(answer.map_err(fault("account", "GetAlternateContact")))?.and_then(|answer| answer.alternate_contact))
}

async fn put(cx: &Cx<'_>, spec: &Spec) -> Result<(), Fault> {
    let request = cx.cloud.account.put_alternate_contact().alternate_contact_type(Security).title(TITLE);
    let request = request.name(&spec.name).email_address(&spec.email).phone_number(&spec.phone);
    request.send().await.map(drop).map_err(fault("account", "PutAlternateContact"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_contact_is_right_if_all_that_is_asked_for_is() {
        let spec = Spec { name: "Security".into(), email: "security@acme.com".into(), phone: "+1 555 0100".into() };
        let live = AlternateContact::builder().name("Security").email_address("security@acme.com");
        assert!(is_right(&live.clone().phone_number("+1 555 0100").build(), &spec));
        assert!(!is_right(&live.build(), &spec));
    }
}

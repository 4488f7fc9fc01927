//! What counts for all disks, snapshots and images of the account.

use serde::{Deserialize, Serialize};

use super::invalid;
use super::network::{Call, Network};
use crate::countdown::Countdown;
use crate::wire::{Fault, Xml};

/// Of a block that is off.
pub(super) const UNBLOCKED: &str = "unblocked";
const BLOCK_NEW: &str = "block-new-sharing";
const BLOCK_ALL: &str = "block-all-sharing";

/// The switches. A new account has none of them on.
#[derive(Default, Serialize, Deserialize)]
pub(super) struct Defaults {
    encrypted: bool,
    snapshots: Option<String>,
    images: bool,
    countdown: Countdown,
}

impl Defaults {
    pub(super) fn arrive(&mut self) {
        self.countdown = Countdown::default();
    }
}

fn told(element: &str, value: impl std::fmt::Display) -> Result<Xml, Fault> {
    let mut xml = Xml::default();
    xml.text(element, value);
    Ok(xml)
}

pub(super) fn set_encryption(net: &mut Network, on: bool) -> Result<Xml, Fault> {
    net.defaults.encrypted = on;
    encryption(net)
}

pub(super) fn encryption(net: &Network) -> Result<Xml, Fault> {
    told("ebsEncryptionByDefault", net.defaults.encrypted)
}

pub(super) fn block_snapshots(net: &mut Network, state: &str) -> Result<Xml, Fault> {
    if ![UNBLOCKED, BLOCK_NEW, BLOCK_ALL].contains(&state) {
        return Err(invalid(format!("Invalid value '{state}' for State")));
    }
    net.defaults.snapshots = Some(state.to_owned()).filter(|state| state != UNBLOCKED);
    snapshots(net)
}

pub(super) fn snapshots(net: &Network) -> Result<Xml, Fault> {
    told("state", net.defaults.snapshots.as_deref().unwrap_or(UNBLOCKED))
}

/// It says `unblocked` until it is effective.
pub(super) fn block_images(net: &mut Network, call: &Call<'_>) -> Result<Xml, Fault> {
    let state = call.require("ImageBlockPublicAccessState")?;
    if state != BLOCK_NEW {
        return Err(invalid(format!("Invalid value '{state}' for ImageBlockPublicAccessState")));
    }
    if !net.defaults.images {
        net.defaults.images = true;
        net.defaults.countdown = call.countdown();
    }
    told("imageBlockPublicAccessState", BLOCK_NEW)
}

pub(super) fn unblock_images(net: &mut Network) -> Result<Xml, Fault> {
    net.defaults.images = false;
    told("imageBlockPublicAccessState", UNBLOCKED)
}

pub(super) fn images(net: &mut Network) -> Result<Xml, Fault> {
    let blocked = net.defaults.images && net.defaults.countdown.poll();
    told("imageBlockPublicAccessState", if blocked { BLOCK_NEW } else { UNBLOCKED })
}

//! An embedded AWS: for people without an account, and for tests.
//!
//! A [`Sandbox`] is one account in one region. The AWS SDK talks to it through [`Sandbox::http_client`] without leaving the
//! process; `aws --endpoint-url` and boto3 talk to the same cloud through [`Sandbox::serve`].
//!
//! What it holds is in `<dir>/<service>.json`, and every request that changes something is answered only after the file of
//! its service has been replaced. A process killed at any instant leaves the cloud as AWS would have it.
//!
//! # Time
//! What takes AWS minutes takes the sandbox *polls*: a NAT gateway is `pending` in the first [`Sandbox::with_polls`] Describe
//! calls that show it and `available` from then on. Nothing sleeps, and a test counts on exactly what it sees.
//!
//! # Map
//! - [`Sandbox`]: the front door, this file; `cloud` answers requests and saves; `route` knows whose request it is;
//!   `store` owns the directory; `client` and `serve` are the two ways in; `registry` is where images are
//!   pushed to.
//! - `service`: a service as the cloud sees it; `emulator`: the one way to make one, of a typed state.
//! - `services`: a file for each service; each says in its doc comment what it plays.
//! - What services share: `wire`, `json` and `cbor` are AWS's wire formats, `neighbours` is what one service asks another, `countdown`
//!   counts polls, `arn`, `time` and `page` are names, times and lists.

mod arn;
pub mod cbor;
mod client;
mod cloud;
mod countdown;
mod emulator;
mod json;
mod neighbours;
mod page;
mod registry;
mod route;
mod serve;
mod service;
mod services;
mod store;
mod time;
mod wire;

use std::path::{Path, PathBuf};
use std::sync::Arc;

use aws_smithy_runtime_api::client::http::SharedHttpClient;

use crate::client::InProcess;
use crate::cloud::Cloud;
use crate::store::Store;

/// One AWS account in one region, played in this process and kept in a directory.
///
/// The directory stays locked while the sandbox or any client made of it lives.
#[derive(Clone)]
pub struct Sandbox {
    cloud: Arc<Cloud>,
}

impl Sandbox {
    /// Opens the cloud kept in `dir`, or a new and empty one.
    ///
    /// # Errors
    /// [`SandboxError::Locked`] while another process has it open, [`SandboxError::Elsewhere`] when `dir` holds the cloud of
    /// another account or region, [`SandboxError::Unreadable`] for files this version cannot read: they are left as they are.
    pub async fn open(dir: &Path, account: &str, region: &str) -> Result<Self, SandboxError> {
        let store = Store::open(dir, account, region)?;
        let cloud = Cloud::load(store, account, region)?;
        Ok(Self { cloud: Arc::new(cloud) })
    }

    /// How many Describe calls see a resource on its way (`pending`, `creating`, `deleting`) before it arrives. The default
    /// is 2; 0 makes everything instant. Counts from the next change of state on.
    #[must_use]
    pub fn with_polls(self, polls: u32) -> Self {
        self.cloud.context().set_polls(polls);
        self
    }

    /// An HTTP client for the SDK's configuration that never leaves the process. Credentials can be any; the region must be
    /// the sandbox's.
    #[must_use]
    pub fn http_client(&self) -> SharedHttpClient {
        SharedHttpClient::new(InProcess::new(Arc::clone(&self.cloud)))
    }

    /// Answers HTTP/1.1 on `listener` until `shutdown` resolves, then finishes the requests under way. Path-style and
    /// host-style S3 are both understood. There is no TLS and no check of signatures: bind it to the loopback address.
    ///
    /// # Errors
    /// [`SandboxError::Io`] when the listener fails.
    pub async fn serve(
        &self,
        listener: tokio::net::TcpListener,
        shutdown: impl Future<Output = ()> + Send,
    ) -> Result<(), SandboxError> {
        serve::serve(Arc::clone(&self.cloud), listener, shutdown).await
    }

    /// A long time passes: everything that is on its way arrives. Not while requests are under way.
    ///
    /// # Errors
    /// [`SandboxError::Io`] when the directory cannot be written to.
    pub fn settle(&self) -> Result<(), SandboxError> {
        self.cloud.settle()
    }

    /// Deletes the cloud kept in `dir`; nothing else in the directory is touched.
    ///
    /// # Errors
    /// [`SandboxError::Locked`] while a process has it open.
    pub fn reset(dir: &Path) -> Result<(), SandboxError> {
        Store::reset(dir)
    }
}

impl std::fmt::Debug for Sandbox {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let cx = self.cloud.context();
        f.debug_struct("Sandbox").field("account", &cx.account).field("region", &cx.region).finish_non_exhaustive()
    }
}

/// Why a sandbox cannot be opened, served or reset.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SandboxError {
    /// Another process has this cloud open.
    #[error("the sandbox in {} is in use by {}", dir.display(), holder(*pid))]
    Locked {
        /// The directory of the cloud.
        dir: PathBuf,
        /// The process that holds it, where it left its id.
        pid: Option<u32>,
    },
    /// The directory holds the cloud of another account or region.
    #[error(
        "the sandbox in {} plays account {saved_account} in {saved_region}, not account {account} in {region}",
        dir.display()
    )]
    Elsewhere {
        /// The directory of the cloud.
        dir: PathBuf,
        /// The account it was made for.
        saved_account: String,
        /// The region it was made for.
        saved_region: String,
        /// The account that was asked for.
        account: String,
        /// The region that was asked for.
        region: String,
    },
    /// Not an account id.
    #[error("`{0}` is not an AWS account id: twelve digits")]
    NotAnAccount(String),
    /// A saved file is damaged or of a newer version. It was not changed.
    #[error("cannot read the saved sandbox {}: {reason}", path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
    /// The file system or the network refused.
    #[error("cannot {action} {}", path.display())]
    Io {
        /// What was being done: `create`, `lock`, `write`, `serve on`, …
        action: &'static str,
        /// The file, directory or address.
        path: PathBuf,
        /// The operating system's reason.
        source: std::io::Error,
    },
}

fn holder(pid: Option<u32>) -> String {
    pid.map_or_else(|| "another process".to_owned(), |pid| format!("process {pid}"))
}

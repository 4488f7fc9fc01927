//! Which cloud a partner's environment is in.

use std::{collections::BTreeMap, path::PathBuf, sync::Arc};

use rcm::{Cloud, PartnerConfig};
use rcm_sandbox::{Sandbox, SandboxError};
use tokio::sync::Mutex;

type Place = (String, String);

/// Where requests go.
#[derive(Clone)]
pub(crate) enum Clouds {
    /// To AWS. A program that finds its credentials in a way of its own gives `Cloud::Config` here.
    Aws,
    /// To sandboxes below a directory: one for each account and region, opened once.
    Sandboxes(PathBuf, Arc<Mutex<BTreeMap<Place, Sandbox>>>),
}

impl Clouds {
    pub(crate) fn sandbox(dir: PathBuf) -> Self {
        Self::Sandboxes(dir, Arc::default())
    }

    pub(crate) async fn of(&self, config: &PartnerConfig) -> Result<Cloud, SandboxError> {
        let Self::Sandboxes(dir, open) = self else { return Ok(Cloud::Aws) };
        let (account, region) = (config.aws_account_id.as_str(), config.aws_region.as_str());
        let mut open = open.lock().await;
        let place = (account.to_owned(), region.to_owned());
        if let Some(sandbox) = open.get(&place) {
            return Ok(Cloud::InProcess(sandbox.http_client()));
        }
        let sandbox = Sandbox::open(&dir.join(format!("{account}-{region}")), account, region).await?;
        Ok(Cloud::InProcess(open.entry(place).or_insert(sandbox).http_client()))
    }
}

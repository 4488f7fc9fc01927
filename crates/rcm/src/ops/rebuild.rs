//! Making a lost state again.

use std::{collections::BTreeMap, path::PathBuf};

use rcm_engine::{
    plan::{Rebuilt, rebuild},
    store::Document,
};

use super::{Environment, aside::aside, fixed, zones};
use crate::Error;

impl Environment {
    /// Makes the state again from the cloud and the partner file, and says where the old one is now, if there was one.
    ///
    /// Only looks at the cloud. A state that is there, readable or not, is an error unless `force` is set.
    pub async fn rebuild(&self, force: bool) -> Result<(Rebuilt, Option<PathBuf>), Error> {
        let lock = self.lock().await?;
        let store = self.store.clone();
        if aside(move || Ok(store.exists(&Document::State)?)).await? && !force {
            return Err(Error::StateExists(self.store.state_path()));
        }
        let caller = self.check_account().await?;
        let before = self.load_aside().await.ok().flatten();
        let recording = self.record("state rebuild", Some(caller.arn), before.as_ref()).await?;
        let zones = match zones::lived_in(&self.registry, &self.deployment, &self.config).await? {
            Some(zones) => zones,
            None => zones::asked(&self.aws, &self.config).await?,
        };
        let graph = self.blueprint(zones.clone(), None, None)?;
        let mut rebuilt = rebuild(self.view(), &self.deployment, &graph).await?;
        // Which image was deployed is known only now, and with it what else there is because of it.
        let deployed = rebuilt.as_ref().and_then(|rebuilt| fixed::deployed(&self.config, &rebuilt.state));
        if let Some(image) = deployed.filter(|_| self.config.api_image.is_none()) {
            let graph = self.blueprint(zones, None, Some(&image))?;
            rebuilt = rebuild(self.view(), &self.deployment, &graph).await?;
        }
        let rebuilt = rebuilt.ok_or_else(|| Error::NothingThere {
            partner: self.config.partner.clone(),
            environment: self.config.environment.clone(),
        })?;
        recording.end("done", BTreeMap::new()).await;
        let (store, state) = (self.store.clone(), rebuilt.state.clone());
        let put = move || {
            let backup = store.replace(&lock, &state)?;
            lock.give_back();
            Ok(backup)
        };
        let backup = aside(put).await?;
        Ok((rebuilt, backup))
    }
}

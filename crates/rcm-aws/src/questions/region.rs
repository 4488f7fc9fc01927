//! Whether the account uses a Region.
//!
//! API: [GetRegionOptStatus](https://docs.aws.amazon.com/accounts/latest/reference/API_GetRegionOptStatus.html).

use rcm_engine::model::Fault;

use crate::{Aws, classify::fault};

impl Aws {
    /// `ENABLED`, `ENABLED_BY_DEFAULT`, `ENABLING`, `DISABLING` or `DISABLED`.
    pub async fn region_status(&self, region: &str) -> Result<String, Fault> {
        let request = self.account.get_region_opt_status().region_name(region);
        let answer = request.send().await.map_err(fault("account", "GetRegionOptStatus"))?;
        Ok(answer.region_opt_status().map_or("unknown", |status| status.as_str()).to_owned())
    }
}

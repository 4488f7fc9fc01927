//! rcm as a library: what a program that embeds it can rely on.

mod beside;
mod distant;
mod kinds;
mod sending;
mod service;
mod store;

use std::path::Path;

use rcm::{Cloud, Environment, PartnerConfig, Settings};
use rcm_sandbox::Sandbox;

pub(super) const ACCOUNT: &str = "123456789012";
pub(super) const REGION: &str = "us-east-1";

/// A partner with as little as can be.
pub(super) fn partner(name: &str) -> PartnerConfig {
    partner_with(name, "")
}

/// The same with more `settings`, one a line; `environment` may be among them.
pub(super) fn partner_with(name: &str, settings: &str) -> PartnerConfig {
    let environment = if settings.contains("environment =") { "" } else { "environment = \"dev\"" };
    let text = format!(
        r##"
        project_prefix = "{name}-rcm"
        brand_name = "{name}"
        {environment}
        support_email = "support@{name}.com"
        primary_color = "#FF5722"
        aws_account_id = "{ACCOUNT}"
        aws_region = "{REGION}"
        tier = "development"
        {settings}
        "##
    );
    PartnerConfig::parse(format!("{name}.toml"), &text, None).unwrap()
}

pub(super) async fn sandbox(dir: &Path) -> Sandbox {
    Sandbox::open(&dir.join("cloud"), ACCOUNT, REGION).await.unwrap()
}

/// Settings for a sandbox in `dir`, with states beside it.
pub(super) async fn settings(dir: &Path) -> Settings {
    Settings { cloud: Cloud::InProcess(sandbox(dir).await.http_client()), ..Settings::new(dir.join("state")) }
}

pub(super) async fn open(name: &str, settings: Settings) -> Environment {
    Environment::open(partner(name), settings).await.unwrap()
}

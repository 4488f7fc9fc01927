//! An environment with one resource more than rcm's own: each partner's load balancer is entered in the company's directory.
//!
//! ```text
//! cargo run --example directory
//! ```
//!
//! It plays in a sandbox that is gone afterwards: nothing is sent anywhere.

#![expect(clippy::print_stdout, reason = "a program for people to read along")]

mod entry;

use std::{error::Error, path::Path, sync::Arc};

use entry::{Directory, Entry, Spec};
use rcm::{
    Cloud, Environment, Goal, PartnerConfig, Settings,
    aws::resources::elb_load_balancer::LoadBalancer,
    engine::model::{Address, Graph, Ref, Registry},
};
use rcm_sandbox::Sandbox;

const PARTNER: &str = r##"
    project_prefix = "acme-rcm"
    brand_name = "Acme Healthcare RCM"
    environment = "dev"
    support_email = "support@acme.com"
    primary_color = "#FF5722"
    aws_account_id = "123456789012"
    aws_region = "us-east-1"
    tier = "development"
"##;

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let dir = tempfile::tempdir()?;
    let directory = Arc::new(Directory::default());
    let environment = open(dir.path(), &directory).await?;

    let made = environment.run(&Goal::provision(), |_| true).await?;
    println!("{} resources were made", made.plan.forward.len());
    for (name, row) in directory.rows().iter() {
        println!("{name} answers at {}", row.host);
    }

    for row in directory.rows().values_mut() {
        row.host = "elsewhere.example.com".into();
    }
    let plan = environment.plan(&Goal::provision()).await?;
    for step in plan.steps() {
        println!("somebody has changed {}, and the next run will {} it", step.address, step.action.word());
    }

    environment.run(&Goal::destroy(), |_| true).await?;
    println!("{} entries are left", directory.rows().len());
    Ok(())
}

/// Acme's environment, with a node of the kind [`Entry`] in its graph.
async fn open(dir: &Path, directory: &Arc<Directory>) -> Result<Environment, Box<dyn Error>> {
    let config = PartnerConfig::parse("acme.toml", PARTNER, None)?;
    let balancer = Ref::<LoadBalancer>::to(Address::new("edge/load-balancer")?);
    let sandbox = Sandbox::open(&dir.join("cloud"), config.aws_account_id.as_str(), config.aws_region.as_str()).await?;
    let client = Arc::clone(directory);
    let settings = Settings { cloud: Cloud::InProcess(sandbox.http_client()), ..Settings::new(dir.join("state")) }
        .with_kinds(move |_aws| Registry::new().with::<Entry>(&client))
        .with_blueprint(move |config, _surroundings, mut graph: Graph| {
            let host = balancer.output("dns_name");
            graph.add::<Entry>("directory/entry", Spec { name: config.prefix(), host });
            graph
        });
    Ok(Environment::open(config, settings).await?)
}

//! An onboarding service: a partner is posted, its environment is provisioned, and whoever wants to watches.
//!
//! ```text
//! cargo run --example onboarding -- --sandbox
//!
//! curl -i http://127.0.0.1:8080/partners -d '{"name": "acme", "project_prefix": "acme-rcm", "brand_name": "Acme Healthcare RCM",
//!   "environment": "dev", "support_email": "support@acme.com", "primary_color": "#FF5722", "aws_account_id": "123456789012",
//!   "aws_region": "us-east-1", "tier": "development"}'
//! curl -N http://127.0.0.1:8080/partners/acme/events
//! curl http://127.0.0.1:8080/partners/acme
//! ```
//!
//! Who asks is not asked here, so it listens on a loopback address and on no other. Whoever opens it puts a layer before the router in
//! `api.rs` that knows who may post a partner; with rcm's credentials that is whoever may make anything in the partners' accounts.
//!
//! Ctrl-C ends it: runs stop at their next safe points, what watches them is told to the end, and a partner that is posted again goes on
//! from there.

#![expect(clippy::print_stdout, reason = "a program for people, and for the test that starts it")]

mod api;
mod clouds;
mod partners;
mod run;
mod server;

use std::{env, error::Error, net::SocketAddr, path::PathBuf};

use tokio::net::TcpListener;

use crate::{clouds::Clouds, partners::Partners};

const USAGE: &str = "onboarding [--listen ADDRESS:PORT] [--dir DIR] [--sandbox]";

struct Options {
    listen: SocketAddr,
    /// Where partner files and states are kept.
    dir: PathBuf,
    sandbox: bool,
}

impl Options {
    fn parse(mut arguments: impl Iterator<Item = String>) -> Result<Self, Box<dyn Error>> {
        let listen = SocketAddr::from(([127, 0, 0, 1], 8080));
        let mut options = Self { listen, dir: "onboarding".into(), sandbox: false };
        while let Some(name) = arguments.next() {
            let mut value = || arguments.next().ok_or_else(|| format!("{name} needs a value: {USAGE}"));
            match name.as_str() {
                "--listen" => options.listen = value()?.parse()?,
                "--dir" => options.dir = value()?.into(),
                "--sandbox" => options.sandbox = true,
                _ => return Err(format!("{name} means nothing here: {USAGE}").into()),
            }
        }
        if options.listen.ip().is_loopback() {
            return Ok(options);
        }
        Err(format!("{} is open to others, and nobody is asked who they are here", options.listen).into())
    }
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let Options { listen, dir, sandbox } = Options::parse(env::args().skip(1))?;
    let clouds = if sandbox { Clouds::sandbox(dir.join("cloud")) } else { Clouds::Aws };
    let partners = Partners::new(dir, clouds);
    let listener = TcpListener::bind(listen).await?;
    println!("listening on http://{}", listener.local_addr()?);
    let serving = server::Server::start(api::router(partners.clone()));
    let listened = serving.accept_until(&listener, tokio::signal::ctrl_c()).await;
    println!("stopping");
    partners.stop().await;
    serving.drain().await;
    Ok(listened?)
}

//! A cloud in a directory of its own, and the SDK's configuration to talk to it.

use std::path::Path;

use aws_config::retry::RetryConfig;
use aws_config::{BehaviorVersion, Region, SdkConfig};
use aws_credential_types::Credentials;
use aws_credential_types::provider::SharedCredentialsProvider;
use aws_sdk_kms::error::{ProvideErrorMetadata, SdkError};
use rcm_sandbox::Sandbox;
use tempfile::TempDir;
use tokio::net::TcpListener;
use tokio::sync::oneshot;
use tokio::task::JoinHandle;

pub(crate) const ACCOUNT: &str = "123456789012";
pub(crate) const REGION: &str = "us-east-1";

/// An open sandbox. `Client::new(&cloud.sdk())` is a client of it, for every service.
pub(crate) struct Cloud {
    sandbox: Sandbox,
    dir: TempDir,
}

impl Cloud {
    /// A new and empty one, where everything happens at once.
    pub(crate) async fn new() -> Self {
        Self::at(tempfile::tempdir().unwrap(), ACCOUNT).await
    }

    /// A new and empty one, where changes of state take as many polls as AWS's minutes.
    pub(crate) async fn with_polls(polls: u32) -> Self {
        let Self { sandbox, dir } = Self::new().await;
        Self { sandbox: sandbox.with_polls(polls), dir }
    }

    pub(crate) async fn at(dir: TempDir, account: &str) -> Self {
        let sandbox = Sandbox::open(dir.path(), account, REGION).await.unwrap().with_polls(0);
        Self { sandbox, dir }
    }

    pub(crate) fn dir(&self) -> &Path {
        self.dir.path()
    }

    /// What is left of it when its process dies: the directory.
    pub(crate) fn close(self) -> TempDir {
        self.dir
    }

    /// The cloud as the next process finds it.
    pub(crate) async fn reopen(self) -> Self {
        Self::at(self.close(), ACCOUNT).await
    }

    pub(crate) fn sdk(&self) -> SdkConfig {
        self.sdk_as("AKIASANDBOXSANDBOX00")
    }

    /// As somebody else.
    pub(crate) fn sdk_as(&self, access_key: &str) -> SdkConfig {
        SdkConfig::builder()
            .behavior_version(BehaviorVersion::latest())
            .http_client(self.sandbox.http_client())
            .credentials_provider(credentials(access_key))
            .region(Region::new(REGION))
            .retry_config(RetryConfig::disabled())
            .build()
    }

    /// The same cloud, over HTTP.
    pub(crate) async fn serve(&self) -> Served {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let (stop, stopped) = oneshot::channel::<()>();
        let sandbox = self.sandbox.clone();
        let server = tokio::spawn(async move {
            sandbox.serve(listener, async { stopped.await.unwrap_or_default() }).await.unwrap();
        });
        Served { url, stop, server }
    }
}

/// A cloud behind a port of this machine.
pub(crate) struct Served {
    url: String,
    stop: oneshot::Sender<()>,
    server: JoinHandle<()>,
}

impl Served {
    /// Configuration with the SDK's own HTTP client.
    pub(crate) fn sdk(&self) -> SdkConfig {
        SdkConfig::builder()
            .behavior_version(BehaviorVersion::latest())
            .endpoint_url(&self.url)
            .credentials_provider(credentials("AKIASANDBOXSANDBOX00"))
            .region(Region::new(REGION))
            .build()
    }

    pub(crate) async fn stop(self) {
        self.stop.send(()).unwrap();
        self.server.await.unwrap();
    }
}

fn credentials(access_key: &str) -> SharedCredentialsProvider {
    SharedCredentialsProvider::new(Credentials::new(access_key, "no-signature-is-checked", None, None, "sandbox tests"))
}

/// The wire code of a refusal.
pub(crate) fn code<T, E>(result: Result<T, SdkError<E>>) -> String
where
    E: ProvideErrorMetadata,
{
    refusal(result).0
}

/// The wire code and the message of a refusal.
pub(crate) fn refusal<T, E>(result: Result<T, SdkError<E>>) -> (String, String)
where
    E: ProvideErrorMetadata,
{
    let error = result.err().unwrap();
    let text = |text: Option<&str>| text.unwrap_or_default().to_owned();
    (text(error.code()), text(error.message()))
}

/// A key whose policy lets CloudWatch Logs of this region use it: its ARN.
pub(crate) async fn key_for_logs(cloud: &Cloud) -> String {
    let policy = format!(
        r#"{{"Version":"2012-10-17","Statement":[
            {{"Effect":"Allow","Principal":{{"AWS":"arn:aws:iam::{ACCOUNT}:root"}},"Action":"kms:*","Resource":"*"}},
            {{"Effect":"Allow","Principal":{{"Service":["rds.amazonaws.com","logs.{REGION}.amazonaws.com"]}},
              "Action":["kms:Encrypt*","kms:Decrypt*"],"Resource":"*"}}]}}"#
    );
    let kms = aws_sdk_kms::Client::new(&cloud.sdk());
    kms.create_key().policy(policy).send().await.unwrap().key_metadata.unwrap().arn.unwrap()
}

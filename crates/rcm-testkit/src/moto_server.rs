//! A moto server of one's own: AWS over HTTP, in memory, in another process.

use std::fs::{self, File};
use std::io::{Read, Write};
use std::net::{Ipv4Addr, TcpStream};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use tempfile::TempDir;

use crate::{Registry, poll, project};

const START: Duration = Duration::from_secs(60);
const ANSWER: Duration = Duration::from_secs(30);
/// How much of the log a failing test shows.
const TAIL: usize = 60;

/// A running moto server, with an account that nobody else uses.
///
/// Every test starts its own (1.5 s): tests run in parallel, and moto has one memory per server. It ends when this value is
/// dropped and, because it watches its standard input, also when the test process is killed. When a test fails, the end of its log is shown.
pub struct Moto {
    child: Child,
    port: u16,
    scratch: Option<TempDir>,
}

impl Moto {
    /// The account that everything in it belongs to.
    pub const ACCOUNT: &'static str = "123456789012";

    /// Starts a server on a free port of the loopback interface and waits until it listens.
    ///
    /// # Panics
    /// When moto is not installed, naming the command that does it, or when the server does not start within a minute.
    #[must_use]
    pub fn start() -> Self {
        Self::start_issuing_after(1)
    }

    /// The same, with `registry` for what its ECR keeps images in: moto itself takes none.
    ///
    /// # Panics
    /// As [`start`](Self::start).
    #[must_use]
    pub fn start_with_registry(registry: &Registry) -> Self {
        let mut command = command(1);
        command.env("RCM_TEST_REGISTRY", registry.url());
        Self::spawn(command)
    }

    /// The same, but a certificate waits for so many seconds before it is issued.
    ///
    /// # Panics
    /// As [`start`](Self::start).
    #[must_use]
    pub fn start_issuing_after(seconds: u32) -> Self {
        Self::spawn(command(seconds))
    }

    fn spawn(mut command: Command) -> Self {
        let scratch = TempDir::new().unwrap_or_else(|error| panic!("no temporary directory: {error}"));
        let log = File::create(scratch.path().join("moto.log")).and_then(|log| Ok((log.try_clone()?, log)));
        let (stdout, stderr) = log.unwrap_or_else(|error| panic!("no log for moto: {error}"));
        let child = command.stdin(Stdio::piped()).stdout(stdout).stderr(stderr).spawn();
        let child = child.unwrap_or_else(|error| panic!("moto does not start: {error}"));
        let mut moto = Self { child, port: 0, scratch: Some(scratch) };
        moto.port = moto.wait_for_port();
        moto
    }

    /// The URL to give to an SDK.
    #[must_use]
    pub fn endpoint(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }

    /// Empties the account.
    ///
    /// # Panics
    /// When the server does not do so.
    pub fn reset(&self) {
        let answer = self.post("/moto-api/reset").unwrap_or_else(|error| panic!("moto does not reset: {error}"));
        assert!(answer.starts_with("HTTP/1.1 200 "), "moto does not reset: {answer}");
    }

    /// What the server has logged: one line a request.
    #[must_use]
    pub fn log(&self) -> String {
        let path = self.scratch.as_ref().map(|scratch| scratch.path().join("moto.log"));
        path.and_then(|path| fs::read(path).ok())
            .map(|log| String::from_utf8_lossy(&log).into_owned())
            .unwrap_or_default()
    }

    /// werkzeug binds, then says on which port.
    fn wait_for_port(&mut self) -> u16 {
        let port = poll(START, || {
            let ended = self.child.try_wait().ok().flatten();
            ended.map(|status| Err(format!("moto ended with {status}"))).or_else(|| port_in(&self.log()).map(Ok))
        });
        match port {
            Some(Ok(port)) => port,
            Some(Err(why)) => panic!("{why}"),
            None => panic!("moto does not listen after {START:?}"),
        }
    }

    fn post(&self, path: &str) -> std::io::Result<String> {
        let mut stream = TcpStream::connect((Ipv4Addr::LOCALHOST, self.port))?;
        stream.set_read_timeout(Some(ANSWER))?;
        write!(stream, "POST {path} HTTP/1.1\r\nHost: localhost\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")?;
        let mut answer = String::new();
        stream.read_to_string(&mut answer)?;
        Ok(answer)
    }
}

impl Drop for Moto {
    fn drop(&mut self) {
        // Neither can fail for a child that runs or has ended, and there is nobody left to tell.
        let _ = self.child.kill();
        let _ = self.child.wait();
        if std::thread::panicking() {
            self.show_log();
        }
    }
}

impl Moto {
    #[expect(clippy::print_stderr, reason = "the test runner shows it with the failing test, and only then")]
    fn show_log(&mut self) {
        let log = self.log();
        let kept = self.scratch.take().map(TempDir::keep).unwrap_or_default();
        let lines = log.lines().collect::<Vec<_>>();
        let tail = lines[lines.len().saturating_sub(TAIL)..].join("\n");
        eprintln!("--- the end of {}\n{tail}\n---", kept.join("moto.log").display());
    }
}

fn port_in(log: &str) -> Option<u16> {
    let (_, after) = log.split_once("Running on http://127.0.0.1:")?;
    let (port, _) = after.split_once('\n')?;
    port.trim().parse().ok()
}

fn command(validation: u32) -> Command {
    let mut command = Command::new(project::python());
    command.arg(project::root().join("tests/moto/serve.py")).env_clear().envs([
        ("MOTO_ACCOUNT_ID", Moto::ACCOUNT),
        // AWS's own policies can be attached, as on AWS.
        ("MOTO_IAM_LOAD_MANAGED_POLICIES", "true"),
        // Describes until a service is stable; without it none ever is.
        ("MOTO_ECS_SERVICE_RUNNING", "2"),
        ("MOTO_EC2_LOAD_DEFAULT_AMIS", "false"),
    ]);
    // Seconds until a certificate is ISSUED, so that it is PENDING_VALIDATION first.
    command.env("MOTO_ACM_VALIDATION_WAIT", validation.to_string());
    command
}

//! The `rcm` command as a user runs it: a process with its own environment, whose output and exit code are looked at.

use std::ffi::OsStr;
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::time::Duration;

use tempfile::TempDir;

use crate::{poll, project};

const PATIENCE: Duration = Duration::from_secs(300);

/// The environment of a process that can reach `endpoint` and nothing else: no profile, no instance metadata, no proxy.
pub(crate) fn loopback(endpoint: &str) -> [(&'static str, String); 7] {
    [
        ("PATH", std::env::var("PATH").unwrap_or_default()),
        ("AWS_ENDPOINT_URL", endpoint.to_owned()),
        ("AWS_ACCESS_KEY_ID", "testing".to_owned()),
        ("AWS_SECRET_ACCESS_KEY", "testing".to_owned()),
        ("AWS_EC2_METADATA_DISABLED", "true".to_owned()),
        ("AWS_CONFIG_FILE", "/dev/null".to_owned()),
        ("AWS_SHARED_CREDENTIALS_FILE", "/dev/null".to_owned()),
    ]
}

/// The built `rcm` with a state directory of its own, which lives as long as this value does.
pub struct Rcm {
    scratch: TempDir,
    partners: PathBuf,
    environment: Vec<(String, String)>,
}

impl Rcm {
    /// An `rcm` that talks to `endpoint` and reads the partner files in `partners`. Builds the binary if need be.
    ///
    /// # Panics
    /// When the binary does not build.
    #[must_use]
    pub fn new(endpoint: &str, partners: impl Into<PathBuf>) -> Self {
        project::rcm_binary();
        let scratch = TempDir::new().unwrap_or_else(|error| panic!("no temporary directory: {error}"));
        let environment = loopback(endpoint).map(|(name, value)| (name.to_owned(), value)).into();
        Self { scratch, partners: partners.into(), environment }
    }

    /// The same with one environment variable more, or another value for it.
    #[must_use]
    pub fn env(mut self, name: &str, value: impl Into<String>) -> Self {
        self.environment.push((name.to_owned(), value.into()));
        self
    }

    /// Where this `rcm` keeps its state.
    #[must_use]
    pub fn state_dir(&self) -> PathBuf {
        self.scratch.path().join("state")
    }

    /// Runs to the end.
    ///
    /// # Panics
    /// When it takes more than five minutes: it is killed, and what it printed is shown.
    #[track_caller]
    pub fn run<A: AsRef<OsStr>>(&self, arguments: impl IntoIterator<Item = A>) -> Ran {
        self.start(arguments).finish(PATIENCE)
    }

    /// Starts and does not wait, for tests that kill, signal or race it.
    #[track_caller]
    pub fn start<A: AsRef<OsStr>>(&self, arguments: impl IntoIterator<Item = A>) -> Running {
        Running::start(&mut self.command(arguments))
    }

    /// The command, for tests that start it in a way of their own.
    #[must_use]
    pub fn command<A: AsRef<OsStr>>(&self, arguments: impl IntoIterator<Item = A>) -> Command {
        let mut command = Command::new(project::rcm_binary());
        command.env_clear().env("HOME", self.scratch.path()).envs(self.environment.iter().cloned());
        command.current_dir(self.scratch.path()).args(arguments);
        command.arg("--state-dir").arg(self.state_dir()).arg("--partners-dir").arg(&self.partners);
        command
    }
}

/// A process that writes to files, so that it never waits for its reader. It is killed when this is dropped.
pub struct Running {
    child: Child,
    what: String,
    output: TempDir,
}

impl Running {
    /// Starts `command` with nothing to read.
    ///
    /// # Panics
    /// When it does not start.
    #[track_caller]
    pub fn start(command: &mut Command) -> Self {
        Self::reading(Stdio::null(), command)
    }

    /// Starts it with something to read.
    #[track_caller]
    pub(crate) fn reading(stdin: Stdio, command: &mut Command) -> Self {
        let output = TempDir::new().unwrap_or_else(|error| panic!("no temporary directory: {error}"));
        let file = |name| File::create(output.path().join(name)).unwrap_or_else(|error| panic!("{name}: {error}"));
        command.stdin(stdin).stdout(file("stdout")).stderr(file("stderr"));
        let what = format!("{command:?}");
        let child = command.spawn().unwrap_or_else(|error| panic!("{what}: {error}"));
        Self { child, what, output }
    }

    /// What it reads from, where that is a pipe.
    pub(crate) fn stdin(&mut self) -> Option<ChildStdin> {
        self.child.stdin.take()
    }

    /// The process id, for signals.
    #[must_use]
    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// Sends it a signal by its short name, such as `INT`.
    ///
    /// # Panics
    /// When it has ended already.
    #[track_caller]
    pub fn signal(&self, name: &str) {
        let sent = Command::new("kill").args(["-s", name, &self.id().to_string()]).status();
        assert!(sent.is_ok_and(|status| status.success()), "SIG{name} cannot be sent to {}", self.what);
    }

    /// Waits until it has printed `text` to standard error.
    ///
    /// # Panics
    /// When it has not after a minute, showing what it has printed.
    #[track_caller]
    pub fn wait_until_it_says(&self, text: &str) {
        let said = poll(Duration::from_secs(60), || self.stderr().contains(text).then_some(()));
        assert!(said.is_some(), "never said {text:?}: {}", self.ran(None).transcript());
    }

    /// Ends it as `kill -9` does, and gives what it had printed until then.
    pub fn kill(mut self) -> Ran {
        let _ = self.child.kill();
        let code = self.child.wait().ok().and_then(|status| status.code());
        self.ran(code)
    }

    /// Waits for its end.
    ///
    /// # Panics
    /// When it has not ended after `patience`: it is killed, and what it printed is shown.
    #[track_caller]
    pub fn finish(mut self, patience: Duration) -> Ran {
        let status = PathBuf::from(format!("/proc/{}/status", self.id()));
        let mut peak_kib = 0;
        let ended = poll(patience, || {
            // Nothing to read once it has ended.
            peak_kib = peak(&read(&status)).unwrap_or(peak_kib);
            self.child.try_wait().transpose()
        });
        match ended {
            Some(Ok(status)) => Ran { peak_kib, ..self.ran(status.code()) },
            Some(Err(error)) => panic!("{}: {error}", self.what),
            None => panic!("still running after {patience:?}: {}", self.kill().transcript()),
        }
    }

    /// Ends it as `kill -9` does once `after` has passed, unless it has ended by itself: then what it left behind.
    ///
    /// # Panics
    /// When the operating system does not know it.
    #[track_caller]
    pub fn kill_after(mut self, after: Duration) -> Option<Ran> {
        match poll(after, || self.child.try_wait().transpose()) {
            Some(Ok(status)) => Some(self.ran(status.code())),
            Some(Err(error)) => panic!("{}: {error}", self.what),
            None => {
                drop(self.kill());
                None
            }
        }
    }

    /// What it has printed to standard output so far.
    #[must_use]
    pub fn stdout(&self) -> String {
        read(&self.output.path().join("stdout"))
    }

    /// What it has printed to standard error so far.
    #[must_use]
    pub fn stderr(&self) -> String {
        read(&self.output.path().join("stderr"))
    }

    fn ran(&self, code: Option<i32>) -> Ran {
        Ran { what: self.what.clone(), code, stdout: self.stdout(), stderr: self.stderr(), peak_kib: 0 }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // Both fail for a process that has ended and been waited for, which is what they are here to reach.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// What a process left behind.
#[derive(Debug, Clone)]
pub struct Ran {
    what: String,
    /// The exit code; `None` when a signal ended it.
    pub code: Option<i32>,
    /// Standard output.
    pub stdout: String,
    /// Standard error.
    pub stderr: String,
    /// The most memory that it was seen to have at once, in KiB; 0 where nobody looked or the system does not tell.
    pub peak_kib: u64,
}

impl Ran {
    /// This, when the exit code is `code`.
    ///
    /// # Panics
    /// When it is another one, showing what was printed.
    #[track_caller]
    #[must_use]
    pub fn expect_code(self, code: i32) -> Self {
        assert_eq!(self.code, Some(code), "{}", self.transcript());
        self
    }

    /// The command, its exit code and all that it printed, for failure messages.
    #[must_use]
    pub fn transcript(&self) -> String {
        let Self { what, code, stdout, stderr, .. } = self;
        format!("{what}\nexit code {code:?}\n--- stdout\n{stdout}\n--- stderr\n{stderr}\n---")
    }
}

/// The peak of the resident memory in Linux's `/proc/PID/status`, in KiB.
fn peak(status: &str) -> Option<u64> {
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
    line.trim().trim_end_matches("kB").trim().parse().ok()
}

fn read(path: &Path) -> String {
    fs::read(path).map(|bytes| String::from_utf8_lossy(&bytes).into_owned()).unwrap_or_default()
}

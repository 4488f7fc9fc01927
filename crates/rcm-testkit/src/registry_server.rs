//! A registry of one's own (Debian's `docker-registry`), and a front before it that makes trouble as others do.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::{Ipv4Addr, Shutdown, TcpListener, TcpStream};
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::Duration;

use tempfile::TempDir;

use crate::{poll, project};

const START: Duration = Duration::from_secs(60);

/// A running registry, empty at first. It ends when this value is dropped.
pub struct Registry {
    child: Child,
    port: u16,
    scratch: TempDir,
}

impl Registry {
    /// The user that [`with_password`](Self::with_password) lets in: ECR's.
    pub const USER: &'static str = "AWS";
    /// The user's password.
    pub const PASSWORD: &'static str = "not-a-secret";
    /// That password as `htpasswd -B` writes it.
    const HASH: &'static str = "$2b$04$Kw6ryQdgMbVry1owG.gtHuD/wRpMQXowcWpX36Id4TtsOFE.QYLrm";

    /// Starts one that lets everybody in.
    ///
    /// # Panics
    /// When it is not installed, naming the command that does it, or does not start within a minute.
    #[must_use]
    pub fn open() -> Self {
        Self::start("")
    }

    /// Starts one with basic authentication, as ECR has it.
    ///
    /// # Panics
    /// As [`open`](Self::open).
    #[must_use]
    pub fn with_password() -> Self {
        Self::start("auth:\n  htpasswd:\n    realm: test\n    path: htpasswd\n")
    }

    fn start(auth: &str) -> Self {
        let scratch = TempDir::new().unwrap_or_else(|error| panic!("no temporary directory: {error}"));
        let config = format!(
            "version: 0.1\nstorage:\n  filesystem:\n    rootdirectory: data\nhttp:\n  addr: 127.0.0.1:0\n  relativeurls: true\n{auth}"
        );
        let write = |name: &str, text: &str| {
            let written = File::create(scratch.path().join(name)).and_then(|mut file| file.write_all(text.as_bytes()));
            written.unwrap_or_else(|error| panic!("{name}: {error}"));
        };
        write("config.yml", &config);
        write("htpasswd", &format!("{}:{}\n", Self::USER, Self::HASH));
        let log = File::create(scratch.path().join("registry.log")).and_then(|log| Ok((log.try_clone()?, log)));
        let (stdout, stderr) = log.unwrap_or_else(|error| panic!("no log for the registry: {error}"));
        let mut command = Command::new(project::registry());
        command.args(["serve", "config.yml"]).current_dir(scratch.path()).env_clear();
        let child = command.stdin(Stdio::null()).stdout(stdout).stderr(stderr).spawn();
        let child = child.unwrap_or_else(|error| panic!("the registry does not start: {error}"));
        let mut registry = Self { child, port: 0, scratch };
        let port = poll(START, || port_in(&registry.log()));
        registry.port = port.unwrap_or_else(|| panic!("the registry does not listen: {}", registry.log()));
        registry
    }

    /// Where it answers, without a scheme.
    #[must_use]
    pub fn host(&self) -> String {
        format!("127.0.0.1:{}", self.port)
    }

    /// Its URL.
    #[must_use]
    pub fn url(&self) -> String {
        format!("http://{}", self.host())
    }

    fn log(&self) -> String {
        fs::read_to_string(self.scratch.path().join("registry.log")).unwrap_or_default()
    }
}

impl Drop for Registry {
    fn drop(&mut self) {
        // Neither can fail for a child that runs or has ended, and there is nobody left to tell.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn port_in(log: &str) -> Option<u16> {
    let (_, after) = log.split_once("listening on 127.0.0.1:")?;
    after.split(|c: char| !c.is_ascii_digit()).next()?.parse().ok()
}

/// What stands between rcm and a registry.
#[derive(Debug, Clone, Default)]
pub struct Manners {
    /// Asks for a token, as Docker Hub does, and gives one to this user and password. The registry behind lets everybody in.
    pub token: Option<(String, String)>,
    /// The first upload is cut off after so many bytes.
    pub cut_after: Option<usize>,
    /// What has come of an upload that was cut off is kept, and said to whoever asks, as the protocol has it. Debian's registry forgets
    /// it.
    pub remembers: bool,
}

/// A server that hands requests on to a registry, and writes them down.
pub struct Front {
    port: u16,
    seen: Arc<Mutex<Vec<String>>>,
}

impl Front {
    /// Begins to listen on a free port.
    ///
    /// # Panics
    /// Without a free port.
    #[must_use]
    pub fn before(registry: &Registry, manners: Manners) -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap_or_else(|error| panic!("no port: {error}"));
        let port = listener.local_addr().map(|address| address.port()).unwrap_or_default();
        let seen: Arc<Mutex<Vec<String>>> = Arc::default();
        let state = Arc::new(State {
            port,
            behind: registry.port,
            cut_after: Mutex::new(manners.cut_after),
            manners,
            seen: Arc::clone(&seen),
            kept: Mutex::default(),
        });
        thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let state = Arc::clone(&state);
                // A connection that breaks is what some of the tests are about.
                thread::spawn(move || drop(state.serve(&stream)));
            }
        });
        Self { port, seen }
    }

    /// Where it answers, without a scheme.
    #[must_use]
    pub fn host(&self) -> String {
        format!("127.0.0.1:{}", self.port)
    }

    /// Its URL.
    #[must_use]
    pub fn url(&self) -> String {
        format!("http://{}", self.host())
    }

    /// What was asked for, in order: `PATCH /v2/…`, without what stands behind the question mark.
    #[must_use]
    pub fn seen(&self) -> Vec<String> {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

const TOKEN: &str = "a-token-of-the-test";

struct State {
    port: u16,
    behind: u16,
    manners: Manners,
    cut_after: Mutex<Option<usize>>,
    seen: Arc<Mutex<Vec<String>>>,
    /// What has come of uploads that were cut off, by path.
    kept: Mutex<BTreeMap<String, Vec<u8>>>,
}

impl State {
    /// One request of a connection, which ends with it.
    fn serve(&self, client: &TcpStream) -> io::Result<()> {
        let mut reader = BufReader::new(client.try_clone()?);
        let mut head = Vec::new();
        while !head.ends_with(b"\r\n\r\n") {
            if reader.read_until(b'\n', &mut head)? == 0 {
                return Ok(());
            }
        }
        let head = String::from_utf8_lossy(&head).into_owned();
        let line: Vec<&str> = head.lines().next().unwrap_or_default().split(' ').collect();
        let (method, target) = (line.first().copied().unwrap_or_default(), line.get(1).copied().unwrap_or_default());
        let path = target.split('?').next().unwrap_or_default();
        self.seen.lock().unwrap_or_else(PoisonError::into_inner).push(format!("{method} {path}"));
        let length: usize = header(&head, "content-length").and_then(|length| length.parse().ok()).unwrap_or(0);
        if let Some(answer) = self.answered_here(method, target, &head) {
            let mut writer = client;
            writer.write_all(answer.as_bytes())?;
            return client.shutdown(Shutdown::Both);
        }
        let cut = self.cut_after.lock().unwrap_or_else(PoisonError::into_inner).take_if(|after| length > *after);
        if let (Some(after), true) = (cut, self.manners.remembers) {
            let mut kept = Vec::new();
            reader.take(after as u64).read_to_end(&mut kept)?;
            self.kept().insert(path.to_owned(), kept);
            return client.shutdown(Shutdown::Both);
        }
        let before = if method == "PATCH" { self.kept().remove(path).unwrap_or_default() } else { Vec::new() };
        let behind = TcpStream::connect((Ipv4Addr::LOCALHOST, self.behind))?;
        let whole = (!before.is_empty()).then(|| before.len() + length);
        (&behind).write_all(passed_on(&head, self.manners.token.is_some(), whole).as_bytes())?;
        (&behind).write_all(&before)?;
        io::copy(&mut reader.take(cut.unwrap_or(length) as u64), &mut &behind)?;
        if cut.is_some() {
            // Nothing may be lost of what the registry was sent, and the client must not wait for an answer.
            behind.shutdown(Shutdown::Write)?;
            let _ = io::copy(&mut &behind, &mut io::sink());
            return client.shutdown(Shutdown::Both);
        }
        io::copy(&mut &behind, &mut &*client)?;
        client.shutdown(Shutdown::Both)
    }

    fn kept(&self) -> std::sync::MutexGuard<'_, BTreeMap<String, Vec<u8>>> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn answered_here(&self, method: &str, target: &str, head: &str) -> Option<String> {
        let path = target.split('?').next().unwrap_or_default();
        let sent = header(head, "authorization").unwrap_or_default();
        if let Some((user, password)) = &self.manners.token {
            if path == "/token" {
                let basic = basic(user, password);
                return Some(if sent == basic {
                    reply("200 OK", "Content-Type: application/json\r\n", &format!("{{\"token\":\"{TOKEN}\"}}"))
                } else {
                    reply("401 Unauthorized", "", "")
                });
            }
            if sent != format!("Bearer {TOKEN}") {
                let realm = format!("Bearer realm=\"http://127.0.0.1:{}/token\",service=\"test\"", self.port);
                return Some(reply("401 Unauthorized", &format!("WWW-Authenticate: {realm}\r\n"), ""));
            }
        }
        let kept = self.kept().get(path).map(Vec::len).filter(|_| method == "GET")?;
        Some(reply("204 No Content", &format!("Range: 0-{}\r\nLocation: {target}\r\n", kept - 1), ""))
    }
}

/// The request for the registry behind: one for a connection, without the front's own token, and `whole` where what was kept goes first.
fn passed_on(head: &str, without_authorization: bool, whole: Option<usize>) -> String {
    let left_out = |line: &&str| {
        let name = line.split(':').next().unwrap_or_default().to_ascii_lowercase();
        name == "connection"
            || (without_authorization && name == "authorization")
            || (whole.is_some() && ["content-length", "content-range"].contains(&name.as_str()))
    };
    let lines: Vec<&str> = head.trim_end().lines().filter(|line| !left_out(line)).collect();
    let length = whole.map(|length| format!("Content-Length: {length}\r\n")).unwrap_or_default();
    format!("{}\r\n{length}Connection: close\r\n\r\n", lines.join("\r\n"))
}

fn header<'a>(head: &'a str, name: &str) -> Option<&'a str> {
    let pairs = head.lines().skip(1).filter_map(|line| line.split_once(':'));
    pairs.into_iter().find(|(key, _)| key.eq_ignore_ascii_case(name)).map(|(_, value)| value.trim())
}

fn reply(status: &str, headers: &str, body: &str) -> String {
    format!("HTTP/1.1 {status}\r\n{headers}Content-Length: {}\r\nConnection: close\r\n\r\n{body}", body.len())
}

/// `Basic` and Base64, which needs no crate for one header.
fn basic(user: &str, password: &str) -> String {
    const LETTERS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut text = String::from("Basic ");
    for chunk in format!("{user}:{password}").as_bytes().chunks(3) {
        let bits = chunk.iter().fold(0u32, |bits, byte| bits << 8 | u32::from(*byte)) << (8 * (3 - chunk.len()));
        for at in 0..4 {
            let letter = LETTERS[(bits >> (18 - 6 * at) & 63) as usize];
            text.push(if at <= chunk.len() { char::from(letter) } else { '=' });
        }
    }
    text
}

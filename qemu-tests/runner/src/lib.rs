//! Boots appliances through the `vial` command, as a user would, and breaks them on purpose.
#![forbid(unsafe_code)]

pub mod machine;
pub mod memory;
pub mod played;

use anyhow::{Context as _, Result, bail};
use core::time::Duration;
use serde_json::Value;
use std::io::{BufRead as _, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdout, Command, Output, Stdio};
use vial_client::Connection;

/// Longest wait for an answer.
const PATIENCE: Duration = Duration::from_secs(60);
/// Longest answer.
const ANSWER_MAX: u64 = 16 << 20;

/// The `vial` command that is tested.
#[derive(Clone, Debug)]
pub struct Vial(PathBuf);

impl Vial {
    /// The command that `VIAL_TEST_VIAL` names, and only where there is a `/dev/kvm`; says why if there is none.
    #[must_use]
    pub fn from_env() -> Option<Self> {
        let path = std::env::var_os("VIAL_TEST_VIAL").map(PathBuf::from);
        let Some(path) = path.filter(|_| Path::new("/dev/kvm").exists()) else {
            say(
                "skipped: VIAL_TEST_VIAL names no command (`cargo xtask test` does), or there is no /dev/kvm",
            );
            return None;
        };
        Some(Self(path))
    }

    /// Runs a command to its end.
    ///
    /// # Errors
    /// It cannot be started.
    pub fn run(&self, arguments: &[&str]) -> Result<Output> {
        Command::new(&self.0).args(arguments).output().with_context(|| format!("run {}", self.0.display()))
    }

    /// Seals `model` into `image`.
    ///
    /// # Errors
    /// What the command said.
    pub fn build(&self, model: &Path, image: &Path) -> Result<()> {
        let output = self.run(&["build", text(model)?, "-o", text(image)?])?;
        if !output.status.success() {
            bail!("vial build: {}", String::from_utf8_lossy(&output.stderr));
        }
        Ok(())
    }

    /// Makes a key that encrypts weights.
    ///
    /// # Errors
    /// What the command said.
    pub fn new_key(&self, file: &Path) -> Result<()> {
        let output = self.run(&["key", "new", "--weights", text(file)?])?;
        if !output.status.success() {
            bail!("vial key new: {}", String::from_utf8_lossy(&output.stderr));
        }
        Ok(())
    }

    /// Where a part of the image lies on its disk.
    ///
    /// # Errors
    /// The image has no such part.
    pub fn offset(&self, image: &Path, part: &str) -> Result<u64> {
        let output = self.run(&["inspect", text(image)?, "--json"])?;
        let shown: Value = serde_json::from_slice(&output.stdout)?;
        let parts = shown["parts"].as_array().context("parts")?;
        let found = parts.iter().find(|shown| shown["name"] == part).context("part")?;
        found["offset"].as_u64().context("offset")
    }

    /// Starts an appliance.
    ///
    /// # Errors
    /// The command cannot be started.
    pub fn start(&self, image: &Path, arguments: &[&str]) -> Result<Appliance> {
        let mut command = Command::new(&self.0);
        command.args(["run", text(image)?, "--publish", "127.0.0.1:0", "--json"]).args(arguments);
        let mut child =
            command.stdout(Stdio::piped()).stderr(Stdio::null()).spawn().context("start vial run")?;
        let lines = BufReader::new(child.stdout.take().context("no output")?);
        Ok(Appliance { child, lines, address: String::new() })
    }

    /// Opens a plain local address in front of an appliance of `image`.
    ///
    /// # Errors
    /// The appliance is not accepted, or the command cannot be started.
    pub fn connect(&self, url: &str, image: &Path, arguments: &[&str]) -> Result<Gateway> {
        let mut command = Command::new(&self.0);
        command.args(["connect", url, "--image", text(image)?, "--allow-simulated", "--json"]);
        command.args(["--listen", "127.0.0.1:0"]).args(arguments);
        let mut child =
            command.stdout(Stdio::piped()).stderr(Stdio::null()).spawn().context("start vial connect")?;
        let lines = BufReader::new(child.stdout.take().context("no output")?);
        let mut gateway = Gateway { child, lines, address: String::new() };
        let opened = gateway.next_event()?;
        opened["address"].as_str().context("not open")?.clone_into(&mut gateway.address);
        Ok(gateway)
    }
}

/// `vial connect` as it runs; stopped when it is dropped.
#[derive(Debug)]
pub struct Gateway {
    child: Child,
    lines: BufReader<ChildStdout>,
    /// Where it listens.
    pub address: String,
}

impl Gateway {
    /// The next event that it tells.
    ///
    /// # Errors
    /// It ended.
    pub fn next_event(&mut self) -> Result<Value> {
        let mut line = String::new();
        if self.lines.read_line(&mut line)? == 0 {
            bail!("vial connect ended without a word");
        }
        serde_json::from_str(&line).with_context(|| format!("event {line:?}"))
    }

    /// Waits for its end; gives the exit code.
    ///
    /// # Errors
    /// It cannot be waited for.
    pub fn ended(&mut self) -> Result<Option<i32>> {
        Ok(self.child.wait()?.code())
    }

    /// The local address with a path.
    #[must_use]
    pub fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }
}

impl Drop for Gateway {
    fn drop(&mut self) {
        // One that has ended already is not there to be killed.
        let _ended = self.child.kill();
        let _waited = self.child.wait();
    }
}

/// A path as text.
///
/// # Errors
/// It is not UTF-8.
pub fn text(path: &Path) -> Result<&str> {
    path.to_str().context("path: expected UTF-8")
}

/// A running appliance; stopped when it is dropped.
#[derive(Debug)]
pub struct Appliance {
    child: Child,
    lines: BufReader<ChildStdout>,
    /// Where it listens, once [`Self::await_event`] has seen `ready`.
    pub address: String,
}

impl Appliance {
    /// Reads events up to one of that name, or `ended`.
    ///
    /// # Errors
    /// The command ended without telling.
    pub fn await_event(&mut self, name: &str) -> Result<Value> {
        loop {
            let mut line = String::new();
            if self.lines.read_line(&mut line)? == 0 {
                bail!("vial run ended without a word");
            }
            let event: Value = serde_json::from_str(&line).with_context(|| format!("event {line:?}"))?;
            if let Some(address) = event["address"].as_str() {
                address.clone_into(&mut self.address);
            }
            if event["event"] == name || event["event"] == "ended" || event["name"] == name {
                return Ok(event);
            }
        }
    }

    /// Asks for a path; status and body.
    ///
    /// # Errors
    /// No answer.
    pub fn ask(&self, path: &str) -> Result<(u16, String)> {
        self.answer("GET", path, None)
    }

    /// Sends a body; status and body of the answer.
    ///
    /// # Errors
    /// No answer.
    pub fn send(&self, path: &str, body: &Value) -> Result<(u16, String)> {
        self.answer("POST", path, Some(body.to_string().as_bytes()))
    }

    fn answer(&self, method: &str, path: &str, body: Option<&[u8]>) -> Result<(u16, String)> {
        let response = self.connect()?.ask(method, path, body, ANSWER_MAX)?;
        Ok((response.status, String::from_utf8(response.body)?))
    }

    /// A connection of its own.
    ///
    /// # Errors
    /// Nobody answers.
    pub fn connect(&self) -> Result<Connection> {
        Ok(Connection::open(&self.url(""), PATIENCE)?)
    }

    /// Number of the process that runs it.
    #[must_use]
    pub fn process(&self) -> u32 {
        self.child.id()
    }

    /// The address with a path.
    #[must_use]
    pub fn url(&self, path: &str) -> String {
        format!("https://{}{path}", self.address)
    }

    /// Sends SIGTERM and gives the exit code.
    ///
    /// # Errors
    /// It cannot be waited for.
    pub fn stop(mut self) -> Result<Option<i32>> {
        Command::new("kill").arg(self.child.id().to_string()).status()?;
        Ok(self.child.wait()?.code())
    }
}

impl Drop for Appliance {
    fn drop(&mut self) {
        // One that has ended already is not there to be killed.
        let _ended = self.child.kill();
        let _waited = self.child.wait();
    }
}

#[expect(clippy::print_stderr, reason = "says why a test does nothing")]
fn say(line: &str) {
    eprintln!("{line}");
}

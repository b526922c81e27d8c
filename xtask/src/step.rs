//! Running other programs, one named step at a time.

use anyhow::{Context as _, Result, ensure};
use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Instant;

/// The folder of the workspace.
pub(crate) fn workspace() -> Result<PathBuf> {
    let xtask = std::env::var_os("CARGO_MANIFEST_DIR").context("run it as `cargo xtask`")?;
    Ok(Path::new(&xtask).parent().context("xtask lies in the workspace")?.to_owned())
}

/// Folder for what is fetched or made and never committed.
pub(crate) fn target() -> Result<PathBuf> {
    Ok(workspace()?.join("target"))
}

/// Where cargo puts `program` of the release profile.
pub(crate) fn built(program: &str) -> Result<PathBuf> {
    let folder = std::env::var_os("CARGO_TARGET_DIR").map_or_else(target, |folder| Ok(folder.into()))?;
    Ok(folder.join("release").join(program))
}

/// The cargo that runs this program.
pub(crate) fn cargo<I: IntoIterator<Item = S>, S: AsRef<OsStr>>(arguments: I) -> Result<Command> {
    let mut cargo = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    cargo.args(arguments).current_dir(workspace()?);
    Ok(cargo)
}

/// Runs `command` under a headline; its output goes to the terminal.
pub(crate) fn run(name: &str, command: &mut Command) -> Result<()> {
    println!("── {name}");
    let started = Instant::now();
    let status = command.status().with_context(|| format!("run {:?}", command.get_program()))?;
    ensure!(status.success(), "{name}: failed ({status}); its output stands above");
    println!("   {name}: {:.1} s", started.elapsed().as_secs_f64());
    Ok(())
}

/// As [`run`], but its output is shown only where it fails.
pub(crate) fn quietly(name: &str, command: &mut Command) -> Result<()> {
    println!("── {name}");
    let started = Instant::now();
    let output = command.stdin(Stdio::null()).output();
    let output = output.with_context(|| format!("run {:?}", command.get_program()))?;
    let said = || [&*output.stdout, &*output.stderr].map(String::from_utf8_lossy).concat();
    ensure!(output.status.success(), "{name}: failed ({}):\n{}", output.status, said());
    println!("   {name}: {:.1} s", started.elapsed().as_secs_f64());
    Ok(())
}

/// Runs `command` and gives what it printed; `None` if it cannot run or fails.
pub(crate) fn output(command: &mut Command) -> Option<String> {
    let output = command.stdin(Stdio::null()).stderr(Stdio::null()).output().ok()?;
    output.status.success().then(|| String::from_utf8_lossy(&output.stdout).into_owned())
}

/// Whether `program` is on the path.
pub(crate) fn has_program(program: &str) -> bool {
    let path = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&path).any(|folder| folder.join(program).is_file())
}

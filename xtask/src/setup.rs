//! Installs what a fresh Debian machine with Rust lacks.

use crate::step::{has_program, output, quietly};
use crate::toolchain::{RING_0, Toolchain, WASM};
use crate::{model, python};
use anyhow::{Result, bail};
use std::process::Command;

/// Debian packages that give the programs the tests run.
const PROGRAMS: [(&str, &str); 4] = [
    ("qemu-system-x86_64", "qemu-system-x86"),
    ("b3sum", "b3sum"),
    ("curl", "curl"),
    ("chromium", "chromium"),
];
/// Compiler and library sources for bare targets, where rustup cannot fetch the target.
const SOURCES: [&str; 2] = ["rustc-web", "rust-web-src"];

/// Installs what is missing and says what it does; does nothing the second time.
pub(crate) fn run() -> Result<()> {
    let mut packages = missing_programs();
    let targets = [RING_0, WASM];
    if targets.into_iter().any(|target| Toolchain::for_target(target).is_err() && !add_target(target)) {
        packages.extend(SOURCES);
    }
    install(&packages)?;
    targets.into_iter().try_for_each(|target| Toolchain::for_target(target).map(drop))?;
    model::fetch()?;
    python::interpreter()?;
    Ok(())
}

fn missing_programs() -> Vec<&'static str> {
    let missing = PROGRAMS.iter().filter(|(program, _)| !has_program(program));
    let mut venv = Command::new("python3");
    venv.args(["-c", "import ensurepip, venv"]);
    let python = output(&mut venv).is_none().then_some("python3-venv");
    missing.map(|&(_, package)| package).chain(python).collect()
}

/// Lets rustup fetch the target's libraries; `false` where it cannot.
fn add_target(target: &str) -> bool {
    has_program("rustup") && output(Command::new("rustup").args(["target", "add", target])).is_some()
}

fn install(packages: &[&str]) -> Result<()> {
    if packages.is_empty() {
        return Ok(());
    }
    if !has_program("apt-get") {
        bail!("missing {}: install them, then run `cargo xtask setup` again", packages.join(", "));
    }
    quietly("package lists", apt()?.args(["update", "-qq"]))?;
    let options = ["install", "-qq", "-y", "--no-install-recommends", "-o", "Dpkg::Use-Pty=0"];
    quietly(&format!("install {}", packages.join(" ")), apt()?.args(options).args(packages))
}

/// `apt-get`, as root.
fn apt() -> Result<Command> {
    let is_root = output(Command::new("id").arg("-u")).is_some_and(|id| id.trim() == "0");
    let mut apt = match (is_root, has_program("sudo")) {
        (true, _) => Command::new("apt-get"),
        (false, true) => Command::new("sudo"),
        (false, false) => bail!("Debian packages: run `cargo xtask setup` as root, or install sudo"),
    };
    if !is_root {
        apt.arg("apt-get");
    }
    apt.env("DEBIAN_FRONTEND", "noninteractive");
    Ok(apt)
}

//! Format, lints and documentation.

use crate::step::{cargo, has_program, run as step, target};
use crate::toolchain::{Toolchain, WASM};
use anyhow::Result;
use std::process::Command;

/// Checks all of them; a warning fails.
pub(crate) fn run() -> Result<()> {
    step("format", &mut cargo(["fmt", "--all", "--check"])?)?;
    let clippy = ["clippy", "--workspace", "--all-targets", "--quiet", "--", "-Dwarnings"];
    step("clippy", &mut cargo(clippy)?)?;
    let mut documentation =
        cargo(["doc", "--workspace", "--no-deps", "--quiet", "--document-private-items"])?;
    step(
        "documentation",
        documentation.env("RUSTDOCFLAGS", "-Dwarnings -Arustdoc::private_intra_doc_links"),
    )?;
    step("verifier for pages (wasm32)", &mut wasm()?)?;
    deny()
}

/// The verifier has no clock, file or thread, so that it runs in a page.
fn wasm() -> Result<Command> {
    let mut cargo = Toolchain::for_target(WASM)?.cargo("check", WASM, &target()?.join("wasm"), &[]);
    cargo.args(["--quiet", "-p", "vial-attest"]);
    Ok(cargo)
}

/// Licences and sources of third-party crates, where cargo-deny is installed: building it takes longer than all lints.
fn deny() -> Result<()> {
    if !has_program("cargo-deny") {
        println!("skipped: cargo deny, not installed (cargo install --locked cargo-deny)");
        return Ok(());
    }
    step(
        "licences and sources",
        &mut cargo(["deny", "--log-level", "error", "check", "bans", "licenses", "sources"])?,
    )
}

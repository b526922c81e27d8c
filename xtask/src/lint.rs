//! Format, lints and documentation.

use crate::step::{cargo, run as step};
use anyhow::Result;

/// Checks all of them; a warning fails.
pub(crate) fn run() -> Result<()> {
    step("format", &mut cargo(["fmt", "--all", "--check"])?)?;
    let clippy = ["clippy", "--workspace", "--all-targets", "--quiet", "--", "-Dwarnings"];
    step("clippy", &mut cargo(clippy)?)?;
    let mut documentation =
        cargo(["doc", "--workspace", "--no-deps", "--quiet", "--document-private-items"])?;
    step("documentation", documentation.env("RUSTDOCFLAGS", "-Dwarnings -Arustdoc::private_intra_doc_links"))
}

//! The independent tools that are Python packages, in an environment of their own.

use crate::step::{run as step, target};
use anyhow::Result;
use std::path::PathBuf;
use std::process::Command;

/// The OpenAI client, the reader of GGUF files and the calculator of SEV-SNP launch digests.
const PACKAGES: [&str; 3] = ["openai==3.54.0", "gguf==0.19.0", "sev-snp-measure==0.0.13"];

/// Installs them where they are missing; gives the interpreter that finds them.
pub(crate) fn interpreter() -> Result<PathBuf> {
    let folder = target()?.join("python");
    let python = folder.join("bin/python3");
    let done = folder.join(format!("{}.installed", PACKAGES.join("+")));
    if !done.exists() {
        step("Python environment", Command::new("python3").args(["-m", "venv"]).arg(&folder))?;
        let pip = ["-m", "pip", "install", "--quiet", "--disable-pip-version-check"];
        let headline = format!("install {}", PACKAGES.join(" "));
        step(&headline, Command::new(&python).args(pip).args(PACKAGES))?;
        std::fs::write(&done, "")?;
    }
    Ok(python)
}

//! The independent tools that are Python packages, in an environment of their own.

use crate::step::{run as step, target};
use anyhow::Result;
use std::path::PathBuf;
use std::process::Command;

/// The OpenAI client, the reader of GGUF files, the calculator of SEV-SNP launch digests, a reader of COSE, the Ollama client.
const PACKAGES: [&str; 6] = [
    "openai==3.54.0",
    "gguf==0.19.0",
    "sev-snp-measure==0.0.13",
    "pycose==1.1.0",
    "cbor2==5.6.5",
    "ollama==0.6.3",
];

/// Installs what tests need where it is missing; gives the interpreter that finds it.
pub(crate) fn interpreter() -> Result<PathBuf> {
    with(&PACKAGES)
}

/// The same interpreter, with these packages too.
pub(crate) fn with(packages: &[&str]) -> Result<PathBuf> {
    let folder = target()?.join("python");
    let python = folder.join("bin/python3");
    if !python.exists() {
        step("Python environment", Command::new("python3").args(["-m", "venv"]).arg(&folder))?;
    }
    let done = folder.join(format!("{}.installed", packages.join("+")));
    if !done.exists() {
        let pip = ["-m", "pip", "install", "--quiet", "--disable-pip-version-check"];
        let headline = format!("install {}", packages.join(" "));
        step(&headline, Command::new(&python).args(pip).args(packages))?;
        std::fs::write(&done, "")?;
    }
    Ok(python)
}

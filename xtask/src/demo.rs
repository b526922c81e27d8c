//! The demo: build, seal, boot, verify, talk.

use crate::client::Site;
use crate::step::{built, cargo, run as step, target};
use crate::{guest, model, setup, talk};
use anyhow::{Context as _, Result, bail};
use std::io::{BufRead as _, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

const QUESTION: &str = "What is the capital of France, and what is it known for?";

/// Runs it.
pub(crate) fn run() -> Result<()> {
    setup::run()?;
    let vial = build()?;
    let image = target()?.join("demo.img");
    let model = model::fetch()?;
    step("seal the model", Command::new(&vial).arg("build").arg(&model).arg("-o").arg(&image))?;
    println!("── boot");
    let (running, address) = boot(&vial, &image)?;
    let url = format!("https://{address}");
    let verify = ["verify", &url, "--allow-simulated", "--image"];
    step("verify", Command::new(&vial).args(verify).arg(&image))?;
    println!("── talk\n\n> {QUESTION}\n");
    talk::stream(Site::appliance(address.parse()?), QUESTION)?;
    println!("\nTry it yourself: {} run {}", vial.display(), image.display());
    drop(running);
    Ok(())
}

/// Builds guest programs and the command that carries them; gives its path.
pub(crate) fn build() -> Result<PathBuf> {
    guest::run()?;
    step("build vial", &mut cargo(["build", "--release", "--quiet", "--package", "vial-cli"])?)?;
    built("vial")
}

/// An appliance that is stopped when the demo ends.
struct Running(Child);

impl Drop for Running {
    fn drop(&mut self) {
        // One that has ended already is not there to be killed.
        let _ended = self.0.kill();
        let _waited = self.0.wait();
    }
}

/// Boots the image and prints its timeline; gives the address.
fn boot(vial: &Path, image: &Path) -> Result<(Running, String)> {
    let mut command = Command::new(vial);
    command.arg("run").arg(image).args(["--publish", "127.0.0.1:0"]).stderr(Stdio::piped());
    let mut running = Running(command.spawn().context("start vial run")?);
    let lines = BufReader::new(running.0.stderr.take().context("no messages")?);
    for line in lines.lines() {
        let line = line?;
        println!("{line}");
        if let Some((_, rest)) = line.split_once("https://") {
            let address = rest.split_whitespace().next().unwrap_or_default().to_owned();
            return Ok((running, address));
        }
    }
    bail!("the appliance did not start; its line stands above")
}

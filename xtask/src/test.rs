//! Every test, from the fast and pure to the real boots.

use crate::step::{cargo, has_program, run as step};
use crate::{demo, lint, model, python, self_test, setup};
use anyhow::Result;
use std::process::Command;

/// Which tests.
#[derive(clap::Args)]
pub(crate) struct Options {
    /// Leave out format, lints and documentation.
    #[arg(long)]
    no_lint: bool,
}

/// Runs them all; the first failure ends it.
pub(crate) fn run(options: &Options) -> Result<()> {
    setup::run()?;
    let vial = demo::build()?;
    if !options.no_lint {
        lint::run()?;
    }
    let model = model::fetch()?;
    let env = [
        ("VIAL_TEST_MODEL", model),
        ("VIAL_TEST_VIAL", vial),
        ("VIAL_TEST_PYTHON", python::interpreter()?),
        ("VIAL_TEST_ARCHITECTURES", model::small_ones()?),
    ];
    step("unit and integration tests", tests()?.envs(env))?;
    step("documentation tests", &mut cargo(["test", "--workspace", "--doc", "--quiet"])?)?;
    self_test::run(&self_test::Options::default())
}

/// All tests of the workspace; nextest runs them side by side where it is installed.
fn tests() -> Result<Command> {
    if has_program("cargo-nextest") {
        return cargo(["nextest", "run", "--workspace", "--no-fail-fast", "--status-level=slow"]);
    }
    cargo(["test", "--workspace", "--quiet", "--no-fail-fast", "--lib", "--bins", "--tests"])
}

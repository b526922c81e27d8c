//! Set-up, build, demo, tests and benches.
#![expect(clippy::print_stdout, clippy::print_stderr, reason = "its results are for the terminal")]
#![forbid(unsafe_code)]

mod bench;
mod client;
mod demo;
mod fuzz;
mod guest;
mod image;
mod lint;
mod model;
mod peer;
mod python;
mod self_test;
mod setup;
mod step;
mod talk;
mod test;
mod toolchain;

use clap::{Parser, Subcommand};
use std::process::ExitCode;

/// Set-up, build, demo, tests and benches.
#[derive(Parser)]
struct Arguments {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Subcommand)]
enum Verb {
    /// Install what building and testing need: compiler targets, QEMU, the quick-start model.
    Setup,
    /// Build everything, seal the quick-start model, boot it, verify it, talk to it.
    Demo,
    /// Run every test: lints, unit tests, ring-0 self-test, boots.
    Test(test::Options),
    /// Check format, lints and documentation.
    Lint,
    /// Measure, print tables and write them to bench/.
    Bench(bench::Options),
    /// Fuzz every parser on a trust boundary.
    Fuzz(fuzz::Options),
    /// Build firmware, kernel, engine and the verifier of pages into target/guest.
    Guest,
    /// Boot the ring-0 self-test under QEMU, and under KVM where there is one.
    SelfTest(self_test::Options),
}

fn main() -> ExitCode {
    match run(Arguments::parse().verb) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("xtask: error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn run(verb: Verb) -> anyhow::Result<()> {
    match verb {
        Verb::Setup => setup::run(),
        Verb::Demo => demo::run(),
        Verb::Test(options) => test::run(&options),
        Verb::Lint => lint::run(),
        Verb::Bench(options) => bench::run(&options),
        Verb::Fuzz(options) => fuzz::run(&options),
        Verb::Guest => guest::run(),
        Verb::SelfTest(options) => self_test::run(&options),
    }
}

//! Set-up, build, demo, tests and benches.
#![expect(clippy::print_stdout, reason = "its results are for the terminal")]

mod guest;
mod image;
mod self_test;
mod toolchain;

use clap::{Parser, Subcommand};

/// Set-up, build, demo, tests and benches.
#[derive(Parser)]
struct Arguments {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Subcommand)]
enum Verb {
    /// Build firmware, kernel and engine into target/guest.
    Guest,
    /// Boot the ring-0 self-test under QEMU, and under KVM where there is one.
    SelfTest(self_test::Options),
}

fn main() -> anyhow::Result<()> {
    match Arguments::parse().verb {
        Verb::Guest => guest::run(),
        Verb::SelfTest(options) => self_test::run(&options),
    }
}

//! The `vial` command: seals models, runs appliances, verifies them.
//!
//! Standard output is data, standard error is talk. Every failure is one line that names what was found and what was
//! expected, a hint what to do next, and a fixed exit code.
#![forbid(unsafe_code)]

mod bench;
mod build;
mod chat;
mod connect;
mod core_dump;
mod draft;
mod engine;
mod failure;
mod form;
mod http;
mod inspect;
mod key;
mod kv;
mod measure;
mod page;
mod plan;
mod publish;
mod receipt;
mod response;
mod run;
mod shape;
mod snp;
mod terminal;
mod timeline;
mod top;
mod unlock;
mod verify;

use clap::{Parser, Subcommand};
use std::process::ExitCode;

/// Seals a model into an image, boots it as an appliance, and verifies appliances far away.
///
/// Exit codes: 0 done or accepted; 1 refused by `verify` or `unlock`; 2 could not do it (bad input, no permission, no connection);
/// 32 to 127 why an appliance of `run` ended, named on standard error.
#[derive(Parser)]
#[command(name = "vial", version, propagate_version = true)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Seal a GGUF model into an image.
    Build(build::Args),
    /// Show what an image holds.
    Inspect(inspect::Args),
    /// Show what an appliance's memory is for, or the least that would do.
    Plan(plan::Args),
    /// Boot an image as an appliance.
    Run(run::Args),
    /// Watch what an appliance is doing.
    Top(top::Args),
    Verify(Box<verify::Args>),
    Connect(Box<connect::Args>),
    Page(page::Args),
    Receipt(receipt::Args),
    Unlock(Box<unlock::Args>),
    /// Print what an appliance of an image must show.
    Measure(measure::Args),
    /// Make publisher keys, and keys of encrypted weights.
    Key(key::Args),
    /// Talk to a model in this process, without an appliance.
    Chat(chat::Args),
    /// Measure how fast a model reads prompts and decodes, in this process.
    Bench(bench::Args),
}

fn main() -> ExitCode {
    if let Err(failure) = core_dump::forbid() {
        return failure.report();
    }
    let done = match Arguments::parse().command {
        Command::Build(args) => build::run(&args),
        Command::Inspect(args) => inspect::run(&args),
        Command::Plan(args) => plan::run(&args),
        Command::Run(args) => run::run(&args),
        Command::Top(args) => top::run(&args),
        Command::Verify(args) => verify::run(&args),
        Command::Connect(args) => connect::run(&args),
        Command::Page(args) => page::run(&args),
        Command::Receipt(args) => receipt::run(&args),
        Command::Unlock(args) => unlock::run(&args),
        Command::Measure(args) => measure::run(&args),
        Command::Key(args) => key::run(&args),
        Command::Chat(args) => chat::run(&args),
        Command::Bench(args) => bench::run(&args),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => failure.report(),
    }
}

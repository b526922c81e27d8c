//! `vial connect`: a plain local address in front of an appliance that verifies.

use core::net::SocketAddr;
use core::time::Duration;
use serde::Serialize;
use std::net::TcpListener;
use std::sync::{Arc, Mutex, PoisonError};
use vial_client::Connection;
use vial_gateway::{Gateway, Refusal, Told, Verifier};

use crate::failure::{Failure, REFUSED};
use crate::terminal::{Style, json, print, say};
use crate::verify::{Appraised, Expected, Judge, Makers};

/// Give clients that know nothing of appliances a plain local address, open only while the appliance behind it verifies.
///
/// Verifies before the first byte is passed on, over each connection to the appliance, and again on time. Ends with exit code 1,
/// and closes all that is open, in the moment that verification fails.
#[derive(clap::Args)]
pub(crate) struct Args {
    /// The appliance's address: https://HOST:PORT
    url: String,
    /// Where clients connect, in clear: an address of this machine alone.
    #[arg(long, default_value = "127.0.0.1:11434", value_name = "ADDRESS")]
    listen: SocketAddr,
    /// Minutes until it is verified again, at the latest.
    #[arg(long, default_value_t = 5.0, value_parser = minutes)]
    every: f64,
    #[command(flatten)]
    expected: Expected,
    #[command(flatten)]
    makers: Makers,
    /// Print events as JSON, one a line.
    #[arg(long)]
    json: bool,
}

fn minutes(text: &str) -> Result<f64, String> {
    let number = text.parse::<f64>().ok().filter(|number| (0.01..=1440.0).contains(number));
    number.ok_or_else(|| "expected 0.01 to 1440".to_owned())
}

/// One line of `--json`.
#[derive(Serialize)]
#[serde(tag = "event", rename_all = "snake_case")]
enum Line<'a> {
    /// Clients are served.
    Open { address: String },
    /// The appliance verified again.
    Verified,
    /// It could not be asked.
    Unreachable { why: &'a str },
    /// It was refused, and all is closed.
    Refused { why: &'a str },
}

/// Judges each connection, and keeps the last verdict to be shown.
struct Judging {
    judge: Judge,
    url: String,
    last: Mutex<Option<Appraised>>,
}

impl Verifier for Judging {
    fn verify(&self, connection: &mut Connection) -> Result<(), Refusal> {
        let shown =
            Judge::ask(connection).map_err(|failure| Refusal::Unreachable(failure.message().to_owned()))?;
        // Whoever was asked and shows no evidence is no appliance: that is an answer, not silence.
        let judged = self.judge.answer(&self.url, shown);
        let appraised = judged.map_err(|failure| Refusal::Refused(failure.message().to_owned()))?;
        let refused = appraised.answer.verdict.checks.iter().find(|check| !check.has_passed());
        let refused = refused.map(|check| {
            format!("{}: found {}, expected {} ({})", check.name, check.found, check.expected, check.source)
        });
        let is_accepted = appraised.answer.verdict.accepted;
        *self.last.lock().unwrap_or_else(PoisonError::into_inner) = Some(appraised);
        if is_accepted { Ok(()) } else { Err(Refusal::Refused(refused.unwrap_or_default())) }
    }
}

/// Runs it.
pub(crate) fn run(args: &Args) -> Result<(), Failure> {
    check_address(args.listen)?;
    let judge = Judge::new(&args.expected, &args.makers)?;
    let judging = Arc::new(Judging { judge, url: args.url.clone(), last: Mutex::new(None) });
    let hint = "name a free one with --listen 127.0.0.1:PORT (0 picks one)";
    let listener = TcpListener::bind(args.listen)
        .map_err(|error| Failure::new(format!("--listen {}: {error}", args.listen), hint))?;
    let address = listener.local_addr().unwrap_or(args.listen);
    let every = Duration::from_secs_f64(args.every * 60.0);
    let verifier: Arc<dyn Verifier> = Arc::<Judging>::clone(&judging);
    let gateway = Gateway::new(args.url.clone(), verifier, listener, every);
    let verified = gateway.verify();
    show(args, &judging);
    verified.map_err(|refusal| failed(args, refusal))?;
    open(args, address);
    let why = gateway.run(&mut |told| tell(args, &told));
    Err(failed(args, Refusal::Refused(why)))
}

/// What is served here is served in clear.
fn check_address(address: SocketAddr) -> Result<(), Failure> {
    let text = format!("--listen: found {address}, expected a loopback address");
    let hint = "prompts would cross the network in clear; run `vial connect` on the machine of its clients";
    if address.ip().is_loopback() { Ok(()) } else { Err(Failure::new(text, hint)) }
}

/// What was accepted, or why not.
fn show(args: &Args, judging: &Judging) {
    let last = judging.last.lock().unwrap_or_else(PoisonError::into_inner);
    if !args.json {
        last.iter().flat_map(Appraised::screen).for_each(|line| say(&line));
    }
}

fn open(args: &Args, address: SocketAddr) {
    if args.json {
        return print(&json(&Line::Open { address: address.to_string() }));
    }
    let open = Style::Good.paint("open");
    say(&format!("\n{open} http://{address}  for clients here (OpenAI: http://{address}/v1; Ctrl-C stops)"));
}

fn tell(args: &Args, told: &Told) {
    match told {
        Told::Verified if args.json => print(&json(&Line::Verified)),
        Told::Verified => {}
        Told::Unreachable(why) if args.json => print(&json(&Line::Unreachable { why })),
        Told::Unreachable(why) => say(&format!("{} {why}; trying again", Style::Dim.paint("unreachable:"))),
    }
}

fn failed(args: &Args, refusal: Refusal) -> Failure {
    match refusal {
        Refusal::Unreachable(why) => {
            Failure::new(why, "is the appliance running, and is this its address (https://HOST:PORT)?")
        }
        Refusal::Refused(why) => {
            if args.json {
                print(&json(&Line::Refused { why: &why }));
            }
            let hint = "nothing is passed on any more; `vial verify` shows every check";
            Failure::new(format!("refused: {why}"), hint).with_code(REFUSED)
        }
    }
}

//! `vial receipt`: what an appliance signed of an answer.

use std::path::{Path, PathBuf};
use vial_attest::{Check, RECEIPT_LEAVES_OPEN, ReceiptVerdict, Receipted, Says};

use crate::failure::{Failure, REFUSED};
use crate::response::{Response, decoded};
use crate::terminal::{Style, json, print};
use crate::verify::{Expected, Makers, read, receipt_question};

/// Check receipts that appliances signed.
#[derive(clap::Args)]
pub(crate) struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(clap::Subcommand)]
enum Command {
    /// Check a receipt against evidence that was kept, offline.
    ///
    /// Exit code 0: the expected appliance signed it, and what was shown is what it signed; 1: refused; 2: could not check.
    Verify(Box<Verify>),
}

/// Columns of a name.
const NAME: usize = 25;

#[derive(clap::Args)]
struct Verify {
    /// The answer with its receipt, as the appliance sent it (JSON, or the events of a stream), or a receipt alone.
    file: PathBuf,
    /// Evidence of that appliance: what it answered to /v1/attestation?nonce=..., or `vial verify --save` kept.
    #[arg(long, value_name = "FILE")]
    evidence: PathBuf,
    /// The request's body, byte for byte.
    #[arg(long, value_name = "FILE")]
    request: Option<PathBuf>,
    /// The answer, where FILE is a receipt alone.
    #[arg(long, value_name = "FILE")]
    response: Option<PathBuf>,
    #[command(flatten)]
    expected: Expected,
    #[command(flatten)]
    makers: Makers,
    /// Print the verdict as JSON.
    #[arg(long)]
    json: bool,
}

/// Runs it.
pub(crate) fn run(args: &Args) -> Result<(), Failure> {
    let Command::Verify(args) = &args.command;
    let verdict = verdict(args)?;
    if args.json {
        print(&json(&verdict));
    } else {
        lines(&args.file, &verdict).iter().for_each(|line| print(line));
    }
    if verdict.accepted { Ok(()) } else { Err(Failure::new("", "").with_code(REFUSED)) }
}

fn verdict(args: &Verify) -> Result<ReceiptVerdict, Failure> {
    let shown = response(&args.file)?;
    let hint = "ask for one: \"receipt\": true in the request, or GET /v1/receipts/NAME with the name in Vial-Receipt";
    let no_receipt =
        || Failure::new(format!("{}: found no receipt, expected one", args.file.display()), hint);
    let receipt = shown.receipt.ok_or_else(no_receipt)?;
    let other = args.response.as_deref().map(response).transpose()?;
    let answered = other.and_then(|other| other.answered).or(shown.answered);
    let hint = "the bytes that were sent, such as the file that curl -d @FILE took";
    let request = args.request.as_deref().map(|path| read(path, hint)).transpose()?;
    let evidence = read(&args.evidence, "what an appliance answered to /v1/attestation?nonce=...")?;
    let evidence = String::from_utf8_lossy(&evidence);
    let (request, answered) = (request.as_deref(), answered.as_ref());
    let shown = Receipted { receipt: &receipt, evidence: &evidence, request, answered };
    receipt_question(&args.expected, &args.makers, &shown)
}

fn response(path: &Path) -> Result<Response, Failure> {
    let hint = "an answer as the appliance sent it: JSON, the events of a stream, or a receipt";
    let bytes = read(path, hint)?;
    decoded(&bytes).map_err(|why| Failure::new(format!("{}: {why}", path.display()), hint))
}

fn lines(file: &Path, verdict: &ReceiptVerdict) -> Vec<String> {
    let word = if verdict.accepted { Style::Good.paint("ACCEPTED") } else { Style::Bad.paint("REFUSED") };
    let simulated = if verdict.appliance.verdict.simulated { " under the SIMULATED root" } else { "" };
    let model = verdict.appliance.model.as_ref().map(|model| format!("  by {model}")).unwrap_or_default();
    let mut lines = vec![format!("{word}{simulated}  {}{model}", file.display()), String::new()];
    let appliance = verdict.appliance.verdict.checks.iter().filter(|check| !check.has_passed());
    lines.extend(appliance.chain(&verdict.checks).map(check));
    lines.extend(verdict.says.iter().flat_map(says));
    if !verdict.not_compared.is_empty() {
        let names = verdict.not_compared.join(", ");
        lines.push(format!("   {:<NAME$} {}", "not compared", Style::Dim.paint(&names)));
    }
    lines.push(String::new());
    lines.push("This does not prove".to_owned());
    lines.extend(RECEIPT_LEAVES_OPEN.iter().map(|line| format!("  - {line}")));
    lines
}

fn check(check: &Check) -> String {
    if check.has_passed() {
        return format!("{} {:<NAME$} is that of {}", Style::Good.paint("ok"), check.name, check.source);
    }
    let Check { name, found, expected, source, .. } = check;
    format!("{} {name:<NAME$} found {found}, expected {expected}  ({source})", Style::Bad.paint("NO"))
}

fn says(says: &Says) -> Vec<String> {
    let sampling = &says.sampling;
    let tokens = says.tokens.map_or("not counted".to_owned(), |[prompt, answer]| {
        format!("{prompt} of the prompt, {answer} of the answer")
    });
    let [during, since] = says.leaf_checks;
    let rows = [
        ("outcome", format!("{}, {} bytes of text", says.outcome, says.response_bytes)),
        ("tokens", tokens),
        (
            "sampling",
            format!("temperature {}, top_p {}, seed {}", sampling.temperature, sampling.top_p, sampling.seed),
        ),
        ("leaf checks", format!("{during} while it was made, {since} since the start")),
        ("engine", says.engine.clone()),
        ("claimed time", format!("{} seconds since 1970", says.issued_s)),
    ];
    rows.iter().map(|(name, value)| format!("   {name:<NAME$} {value}")).collect()
}

//! How long a verdict takes, beside crate `sev`: milliseconds as JSON. Evidence is what crates `sev` and `dcap-qvl` ship.
#![expect(clippy::unwrap_used, clippy::print_stdout, reason = "a measurement that is not used otherwise")]

#[path = "../tests/common/mod.rs"]
mod common;

use std::time::Instant;

use common::{Recording, milan, open_but, tdx};
use sev::certs::snp::{Certificate, Chain, Verifiable as _, builtin, ca};
use sev::firmware::guest::AttestationReport;
use sev::parser::ByteParser as _;
use vial_attest::snp::Roots;
use vial_attest::{Trust, appraise};

/// Verdicts of each kind; the middle one counts.
const ROUNDS: usize = 51;

/// The middle of some times, in milliseconds.
fn median(mut work: impl FnMut()) -> f64 {
    let mut times: Vec<_> = (0..ROUNDS)
        .map(|_| {
            let begun = Instant::now();
            work();
            begun.elapsed()
        })
        .collect();
    times.sort();
    times[ROUNDS / 2].as_secs_f64() * 1e3
}

/// All that a verifier does: reads pinned roots, then evidence, and judges it.
fn ours(recording: &Recording) -> f64 {
    let policy = open_but(&[]).complete().unwrap();
    median(|| {
        let amd = Roots::amd().unwrap();
        let trust = Trust {
            now: recording.now,
            amd: &amd,
            amd_revocation_lists: &[],
            intel: recording.collateral.as_ref(),
        };
        assert!(appraise(&recording.statement, &policy, None, &trust).accepted);
    })
}

fn theirs(recording: &Recording) -> f64 {
    median(|| {
        let ca = ca::Chain { ark: builtin::milan::ark().unwrap(), ask: builtin::milan::ask().unwrap() };
        let vek = Certificate::from_der(&recording.statement.certificates[0]).unwrap();
        let report = AttestationReport::from_bytes(&recording.statement.report).unwrap();
        (&Chain { ca, vek }, &report).verify().unwrap();
    })
}

fn main() {
    let (snp, [tdx4, tdx5]) = (milan(), tdx());
    let figures = serde_json::json!({
        "snp": ours(&snp), "snp_by_sev": theirs(&snp), "tdx4": ours(&tdx4), "tdx5": ours(&tdx5),
    });
    println!("{figures}");
}

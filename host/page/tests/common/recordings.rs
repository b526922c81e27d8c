//! Questions about genuine evidence that ships inside crates, so that everybody has it.

use std::path::{Path, PathBuf};
use std::process::Command;
use vial_attest::{Hexed, Question, Report, Shown, unhex};

/// Nothing is asked but that it is authentic.
pub(crate) const OPEN: &str = "profile = \"development\"\ntee = \"any\"\nappliance.measurement = \"any\"\n";

/// 2023-06-01, when the certificate is valid.
const MILAN_NOW: u64 = 1_685_577_600;
/// Times at which the collateral is valid.
const TDX4_NOW: u64 = 1_750_400_000;
const TDX5_NOW: u64 = 1_791_500_000;

/// The folder of a crate's sources.
pub(crate) fn package(name: &str) -> PathBuf {
    let cargo = std::env::var("CARGO").unwrap_or_else(|_| "cargo".to_owned());
    let mut command = Command::new(cargo);
    // What other platforms would need was never fetched.
    let platform = format!("{}-unknown-linux-gnu", std::env::consts::ARCH);
    command.args(["metadata", "--format-version", "1", "--offline", "--filter-platform", &platform]);
    let output = command.current_dir(env!("CARGO_MANIFEST_DIR")).output().unwrap();
    let metadata: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    let packages = metadata["packages"].as_array().unwrap();
    let package = packages.iter().find(|package| package["name"] == name).unwrap();
    Path::new(package["manifest_path"].as_str().unwrap()).parent().unwrap().to_owned()
}

/// A report of SEV-SNP, version 2, with its certificate.
pub(crate) fn milan(policy: &str) -> Question {
    let folder = package("sev").join("tests/certs_data");
    let hex = std::fs::read_to_string(folder.join("report_milan.hex")).unwrap();
    let report = Report {
        bytes: Hexed(unhex(&hex.trim().to_lowercase()).unwrap()),
        certificates: vec![Hexed(std::fs::read(folder.join("vcek_milan.der")).unwrap())],
        ..Report::default()
    };
    question("milan", report, policy, MILAN_NOW)
}

/// Quotes of TDX, versions 4 and 5, with their collateral.
pub(crate) fn tdx(policy: &str) -> [Question; 2] {
    let folder = package("dcap-qvl").join("sample");
    [("tdx_quote", TDX4_NOW), ("tdx_quote_td15ex", TDX5_NOW)].map(|(name, now)| {
        let bytes = Hexed(std::fs::read(folder.join(name)).unwrap());
        let collateral = std::fs::read_to_string(folder.join(format!("{name}_collateral.json"))).unwrap();
        let question = question(name, Report { bytes, ..Report::default() }, policy, now);
        Question { collateral: Some(collateral), ..question }
    })
}

fn question(subject: &str, report: Report, policy: &str, now: u64) -> Question {
    Question {
        subject: subject.to_owned(),
        shown: Some(Shown::Report(report)),
        policy: Some(policy.to_owned()),
        at: Some(now),
        ..Question::default()
    }
}

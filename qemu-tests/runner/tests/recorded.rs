//! `vial verify` on recorded evidence: the exit code, and the check that decides; and what users get wrong there.
#![expect(clippy::tests_outside_test_module, reason = "an integration test is one")]
#![expect(clippy::unwrap_used, clippy::print_stdout, reason = "a test, which says what it skips")]

use serde_json::Value;
use std::path::{Path, PathBuf};
use tempfile::TempDir;
use vial_runner::{Vial, text};

/// Where the team's recordings lie.
fn recordings() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/evidence")
}

/// What a policy of a cloud's machine states, with nothing left out.
const POLICY: &str = "profile = \"cloud-vouched\"\ntee = \"any\"\nfreshness = \"any\"\nappliance.measurement = \"any\"\n\
                      snp.tcb = \"any\"\nsnp.revocation = \"any\"\n";

struct Desk {
    vial: Vial,
    folder: TempDir,
}

impl Desk {
    fn new() -> Option<Self> {
        Some(Self { vial: Vial::from_env()?, folder: tempfile::tempdir().unwrap() })
    }

    fn policy(&self, text: &str) -> String {
        let path = self.folder.path().join("policy.toml");
        std::fs::write(&path, text).unwrap();
        path.to_str().unwrap().to_owned()
    }

    /// Exit code, level, and the last check.
    fn verify(&self, report: &str, more: &[&str], policy: &str) -> (Option<i32>, Value, String) {
        let report = recordings().join(report);
        let policy = self.policy(policy);
        let all =
            [&["verify", "--json", "--policy", &policy, "--report", text(&report).unwrap()], more].concat();
        let output = self.vial.run(&all).unwrap();
        let verdict: Value = serde_json::from_slice(&output.stdout).unwrap_or_default();
        let last = verdict["checks"].as_array().and_then(|checks| checks.last()).cloned().unwrap_or_default();
        (
            output.status.code(),
            verdict["assurance"].clone(),
            last["name"].as_str().unwrap_or_default().to_owned(),
        )
    }

    /// Exit code and what is said.
    fn says(&self, arguments: &[&str]) -> (Option<i32>, String) {
        let output = self.vial.run(&[&["verify"], arguments].concat()).unwrap();
        (output.status.code(), String::from_utf8(output.stderr).unwrap())
    }
}

/// A path of a recording, as an argument.
fn file(path: &str) -> String {
    recordings().join(path).to_str().unwrap().to_owned()
}

#[test]
fn recorded_reports_get_the_right_answer() {
    let Some(desk) = Desk::new() else { return };
    if !recordings().exists() {
        println!("skipped: no recordings");
        return;
    }
    // Folder of report and certificate, a time, the exit code, the level, and what refuses.
    for (report, certificate, at, code, level, last) in [
        ("snp/milan-virtee/report.bin", "snp/milan-virtee/vcek.der", "2023-06-01", 0, "hardware", ""),
        ("snp/milan-gosev/report.bin", "snp/milan-gosev/vcek.der", "2023-06-01", 1, "hardware", "snp.debug"),
        (
            "snp/milan-aws-vlek-trustee/report.bin",
            "snp/milan-aws-vlek-trustee/vlek.der",
            "2025-06-01",
            0,
            "paravisor",
            "",
        ),
        ("snp/milan-dstack/report.bin", "snp/milan-dstack/vcek.pem", "2026-08-20", 0, "hardware", ""),
        ("snp/turin-oak/report.bin", "snp/turin-oak/vcek.der", "2026-08-20", 0, "hardware", ""),
        ("snp/turin-oak/report.bin", "snp/turin-virtee/vcek.der", "2026-08-20", 1, "", "report signature"),
        ("snp/milan-gosev/report.bin", "snp/milan-virtee/vcek.der", "2023-06-01", 1, "", "report signature"),
    ] {
        let more = ["--certificate", &file(certificate), "--at", &format!("{at}T00:00:00Z")];
        let (found, assurance, check) = desk.verify(report, &more, POLICY);
        assert_eq!((found, assurance.as_str().unwrap_or_default()), (Some(code), level), "{report}");
        assert!(code == 0 || check == last, "{report}: {check}");
    }
}

#[test]
fn recorded_quotes_and_machines_of_azure_get_the_right_answer() {
    let Some(desk) = Desk::new() else { return };
    if !recordings().exists() {
        println!("skipped: no recordings");
        return;
    }
    let sample = |name: &str| file(&format!("tdx/dcap-qvl-sample/{name}"));
    for (quote, at, code, level, last) in [
        ("tdx_quote", "2025-06-20", 0, "hardware", ""),
        ("tdx_quote_outdated", "2026-03-01", 1, "", "tdx.tcb_status"),
        ("tdx_quote_td15ex", "2026-10-20", 0, "hardware", ""),
        ("tdx_quote_td15ex", "2027-10-20", 1, "", "quote signature"),
    ] {
        let collateral = sample(&format!("{quote}_collateral.json"));
        let more = ["--collateral", &collateral, "--at", &format!("{at}T00:00:00Z")];
        let (found, assurance, check) = desk.verify(&format!("tdx/dcap-qvl-sample/{quote}"), &more, POLICY);
        assert_eq!((found, assurance.as_str().unwrap_or_default()), (Some(code), level), "{quote} {at}");
        assert!(code == 0 || check == last, "{quote}: {check}");
    }
    let none = desk.verify("tdx/debug-td-trustee/quote.bin", &[], POLICY);
    assert_eq!((none.0, none.2.as_str()), (Some(1), "TDX collateral"));
    let (chain, quote) = (file("azure-vtpm/snp-vcek-chain.pem"), file("azure-vtpm/snp-tpm-quote-v1.json"));
    let azure = ["--certificate", &chain, "--tpm-quote", &quote, "--at", "2024-10-01T00:00:00Z"];
    let (code, level, _) = desk.verify("azure-vtpm/snp-hcl-report.bin", &azure, POLICY);
    assert_eq!((code, level.as_str()), (Some(0), Some("paravisor")));
    let strict = POLICY.replace("freshness", "assurance = \"hardware\"\nfreshness");
    let refused = desk.verify("azure-vtpm/snp-hcl-report.bin", &azure, &strict);
    assert_eq!((refused.0, refused.2.as_str()), (Some(1), "assurance"));
}

#[test]
fn what_is_wrong_with_a_policy_or_a_file_is_one_line_that_names_it() {
    let Some(desk) = Desk::new() else { return };
    let report = desk.folder.path().join("report.bin");
    std::fs::write(&report, [0; 1184]).unwrap();
    let report = text(&report).unwrap();
    let with = |policy: &str| desk.says(&["--report", report, "--policy", &desk.policy(policy)]);
    for (policy, expected) in [
        (
            "profile = \"lax\"",
            "profile: found \"lax\", expected strict, own-host, cloud-vouched, development",
        ),
        ("profile = \"strict\"\nsnp.degub = false", "found snp.degub, expected a field of a policy"),
        ("profile = \"strict\"\nsnp.debug = 1", "snp.debug: found 1, expected true or false"),
        (
            "profile = \"own-host\"",
            "found nothing for tee, appliance.measurement, expected a value or \"any\"",
        ),
        ("profile = ", "policy.toml: policy: "),
    ] {
        let (code, said) = with(policy);
        assert_eq!(code, Some(2), "{said}");
        assert!(said.contains(expected) && said.contains("hint: "), "{policy}: {said}");
    }
    let policy = desk.policy(POLICY);
    let base = ["--policy", &policy, "--report"];
    for (arguments, expected) in [
        (&[report, "--at", "yesterday"][..], "--at: found \"yesterday\""),
        (&[report, "--report-data", "xyz"], "--report-data: found 3 characters"),
        (&[report, "--crl", "/nonexistent"], "/nonexistent: "),
        (&[report, "--collateral", &policy], "policy.toml: TDX collateral: "),
        (&["/nonexistent"], "/nonexistent: "),
    ] {
        let (code, said) = desk.says(&[&base, arguments].concat());
        assert_eq!(code, Some(2), "{said}");
        assert!(said.contains(expected), "{said}");
    }
    let (code, said) = desk.says(&["--explain", "snp.colour"]);
    let expected = "--explain: found \"snp.colour\", expected a field of the policy";
    assert!(code == Some(2) && said.contains(expected), "{said}");
    assert_eq!(desk.says(&["--explain", "all"]), (Some(0), String::new()));
}

//! Genuine evidence: from the sources of crates that ship it, and from a folder of recordings where there is one.
#![allow(dead_code, reason = "each test file uses a part of it")]
#![expect(clippy::unwrap_used, reason = "what is missing ends the test")]
#![expect(clippy::print_stdout, reason = "what is skipped is said")]

pub(crate) mod azure;
pub(crate) mod forge;
pub(crate) mod forge_tpm;

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

use vial_attest::policy::{FIELDS, Kind};
use vial_attest::snp::Roots;
use vial_attest::tdx::{Collateral, without_padding};
use vial_attest::{Attached, Check, PolicyFile, Profile, SEV_SNP, Statement, TDX, Trust, Verdict, appraise};

/// One recorded report or quote.
pub(crate) struct Recording {
    pub(crate) name: &'static str,
    pub(crate) statement: Statement,
    pub(crate) collateral: Option<Collateral>,
    /// A time at which its certificates and collateral are valid.
    pub(crate) now: u64,
}

/// Where the recordings of the team lie.
fn recordings() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/evidence")
}

/// The folder of a crate's sources.
pub(crate) fn package(name: &str) -> PathBuf {
    static METADATA: OnceLock<serde_json::Value> = OnceLock::new();
    let metadata = METADATA.get_or_init(|| {
        let cargo = std::env::var("CARGO").unwrap_or_else(|_| "cargo".to_owned());
        let mut command = Command::new(cargo);
        // What other platforms would need was never fetched.
        let platform = format!("{}-unknown-linux-gnu", std::env::consts::ARCH);
        command.args(["metadata", "--format-version", "1", "--offline", "--filter-platform", &platform]);
        let output = command.current_dir(env!("CARGO_MANIFEST_DIR")).output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        serde_json::from_slice(&output.stdout).unwrap()
    });
    let packages = metadata["packages"].as_array().unwrap();
    let package = packages.iter().find(|package| package["name"] == name).unwrap();
    Path::new(package["manifest_path"].as_str().unwrap()).parent().unwrap().to_owned()
}

/// A file of the recordings, or a printed line.
pub(crate) fn recorded(path: &str) -> Option<Vec<u8>> {
    let file = recordings().join(path);
    let bytes = std::fs::read(&file).ok();
    if bytes.is_none() {
        println!("skipped: no recording {path}");
    }
    bytes
}

/// What ships inside crates, for everybody, and what was recorded, where it is.
pub(crate) fn all() -> Vec<Recording> {
    let mut all = vec![milan()];
    all.extend(
        TDX_SAMPLES.iter().map(|(name, quote, collateral, now)| sample(name, quote, collateral, *now)),
    );
    all.extend(debugged());
    all.extend(azure::all());
    all.extend(SNP_RECORDINGS.iter().filter_map(|(name, report, leaf, now)| snp(name, report, leaf, *now)));
    all
}

/// 2023-06-01; certificates of chips are valid for seven years.
const MILAN_NOW: u64 = 1_685_577_600;

/// Report of version 2, with the chip's key.
pub(crate) fn milan() -> Recording {
    let folder = package("sev").join("tests/certs_data");
    let hex = std::fs::read_to_string(folder.join("report_milan.hex")).unwrap();
    let certificate = std::fs::read(folder.join("vcek_milan.der")).unwrap();
    Recording {
        name: "milan, version 2 (crate sev)",
        statement: Statement {
            tee: SEV_SNP.to_owned(),
            report: vial_attest::unhex(&hex.trim().to_lowercase()).unwrap(),
            certificates: vec![certificate],
            attached: Attached::default(),
        },
        collateral: None,
        now: MILAN_NOW,
    }
}

/// 2026-08-20.
const DSTACK_NOW: u64 = 1_787_200_000;

/// Name, report, certificate, and a time.
const SNP_RECORDINGS: [(&str, &str, &str, u64); 4] = [
    ("milan, debug allowed", "snp/milan-gosev/report.bin", "snp/milan-gosev/vcek.der", MILAN_NOW),
    (
        "milan, version 3, a cloud's key",
        "snp/milan-aws-vlek-trustee/report.bin",
        "snp/milan-aws-vlek-trustee/vlek.der",
        1_740_000_000,
    ),
    ("milan, version 3, host data", "snp/milan-dstack/report.bin", "snp/milan-dstack/vcek.pem", DSTACK_NOW),
    ("turin, version 5", "snp/turin-oak/report.bin", "snp/turin-oak/vcek.der", 1_780_000_000),
];

fn snp(name: &'static str, report: &str, certificate: &str, now: u64) -> Option<Recording> {
    let (report, certificate) = (recorded(report)?, recorded(certificate)?);
    let certificates = match core::str::from_utf8(&certificate) {
        Ok(pem) => vial_attest::pem_documents(pem).unwrap(),
        Err(_) => vec![certificate],
    };
    let statement =
        Statement { tee: SEV_SNP.to_owned(), report, certificates, attached: Attached::default() };
    Some(Recording { name, statement, collateral: None, now })
}

/// Name, quote, collateral, and a time at which the collateral is valid.
const TDX_SAMPLES: [(&str, &str, &str, u64); 2] = [
    ("tdx, version 4", "tdx_quote", "tdx_quote_collateral.json", 1_750_400_000),
    (
        "tdx, version 5, TD 1.5 extended",
        "tdx_quote_td15ex",
        "tdx_quote_td15ex_collateral.json",
        1_791_500_000,
    ),
];

/// Quotes of version 4 and 5.
pub(crate) fn tdx() -> [Recording; 2] {
    TDX_SAMPLES.map(|(name, quote, collateral, now)| sample(name, quote, collateral, now))
}

/// A quote whose guest may be debugged, with collateral put together of what was recorded at its time.
pub(crate) fn debugged() -> Option<Recording> {
    let report = recorded("tdx/debug-td-trustee/quote.bin")?;
    let newer = std::fs::read(package("dcap-qvl").join("sample/tdx_quote_collateral.json")).unwrap();
    let mut all: serde_json::Value = serde_json::from_slice(&newer).unwrap();
    let signer = include_str!("../data/intel-tcb-signing-2018.pem");
    for (name, file, key) in [
        ("tcb_info", "sample_tcbInfo_response", "tcbInfo"),
        ("qe_identity", "sample_qeIdentity_response", "enclaveIdentity"),
    ] {
        let response = String::from_utf8(recorded(&format!("tdx/gotdx-collateral/{file}"))?).unwrap();
        let signed = response.trim().strip_prefix(&format!("{{\"{key}\":")).unwrap().to_owned();
        let (signed, signature) = signed.split_once(",\"signature\":\"").unwrap();
        let chain = all[format!("{name}_issuer_chain")].as_str().unwrap().to_owned();
        let root = chain.split_inclusive("-----END CERTIFICATE-----\n").nth(1).unwrap();
        all[name] = signed.into();
        all[format!("{name}_signature")] = signature.trim_end_matches("\"}").into();
        all[format!("{name}_issuer_chain")] = format!("{signer}{root}").into();
    }
    all["pck_crl"] = hex(&recorded("tdx/gotdx-collateral/pckcrl")?).into();
    all["root_ca_crl"] = hex(&recorded("tdx/gotdx-collateral/rootcrl.der")?).into();
    let collateral = Collateral::parse(&serde_json::to_vec(&all).unwrap()).unwrap();
    let statement =
        Statement { tee: TDX.to_owned(), report, certificates: Vec::new(), attached: Attached::default() };
    // 2023-07-01.
    Some(Recording {
        name: "tdx, debug allowed",
        statement,
        collateral: Some(collateral),
        now: 1_688_169_600,
    })
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// A quote of a platform with versions below all that Intel lists.
pub(crate) fn outdated() -> Recording {
    sample("tdx, outdated", "tdx_quote_outdated", "tdx_quote_outdated_collateral.json", 1_771_500_000)
}

fn sample(name: &'static str, quote: &str, collateral: &str, now: u64) -> Recording {
    let folder = package("dcap-qvl").join("sample");
    let buffer = std::fs::read(folder.join(quote)).unwrap();
    let report = without_padding(&buffer).to_vec();
    let collateral = Collateral::parse(&std::fs::read(folder.join(collateral)).unwrap()).unwrap();
    let statement =
        Statement { tee: TDX.to_owned(), report, certificates: Vec::new(), attached: Attached::default() };
    Recording { name, statement, collateral: Some(collateral), now }
}

/// A policy file with nothing closed, and these fields stated.
pub(crate) fn open_but(stated: &[(&str, &str)]) -> PolicyFile {
    let mut file = PolicyFile::of_profile(Profile::Development);
    for (name, value) in stated {
        file.default_to(name, &[(*value).to_owned()], "a test").unwrap();
    }
    for field in FIELDS {
        file.default_to(field.name, &["any".to_owned()], "a test").unwrap();
    }
    file
}

impl Recording {
    pub(crate) fn appraise(&self, file: PolicyFile) -> Verdict {
        let amd = Roots::amd().unwrap();
        self.appraise_with(
            file,
            &Trust { now: self.now, amd: &amd, amd_revocation_lists: &[], intel: self.collateral.as_ref() },
        )
    }

    pub(crate) fn appraise_with(&self, file: PolicyFile, trust: &Trust<'_>) -> Verdict {
        appraise(&self.statement, &file.complete().unwrap(), None, trust)
    }

    /// The same with something changed.
    pub(crate) fn with(&self, change: impl FnOnce(&mut Statement)) -> Self {
        let mut statement = self.statement.clone();
        change(&mut statement);
        Self { name: self.name, statement, collateral: self.collateral.clone(), now: self.now }
    }
}

/// The check that refused.
pub(crate) fn refusal(verdict: &Verdict) -> &Check {
    assert!(!verdict.accepted);
    let refused: Vec<_> = verdict.checks.iter().filter(|check| !check.has_passed()).collect();
    assert_eq!(refused.len(), 1, "{:?}", verdict.checks);
    assert_eq!(Some(refused[0]), verdict.checks.last(), "it is the last that was made");
    refused[0]
}

/// A value that a field could hold and that what was found does not satisfy; `None` if everything does.
pub(crate) fn other_than(kind: Kind, found: &str) -> Option<String> {
    Some(match kind {
        Kind::Flag => (found != "true").to_string(),
        Kind::Number | Kind::Floor => (found.parse::<u32>().unwrap() + 1).to_string(),
        Kind::Hex(bytes) | Kind::HexOrNone(bytes) => {
            let first = if found.starts_with('0') { "1" } else { "0" };
            let rest =
                if found.len() == 2 * bytes { found[1..].to_owned() } else { "0".repeat(2 * bytes - 1) };
            first.to_owned() + &rest
        }
        Kind::Word(words) => (*words.iter().find(|word| **word != found)?).to_owned(),
        Kind::Level(levels) => {
            let at = levels.iter().position(|level| *level == found)?;
            (*levels.get(at + 1)?).to_owned()
        }
    })
}

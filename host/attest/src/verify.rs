//! Policy: every field of authentic evidence against what is expected.

use alloc::format;
use alloc::string::{String, ToString as _};
use alloc::vec;
use alloc::vec::Vec;
use serde::Serialize;
use sha2::{Digest as _, Sha512};
use vial_abi::report::{Purpose, RuntimeData};
use vial_weights::event_log::{names, replay};
use vial_weights::tree::Hex;
use vial_weights::{Manifest, sha384};

use crate::authentic::{Authentic, authentic};
use crate::bytes::{Bytes, unhex};
use crate::check::{Check, Outcome};
use crate::reference::Reference;
use crate::report::{POLICY_DEBUG, Report};

const ROOT: &str = "root of trust";
const REFERENCE: &str = "reference values";
const OWN: &str = "this verifier";
const SIGNED: &str = "the signed report";

/// What the verifier insists on. There is no default: each field is stated.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Policy {
    /// The nonce this verifier made.
    pub nonce: [u8; 64],
    /// Accept the simulated root of trust.
    pub allow_simulated: bool,
    /// Least security version of the platform.
    pub least_tcb: u64,
    /// Privilege level that must have asked.
    pub vmpl: u32,
}

/// The result: every check that was made, in order. Refused as soon as one is; the later ones are then missing.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Verdict {
    /// Whether every check was made and passed.
    pub accepted: bool,
    /// Whether the root of trust is the simulated one.
    pub simulated: bool,
    /// The checks.
    pub checks: Vec<Check>,
    /// The appliance's key, bound by the report.
    pub channel_key: String,
}

/// Verifies evidence.
#[must_use]
pub fn verify(evidence: &Bytes, reference: &Reference, policy: &Policy) -> Verdict {
    let mut checks = Vec::new();
    let accepted = all(evidence, reference, policy, &mut checks).is_some();
    let channel_key = Hex(&evidence.channel_key).to_string();
    Verdict { accepted, simulated: evidence.tee == crate::simulated::NAME, checks, channel_key }
}

/// Makes the checks in order; `None` after the first that refuses.
fn all(evidence: &Bytes, reference: &Reference, policy: &Policy, checks: &mut Vec<Check>) -> Option<()> {
    let authentic = signature(evidence, checks)?;
    push(checks, root(&authentic, policy))?;
    let report = authentic.report();
    for check in launch(report, reference, policy) {
        push(checks, check)?;
    }
    let head = event_log(evidence, reference, checks)?;
    let manifest = manifest(evidence, reference, checks)?;
    push(
        checks,
        Check::equal(
            "purpose",
            format!("{:?}", evidence.purpose),
            format!("{:?}", Purpose::Attestation),
            OWN,
        ),
    )?;
    push(checks, hex("nonce", &evidence.nonce, &policy.nonce, OWN))?;
    let data = RuntimeData {
        purpose: evidence.purpose,
        nonce: policy.nonce,
        channel_key: evidence.channel_key,
        manifest_digest: manifest.digest(),
        weights_root: manifest.weights.root,
        event_log_head: head,
    };
    push(
        checks,
        hex(
            "report data",
            &report.report_data,
            &Sha512::digest(data.preimage()),
            "nonce, key, manifest, root, log",
        ),
    )
}

fn push(checks: &mut Vec<Check>, check: Check) -> Option<()> {
    let has_passed = check.has_passed();
    checks.push(check);
    has_passed.then_some(())
}

fn hex(name: &'static str, found: &[u8], expected: &[u8], source: &'static str) -> Check {
    Check::equal(name, Hex(found).to_string(), Hex(expected).to_string(), source)
}

fn signature(evidence: &Bytes, checks: &mut Vec<Check>) -> Option<Authentic> {
    let result = authentic(evidence);
    let (outcome, found, expected) = match result {
        Ok(_) => (Outcome::Passed, "verifies", "ECDSA P-384 under the root"),
        Err((found, expected)) => (Outcome::Refused, found, expected),
    };
    let (found, expected) = (found.to_string(), expected.to_string());
    checks.push(Check { name: "report signature", outcome, found, expected, source: ROOT });
    result.ok()
}

fn root(authentic: &Authentic, policy: &Policy) -> Check {
    let Authentic::Simulated(_) = authentic;
    let expected =
        if policy.allow_simulated { "SIMULATED" } else { "a hardware root (or --allow-simulated)" };
    Check::equal("root of trust", "SIMULATED".to_string(), expected.to_string(), "--allow-simulated")
}

fn launch(report: &Report, reference: &Reference, policy: &Policy) -> Vec<Check> {
    let debug = report.policy & POLICY_DEBUG != 0;
    let is_new = report.reported_tcb >= policy.least_tcb;
    let tcb = if is_new { Outcome::Passed } else { Outcome::Refused };
    let least = format!("at least {:#x}", policy.least_tcb);
    vec![
        Check::equal("debug allowed", debug.to_string(), false.to_string(), OWN),
        Check::equal("privilege level", report.vmpl.to_string(), policy.vmpl.to_string(), OWN),
        Check {
            name: "platform version",
            outcome: tcb,
            found: format!("{:#x}", report.reported_tcb),
            expected: least,
            source: OWN,
        },
        Check::equal(
            "launch measurement",
            Hex(&report.measurement).to_string(),
            reference.launch_measurement.clone(),
            REFERENCE,
        ),
    ]
}

/// Replays the log and compares each event; gives the head, which the report data must bind.
fn event_log(evidence: &Bytes, reference: &Reference, checks: &mut Vec<Check>) -> Option<[u8; 48]> {
    let Ok((events, head)) = replay(&evidence.event_log) else {
        let (found, expected) = ("a malformed log".to_string(), "TCG2 events".to_string());
        checks.push(Check {
            name: "event log",
            outcome: Outcome::Refused,
            found,
            expected,
            source: REFERENCE,
        });
        return None;
    };
    let found: Vec<_> =
        events.iter().map(|event| (event.name.clone(), Hex(&event.digest).to_string())).collect();
    let expected = expected_events(reference);
    let differs = (0..found.len().max(expected.len())).find(|&at| found.get(at) != expected.get(at));
    let text = |events: &[(Vec<u8>, String)], at: usize| {
        events.get(at).map_or("no event".to_string(), |(name, digest)| {
            format!("{} {digest}", String::from_utf8_lossy(name))
        })
    };
    let (found, expected) = match differs {
        Some(at) => (text(&found, at), text(&expected, at)),
        None => (format!("{} events", events.len()), format!("{} events", expected.len())),
    };
    push(checks, Check::equal("event log", found, expected, REFERENCE))?;
    Some(head)
}

fn expected_events(reference: &Reference) -> Vec<(Vec<u8>, String)> {
    let (weights, draft) = match reference.measure.as_str() {
        "full" => (names::WEIGHTS, names::DRAFT),
        _ => (names::WEIGHTS_ROOT, names::DRAFT_ROOT),
    };
    let draft = reference.draft_root.as_deref().map(|root| (draft, of_root(root)));
    let always = [
        (names::LAUNCH_PAGE, reference.launch_page.clone()),
        (names::MANIFEST, reference.manifest_digest.clone()),
        (names::KERNEL, reference.kernel.clone()),
        (names::ENGINE, reference.engine.clone()),
        (names::BUNDLE, reference.bundle.clone()),
        (weights, of_root(&reference.weights_root)),
    ];
    let events = always.into_iter().chain(draft);
    events.map(|(name, digest)| (name.as_bytes().to_vec(), digest)).collect()
}

/// The digest of a root's event. A root that is no hex gives none, which differs from every digest.
fn of_root(hex: &str) -> String {
    unhex(hex, "root").map_or_else(|_| String::new(), |root| Hex(&sha384(&root)).to_string())
}

fn manifest(evidence: &Bytes, reference: &Reference, checks: &mut Vec<Check>) -> Option<Manifest> {
    push(
        checks,
        Check::equal(
            "manifest digest",
            Hex(&sha384(&evidence.manifest)).to_string(),
            reference.manifest_digest.clone(),
            REFERENCE,
        ),
    )?;
    let Ok(manifest) = Manifest::decode(&evidence.manifest) else {
        let (found, expected) = ("a malformed manifest".to_string(), "canonical CBOR".to_string());
        checks.push(Check { name: "manifest", outcome: Outcome::Refused, found, expected, source: SIGNED });
        return None;
    };
    push(
        checks,
        Check::equal(
            "weights root",
            Hex(&manifest.weights.root).to_string(),
            reference.weights_root.clone(),
            REFERENCE,
        ),
    )?;
    draft_root(&manifest, reference).map_or(Some(()), |check| push(checks, check))?;
    Some(manifest)
}

/// Compares the draft models where one side has one.
fn draft_root(manifest: &Manifest, reference: &Reference) -> Option<Check> {
    let found = manifest.draft.as_ref().map(|draft| Hex(&draft.weights.root).to_string());
    if found.is_none() && reference.draft_root.is_none() {
        return None;
    }
    let shown = |root: Option<String>| root.unwrap_or_else(|| "no draft model".to_string());
    Some(Check::equal("draft weights root", shown(found), shown(reference.draft_root.clone()), REFERENCE))
}

//! What makes a report that of an appliance: manifest, event log and runtime data, which it binds.

use alloc::format;
use alloc::string::{String, ToString as _};
use alloc::vec::Vec;

use sha2::{Digest as _, Sha512};
use vial_abi::report::{Purpose, RuntimeData};
use vial_weights::event_log::{Event, names, replay};
use vial_weights::tree::Hex;
use vial_weights::{Manifest, sha384};

use crate::authentic::Authentic;
use crate::bytes::Bytes;
use crate::check::Checks;
use crate::policy::Policy;

const MANIFEST: &str = "the manifest";
const OWN: &str = "this verifier";

/// What this verifier knows of the connection that evidence came over; nothing if it was stored.
#[derive(Clone, Copy, Debug, Default)]
pub struct Asked<'a> {
    /// The nonce that it asked with.
    pub nonce: Option<&'a [u8; 64]>,
    /// The key that the other end has: evidence that binds another is somebody else's, passed on.
    pub key: Option<&'a [u8; 32]>,
}

/// Compares everything, and that the report binds it. Nothing here is signed but by the last check.
pub(crate) fn check(
    evidence: &Bytes,
    authentic: &Authentic,
    policy: &Policy,
    asked: Asked<'_>,
    checks: &mut Checks,
) -> Option<()> {
    let manifest = manifest(evidence, policy, checks)?;
    let head = event_log(evidence, &manifest, policy, checks)?;
    checks.equal("purpose", format!("{:?}", evidence.purpose), format!("{:?}", Purpose::Attestation), OWN)?;
    policy.check("freshness", if asked.nonce.is_some() { "nonce" } else { "no nonce" }, checks)?;
    if let Some(expected) = asked.nonce {
        checks.same("nonce", &evidence.nonce, expected, OWN)?;
    }
    if let Some(expected) = asked.key {
        checks.same("channel key", &evidence.channel_key, expected, "this connection")?;
    }
    let data = RuntimeData {
        purpose: evidence.purpose,
        nonce: evidence.nonce,
        channel_key: evidence.channel_key,
        manifest_digest: manifest.digest(),
        weights_root: manifest.weights.root,
        event_log_head: head,
    };
    let expected = Sha512::digest(data.preimage());
    checks.same("report data", authentic.report_data(), &expected, "nonce, key, manifest, root, log")
}

fn manifest(evidence: &Bytes, policy: &Policy, checks: &mut Checks) -> Option<Manifest> {
    policy.check("appliance.manifest_digest", Hex(&sha384(&evidence.manifest)), checks)?;
    let decoded = Manifest::decode(&evidence.manifest).map_err(|_| "malformed");
    let manifest = checks.parsed("manifest", decoded, "canonical CBOR", OWN)?;
    policy.check("appliance.weights_root", Hex(&manifest.weights.root), checks)?;
    let plaintext = manifest.encryption.as_ref().map(|it| Hex(&it.plaintext_root).to_string());
    policy.check("appliance.plaintext_root", plaintext.unwrap_or_else(none), checks)?;
    let draft = manifest.draft.as_ref().map(|draft| Hex(&draft.weights.root).to_string());
    policy.check("appliance.draft_root", draft.unwrap_or_else(none), checks)?;
    let publisher = manifest.publisher.as_ref().map(|key| Hex(key).to_string());
    policy.check("appliance.publisher_key", publisher.unwrap_or_else(none), checks)?;
    policy.check("appliance.firmware", Hex(&manifest.firmware), checks)?;
    policy.check("appliance.kernel", Hex(&manifest.kernel), checks)?;
    policy.check("appliance.engine", Hex(&manifest.engine), checks)?;
    policy.check("appliance.bundle", Hex(&manifest.bundle), checks)?;
    Some(manifest)
}

fn none() -> String {
    "none".to_string()
}

/// Replays the log and compares each event with the manifest; gives the head, which the report data must bind.
fn event_log(
    evidence: &Bytes,
    manifest: &Manifest,
    policy: &Policy,
    checks: &mut Checks,
) -> Option<[u8; 48]> {
    let replayed = replay(&evidence.event_log).map_err(|_| "a malformed log");
    let (events, head) = checks.parsed("event log", replayed, "TCG2 events", OWN)?;
    let found: Vec<_> = events.iter().map(|event| (event.name.clone(), event.digest)).collect();
    let launch_page = found.first().map_or([0; 48], |(_, digest)| *digest);
    let measured = if is_whole(&events) { "full" } else { "nodes" };
    let expected = expected_events(manifest, launch_page, measured);
    let differs = (0..found.len().max(expected.len())).find(|&at| found.get(at) != expected.get(at));
    let (found, expected) = match differs {
        Some(at) => (text(&found, at), text(&expected, at)),
        None => (format!("{} events", found.len()), format!("{} events", expected.len())),
    };
    checks.equal("event log", found, expected, MANIFEST)?;
    policy.check("appliance.launch_page", Hex(&launch_page), checks)?;
    policy.check("appliance.weights_measured", measured, checks)?;
    Some(head)
}

/// Whether firmware says that it read every leaf.
fn is_whole(events: &[Event]) -> bool {
    events.iter().any(|event| event.name == names::WEIGHTS.as_bytes())
}

fn text(events: &[(Vec<u8>, [u8; 48])], at: usize) -> String {
    let name =
        |(name, digest): &(Vec<u8>, [u8; 48])| format!("{} {}", String::from_utf8_lossy(name), Hex(digest));
    events.get(at).map_or("no event".to_string(), name)
}

/// What firmware writes of that manifest.
fn expected_events(manifest: &Manifest, launch_page: [u8; 48], measured: &str) -> Vec<(Vec<u8>, [u8; 48])> {
    let (weights, draft) = match measured {
        "full" => (names::WEIGHTS, names::DRAFT),
        _ => (names::WEIGHTS_ROOT, names::DRAFT_ROOT),
    };
    let draft = manifest.draft.as_ref().map(|it| (draft, sha384(&it.weights.root)));
    let always = [
        (names::LAUNCH_PAGE, launch_page),
        (names::MANIFEST, manifest.digest()),
        (names::KERNEL, manifest.kernel),
        (names::ENGINE, manifest.engine),
        (names::BUNDLE, manifest.bundle),
        (weights, sha384(&manifest.weights.root)),
    ];
    let events = always.into_iter().chain(draft);
    events.map(|(name, digest)| (name.as_bytes().to_vec(), digest)).collect()
}

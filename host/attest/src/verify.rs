//! Verdicts: authentic evidence against a policy.

use alloc::string::{String, ToString as _};
use alloc::vec::Vec;
use serde::Serialize;
use vial_weights::tree::Hex;

use crate::appliance::{self, Asked};
use crate::assurance::Assurance;
use crate::authentic::{Authentic, Statement, authentic};
use crate::bytes::Bytes;
use crate::check::{Check, Checks};
use crate::pin::pin;
use crate::policy::{FIELDS, Policy};
use crate::trust::Trust;

/// What evidence without a TEE has where a policy may ask for what was measured before the first instruction.
const NO_LAUNCH: &str = "no launch measurement";
const NONCE: &str = "the nonce asked for";

/// The result: every check that was made, in order. Refused as soon as one is; the later ones are then missing.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Verdict {
    /// Whether every check was made and passed.
    pub accepted: bool,
    /// Whether the root of trust is the simulated one.
    pub simulated: bool,
    /// What it rests on; `null` if it is not authentic.
    pub assurance: Option<Assurance>,
    /// The profile of the policy.
    pub profile: &'static str,
    /// The checks.
    pub checks: Vec<Check>,
    /// The appliance's key, bound by the report; empty where there is none.
    pub channel_key: String,
    /// The same as clients pin it, for `curl --pinnedpubkey`.
    pub channel_pin: String,
}

/// Verifies an appliance's evidence.
#[must_use]
pub fn verify(evidence: &Bytes, policy: &Policy, asked: Asked<'_>, trust: &Trust<'_>) -> Verdict {
    let mut checks = Checks::default();
    let authentic = authentic(&evidence.statement, trust, &mut checks);
    let accepted = authentic.as_ref().and_then(|authentic| {
        says(authentic, policy, &mut checks)?;
        appliance::check(evidence, authentic, policy, asked, &mut checks)
    });
    verdict(accepted, authentic.as_ref(), policy, checks, Some(&evidence.channel_key))
}

/// Verifies a report or quote alone, of whatever machine. `report_data` is what it must bind; none if that is unknown.
///
/// What a policy states of an appliance is not in a report, and is refused.
#[must_use]
pub fn appraise(
    statement: &Statement,
    policy: &Policy,
    report_data: Option<&[u8]>,
    trust: &Trust<'_>,
) -> Verdict {
    let mut checks = Checks::default();
    let authentic = authentic(statement, trust, &mut checks);
    let accepted = authentic.as_ref().and_then(|authentic| {
        says(authentic, policy, &mut checks)?;
        alone(authentic, policy, report_data, &mut checks)
    });
    verdict(accepted, authentic.as_ref(), policy, checks, None)
}

fn verdict(
    accepted: Option<()>,
    authentic: Option<&Authentic>,
    policy: &Policy,
    checks: Checks,
    channel_key: Option<&[u8; 32]>,
) -> Verdict {
    let assurance = authentic.map(Authentic::assurance);
    Verdict {
        accepted: accepted.is_some(),
        simulated: assurance == Some(Assurance::Simulated),
        assurance,
        profile: policy.profile().name(),
        checks: checks.into_vec(),
        channel_key: channel_key.map(|key| Hex(key).to_string()).unwrap_or_default(),
        channel_pin: channel_key.map(pin).unwrap_or_default(),
    }
}

/// What every report says, whoever asked for it.
fn says(authentic: &Authentic, policy: &Policy, checks: &mut Checks) -> Option<()> {
    policy.check("tee", authentic.tee(), checks)?;
    policy.check("assurance", authentic.assurance(), checks)?;
    match authentic {
        Authentic::Simulated(report) => policy.check_guest(report, checks),
        Authentic::Snp(snp) => policy.check_snp(snp, checks),
        Authentic::Tdx(tdx) => policy.check_tdx(tdx, checks),
        Authentic::Azure(azure) => {
            match &azure.tee {
                Authentic::Snp(snp) => policy.check_snp(snp, checks)?,
                Authentic::Tdx(tdx) => policy.check_tdx(tdx, checks)?,
                // Nothing else is below a paravisor.
                Authentic::Simulated(_) | Authentic::Azure(_) | Authentic::Tpm(_) | Authentic::Dice(_) => {
                    return None;
                }
            }
            policy.check_tpm(&azure.tpm, checks)?;
            policy.check_azure(azure.configuration, checks)
        }
        Authentic::Tpm(tpm) => {
            policy.check("appliance.measurement", NO_LAUNCH, checks)?;
            policy.check_lone_tpm(tpm, checks)
        }
        Authentic::Dice(dice) => {
            policy.check("appliance.measurement", NO_LAUNCH, checks)?;
            policy.check_dice(dice, checks)
        }
    }
}

/// Fields of an appliance that a report holds itself.
const HELD: [&str; 1] = ["appliance.measurement"];

fn alone(
    authentic: &Authentic,
    policy: &Policy,
    report_data: Option<&[u8]>,
    checks: &mut Checks,
) -> Option<()> {
    policy.check("freshness", if report_data.is_some() { "nonce" } else { "no nonce" }, checks)?;
    if let Some(expected) = report_data {
        checks.same("report data", authentic.report_data(), expected, NONCE)?;
    }
    let names = FIELDS.iter().map(|field| field.name);
    let mut stated = names.filter(|name| name.starts_with("appliance.") && !HELD.contains(name));
    stated.try_for_each(|name| {
        if policy.is_open(name) { Some(()) } else { policy.check(name, "no appliance", checks) }
    })
}

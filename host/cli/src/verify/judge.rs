//! Judging appliances over connections to them.

use vial_attest::{Asked, Policy, Reference, verify};
use vial_client::Connection;
use vial_weights::Manifest;
use vial_weights::tree::Hex;

use super::Makers;
use super::expected::Expected;
use super::subject::{Appraised, Held, appraised, parse};
use crate::failure::Failure;

/// Longest evidence.
const EVIDENCE_MAX: u64 = 256 << 10;

/// What is expected of an appliance, read once.
pub(crate) struct Judge {
    policy: Policy,
    reference: Option<Reference>,
    held: Held,
}

impl Judge {
    /// Reads what is expected, and what is trusted.
    pub(crate) fn new(expected: &Expected, makers: &Makers) -> Result<Self, Failure> {
        let reference = expected.reference()?;
        let policy = expected.of_appliance(reference.as_ref())?;
        Ok(Self { policy, reference, held: Held::read(makers)? })
    }

    /// Asks whoever is at the other end, with a nonce of this call's own, and judges its answer and its key.
    pub(crate) fn judge(&self, url: &str, connection: &mut Connection) -> Result<Appraised, Failure> {
        self.judge_manifest(url, connection).map(|(appraised, _)| appraised)
    }

    /// The same, and the manifest if it was accepted.
    pub(crate) fn judge_manifest(
        &self,
        url: &str,
        connection: &mut Connection,
    ) -> Result<(Appraised, Option<Manifest>), Failure> {
        let mut nonce = [0; 64];
        getrandom::fill(&mut nonce)
            .map_err(|error| Failure::new(format!("nonce: {error}"), "the system gives none"))?;
        let target = format!("/v1/attestation?nonce={}", Hex(&nonce));
        let evidence = parse(&connection.get(&target, EVIDENCE_MAX)?)?;
        let asked = Asked { nonce: Some(&nonce), key: Some(connection.key()) };
        let verdict = verify(&evidence, &self.policy, asked, &self.held.trust());
        let manifest = Manifest::decode(&evidence.manifest).ok().filter(|_| verdict.accepted);
        let appraised = appraised(url.to_owned(), verdict, self.reference.as_ref(), &evidence, self.held.now);
        Ok((appraised, manifest))
    }
}

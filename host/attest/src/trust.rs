//! What a verifier trusts, and when: everything that is neither evidence nor policy.

use alloc::vec::Vec;
use core::str::FromStr as _;

use der::DateTime;

use crate::snp::Roots;
use crate::tdx::Collateral;

/// Roots, what is known of them, and the time. Collateral is signed; the time is the verifier's own.
#[derive(Clone, Copy, Debug)]
pub struct Trust<'a> {
    /// Now, in seconds since 1970.
    pub now: u64,
    /// AMD's keys.
    pub amd: &'a Roots,
    /// Revocation lists of AMD's, in DER.
    pub amd_revocation_lists: &'a [Vec<u8>],
    /// Intel's collateral, without which no quote is authentic. Intel's root is pinned by the `dcap-qvl` crate.
    pub intel: Option<&'a Collateral>,
}

/// Seconds since 1970 of a time such as `2026-06-20T00:00:00Z`.
#[must_use]
pub fn seconds(text: &str) -> Option<u64> {
    DateTime::from_str(text).ok().map(|time| time.unix_duration().as_secs())
}

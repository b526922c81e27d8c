//! Revocation lists, as AMD's key server gives them for each root.
//!
//! Spec: RFC 5280 §5; AMD 57230 rev 1.01 §4.3.

use core::time::Duration;

use der::Decode as _;
use x509_cert::crl::CertificateList;

use super::roots::Path;
use crate::x509::Signed;

/// What a list says of an issuer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Standing {
    /// The list is another root's.
    NotItsList,
    /// Not revoked.
    Good,
    /// Revoked.
    Revoked,
    /// The list is not valid yet, or no longer.
    Stale,
    /// Not signed by the root that it names.
    Forged,
}

/// A parsed list.
pub(crate) struct RevocationList {
    signed: Signed,
    list: CertificateList,
}

impl RevocationList {
    /// Reads DER; nothing may follow it.
    pub(crate) fn parse(der: &[u8]) -> Result<Self, der::Error> {
        Ok(Self { list: CertificateList::from_der(der)?, signed: Signed::parse(der)? })
    }

    /// What it says of the issuer on a path, at a time.
    pub(crate) fn standing(&self, path: &Path<'_>, now: u64) -> Standing {
        let list = &self.list.tbs_cert_list;
        if &list.issuer != path.root.fields().subject() {
            return Standing::NotItsList;
        }
        if !self.signed.is_signed_by(path.root.fields().subject_public_key_info()) {
            return Standing::Forged;
        }
        if !self.is_current(now) {
            return Standing::Stale;
        }
        let serial = path.issuer.fields().serial_number();
        let mut revoked = list.revoked_certificates.iter().flatten();
        if revoked.any(|entry| &entry.serial_number == serial) { Standing::Revoked } else { Standing::Good }
    }

    /// A list without an end is of no use: an old one could be shown for ever.
    fn is_current(&self, now: u64) -> bool {
        let list = &self.list.tbs_cert_list;
        let now = Duration::from_secs(now);
        let ends = list.next_update.map(|time| time.to_unix_duration());
        list.this_update.to_unix_duration() <= now && ends.is_some_and(|end| now <= end)
    }
}

//! Composition of report data: ring 3 gives nonce and key, the kernel the rest.

use sha2::{Digest as _, Sha512};
use vial_abi::Handoff;
use vial_abi::call::CallError;
use vial_abi::report::{Purpose, REQUEST_BYTES, ReportRequest, RuntimeData};

/// The report data for a request. From ring 3: untrusted.
///
/// # Errors
/// [`CallError::BadArgument`] for an unknown purpose, and for the boot report's, which is firmware's.
pub fn report_data(handoff: &Handoff, request: &[u8; REQUEST_BYTES]) -> Result<[u8; 64], CallError> {
    let request = ReportRequest::decode(request).map_err(|_| CallError::BadArgument)?;
    if request.purpose == Purpose::Boot {
        return Err(CallError::BadArgument);
    }
    let data = RuntimeData {
        purpose: request.purpose,
        nonce: request.nonce,
        channel_key: request.channel_key,
        manifest_digest: handoff.launch.manifest_digest,
        weights_root: handoff.weights_root,
        event_log_head: handoff.event_log_head,
    };
    Ok(Sha512::digest(data.preimage()).into())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::layout::tests::handoff;

    fn request(purpose: Purpose) -> [u8; REQUEST_BYTES] {
        ReportRequest { purpose, nonce: [4; 64], channel_key: [5; 32] }.encode()
    }

    #[test]
    fn report_data_is_the_hash_of_the_preimage() {
        let found = report_data(&handoff(512 << 20, 2), &request(Purpose::Attestation)).unwrap();
        let mut preimage = b"vial report data".to_vec();
        preimage.extend([1, 0, 0, 0, 2, 0, 0, 0]);
        for (byte, count) in [(4, 64), (5, 32), (1, 48), (2, 32), (3, 48)] {
            preimage.resize(preimage.len() + count, byte);
        }
        assert_eq!(found.as_slice(), Sha512::digest(&preimage).as_slice());
    }

    #[test]
    fn each_purpose_has_report_data_of_its_own() {
        let of = |purpose| report_data(&handoff(512 << 20, 2), &request(purpose)).unwrap();
        assert_ne!(of(Purpose::Attestation), of(Purpose::Unhealthy));
    }

    #[test]
    fn ring_3_gets_no_boot_report() {
        let refused = report_data(&handoff(512 << 20, 2), &request(Purpose::Boot));
        assert_eq!(refused, Err(CallError::BadArgument));
        assert_eq!(report_data(&handoff(512 << 20, 2), &[9; 100]), Err(CallError::BadArgument));
    }
}

//! Reports and quotes in their real format.
//!
//! Spec: TDX Module ABI (348551), `TDREPORT_STRUCT`, `REPORTMACSTRUCT`, `TEE_TCB_INFO`, `TDINFO_STRUCT`; DCAP appendix A.3.

use hmac::{Hmac, KeyInit as _, Mac as _};
use sha2::{Digest as _, Sha256, Sha384};

/// What the processor keeps for itself.
const MAC_KEY: [u8; 32] = [0x5A; 32];

/// Everything of a domain that its reports say.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct TdInfo {
    pub(crate) attributes: [u8; 8],
    pub(crate) xfam: [u8; 8],
    pub(crate) mrtd: [u8; 48],
    pub(crate) config_id: [u8; 48],
    pub(crate) owner: [u8; 48],
    pub(crate) owner_config: [u8; 48],
    pub(crate) rtmr: [[u8; 48]; 4],
}

impl Default for TdInfo {
    fn default() -> Self {
        Self {
            attributes: (1_u64 << 28).to_le_bytes(),
            xfam: 0xE7_u64.to_le_bytes(),
            mrtd: [0; 48],
            config_id: [1; 48],
            owner: [2; 48],
            owner_config: [3; 48],
            rtmr: [[0; 48]; 4],
        }
    }
}

impl TdInfo {
    /// Attributes to RTMR3, as reports and quotes have them.
    fn identity(&self) -> Vec<u8> {
        let fixed = [&self.attributes[..], &self.xfam, &self.mrtd, &self.config_id, &self.owner];
        [&fixed.concat(), &self.owner_config[..], self.rtmr.as_flattened()].concat()
    }

    /// What a quote says of its domain.
    pub(crate) fn from_identity(identity: &[u8]) -> Self {
        let (numbers, rest) = identity.split_at(16);
        let digest = |at: usize| rest[48 * at..48 * at + 48].try_into().unwrap();
        Self {
            attributes: numbers[..8].try_into().unwrap(),
            xfam: numbers[8..].try_into().unwrap(),
            mrtd: digest(0),
            config_id: digest(1),
            owner: digest(2),
            owner_config: digest(3),
            rtmr: core::array::from_fn(|index| digest(4 + index)),
        }
    }

    /// TDG.MR.REPORT's 1024 bytes.
    pub(crate) fn report(&self, data: &[u8; 64]) -> Vec<u8> {
        let mut info = self.identity();
        info.resize(512, 0);
        let tcb = tcb_info();
        let hash = |bytes: &[u8]| Sha384::digest(bytes).to_vec();
        let mut report = [&[0x81, 0, 0, 0][..], &[0; 12], &[7; 16]].concat();
        report.extend([hash(&tcb), hash(&info), data.to_vec(), vec![0; 32]].concat());
        report.extend(mac(&report));
        report.extend([tcb, vec![0; 17], info].concat());
        assert_eq!(report.len(), 1024);
        report
    }
}

/// `TEE_TCB_INFO`: which fields hold, versions, the module's measurement and signer, attributes, versions again.
fn tcb_info() -> Vec<u8> {
    let mut tcb = [&0x301FF_u64.to_le_bytes()[..], &[5; 16], &[0x5E; 48], &[0; 48], &[0; 8]].concat();
    tcb.resize(239, 0);
    tcb
}

fn mac(of: &[u8]) -> Vec<u8> {
    let mut mac = Hmac::<Sha256>::new_from_slice(&MAC_KEY).unwrap();
    mac.update(of);
    mac.finalize().into_bytes().to_vec()
}

/// What a quoting enclave makes of a report: nothing if its MAC or hashes are wrong, else a quote of version 4 with a
/// signature that nobody checks here.
pub(crate) fn quote(report: &[u8]) -> Option<Vec<u8>> {
    let hash = |bytes: &[u8]| Sha384::digest(bytes).to_vec();
    let is_genuine = mac(&report[..224]) == report[224..256]
        && hash(&report[256..495]) == report[32..80]
        && hash(&report[512..]) == report[80..128];
    let header = [&[4, 0, 2, 0, 0x81, 0, 0, 0][..], &[0; 4], &[0x93; 16], &[0; 20]].concat();
    let tcb = &report[264..264 + 16 + 48 + 48 + 8];
    let body = [tcb, &report[512..912], &report[128..192]].concat();
    assert_eq!((header.len(), body.len()), (48, 584));
    is_genuine.then(|| [header, body, 4000_u32.to_le_bytes().to_vec(), vec![0x51; 4000]].concat())
}

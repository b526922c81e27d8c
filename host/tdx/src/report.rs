//! Reports in their real format. Spec: TDX Module ABI (348551), `TDREPORT_STRUCT`, `REPORTMACSTRUCT`, `TEE_TCB_INFO`,
//! `TDINFO_STRUCT`.

use hmac::{Hmac, KeyInit as _, Mac as _};
use sha2::{Digest as _, Sha256, Sha384};

/// Bytes of a report.
pub const REPORT_BYTES: usize = 1024;
/// What the processor keeps for itself, here for nothing: everybody has it.
const MAC_KEY: [u8; 32] = [0x5A; 32];
const MAC_AT: usize = 224;
const TCB_AT: usize = 256;
const TCB_END: usize = 495;
const INFO_AT: usize = 512;

/// Everything of a domain that its reports say.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TdInfo {
    /// ATTRIBUTES.
    pub attributes: [u8; 8],
    /// XFAM.
    pub xfam: [u8; 8],
    /// MRTD.
    pub mrtd: [u8; 48],
    /// MRCONFIGID.
    pub config_id: [u8; 48],
    /// MROWNER.
    pub owner: [u8; 48],
    /// MROWNERCONFIG.
    pub owner_config: [u8; 48],
    /// RTMR0 to RTMR3.
    pub rtmr: [[u8; 48]; 4],
}

impl Default for TdInfo {
    fn default() -> Self {
        Self {
            attributes: (1_u64 << 28).to_le_bytes(),
            xfam: 0xE7_u64.to_le_bytes(),
            mrtd: [0; 48],
            config_id: [0; 48],
            owner: [0; 48],
            owner_config: [0; 48],
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

    /// TDG.MR.REPORT's 1024 bytes.
    #[must_use]
    pub fn report(&self, data: &[u8; 64]) -> Vec<u8> {
        let mut info = self.identity();
        info.resize(REPORT_BYTES - INFO_AT, 0);
        let tcb = tcb_info();
        let hash = |bytes: &[u8]| Sha384::digest(bytes).to_vec();
        let mut report = [&[0x81, 0, 0, 0][..], &[0; 12], &[7; 16]].concat();
        report.extend([hash(&tcb), hash(&info), data.to_vec(), vec![0; 32]].concat());
        report.extend(mac(&report));
        report.extend([tcb, vec![0; INFO_AT - TCB_END], info].concat());
        report
    }
}

/// `TEE_TCB_INFO`: which fields hold, versions, the module's measurement and signer, attributes, versions again.
fn tcb_info() -> Vec<u8> {
    let mut tcb = [&0x301FF_u64.to_le_bytes()[..], &[5; 16], &[0x5E; 48], &[0; 48], &[0; 8]].concat();
    tcb.resize(TCB_END - TCB_AT, 0);
    tcb
}

/// This machine's module wrote these bytes: what a quoting enclave looks at before it signs.
#[must_use]
pub fn is_genuine(report: &[u8; REPORT_BYTES]) -> bool {
    let hash = |bytes: &[u8]| Sha384::digest(bytes).to_vec();
    mac(&report[..MAC_AT]) == report[MAC_AT..TCB_AT]
        && hash(&report[TCB_AT..TCB_END]) == report[32..80]
        && hash(&report[INFO_AT..]) == report[80..128]
}

fn mac(of: &[u8]) -> Vec<u8> {
    // A key of any length will do.
    let Ok(mut mac) = Hmac::<Sha256>::new_from_slice(&MAC_KEY) else { return Vec::new() };
    mac.update(of);
    mac.finalize().into_bytes().to_vec()
}

//! The SEV-SNP attestation report's layout.
//!
//! Spec: AMD SEV Secure Nested Paging Firmware ABI (56860) rev 1.58 §7.3, table 23; version 2: rev 1.56.

pub use vial_abi::report::REPORT_BYTES;

use crate::malformed::{Form, Malformed};

const FORM: Form = Form("report");

/// Bytes that the signature covers.
pub const SIGNED_BYTES: usize = 0x2A0;
/// Versions that this parser reads; 4 was never published, and 5 is the newest.
const VERSIONS: [u32; 3] = [2, 3, 5];
/// ECDSA P-384 with SHA-384.
const ALGORITHM: u32 = 1;
/// Bytes of each of the two numbers of a signature, little endian.
const NUMBER_BYTES: usize = 72;
/// Policy bits from here on mean nothing yet.
const POLICY_RESERVED: u32 = 26;
/// Bits of the platform's description from here on mean nothing yet.
const PLATFORM_RESERVED: u32 = 8;
/// The policy bit that is always one.
const POLICY_ONE: u64 = 1 << 17;
/// Least privileged level of a guest.
const VMPL_MAX: u32 = 3;

/// The fields of a report. Parsing proves their form, not who signed them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Report {
    /// Layout's version: 2, 3 or 5.
    pub version: u32,
    /// The guest's own security version, from its ID block.
    pub guest_svn: u32,
    /// Guest policy; see [`policy_bit`].
    pub policy: u64,
    /// Family of the ID block.
    pub family_id: [u8; 16],
    /// Image of the ID block.
    pub image_id: [u8; 16],
    /// Privilege level that asked, 0 to 3.
    pub vmpl: u32,
    /// Platform's description; bit 0 says that SMT is on.
    pub platform: u64,
    /// Who signed: 0 is the chip's own key (VCEK), 1 the cloud's (VLEK).
    pub signing_key: u8,
    /// Whether the host had the chip's identity hidden.
    pub is_chip_masked: bool,
    /// What the guest bound.
    pub report_data: [u8; 64],
    /// Launch measurement.
    pub measurement: [u8; 48],
    /// What the host bound at launch.
    pub host_data: [u8; 32],
    /// Digest of the key that signed the ID block; zero if there was none.
    pub id_key_digest: [u8; 48],
    /// Digest of the key that certified that key; zero if there was none.
    pub author_key_digest: [u8; 48],
    /// Identity of the migration agent; all ones if there is none.
    pub migration_agent: [u8; 32],
    /// Version of the platform that the signing key follows from, see [`super::Tcb`].
    pub reported_tcb: [u8; 8],
    /// Version of the platform that runs.
    pub current_tcb: [u8; 8],
    /// Version that the platform cannot go back behind.
    pub committed_tcb: [u8; 8],
    /// Version that ran when the guest was launched.
    pub launch_tcb: [u8; 8],
    /// Combined family, model, and stepping, from version 3 on.
    pub cpuid: Option<[u8; 3]>,
    /// The processor; zero if masked.
    pub chip_id: [u8; 64],
    /// `r` and `s` of the signature, big endian.
    pub signature: [u8; 96],
}

/// Bits of [`Report::policy`]. Spec: AMD 56860 rev 1.58 §4.3, table 9.
pub mod policy_bit {
    /// May run beside another thread on a core.
    pub const SMT: u64 = 1 << 16;
    /// May be taken over by a migration agent.
    pub const MIGRATION: u64 = 1 << 18;
    /// A host may read and change the guest's memory.
    pub const DEBUG: u64 = 1 << 19;
    /// Must stay on one socket.
    pub const SINGLE_SOCKET: u64 = 1 << 20;
}

impl Report {
    /// Reads a report.
    ///
    /// # Errors
    /// The length, version, algorithm, signing key, privilege level, or bits that must be zero.
    pub fn parse(bytes: &[u8]) -> Result<Self, Malformed> {
        let bytes: &[u8; REPORT_BYTES] = bytes.try_into().map_err(|_| FORM.malformed("length"))?;
        let version = number(bytes, 0x00);
        FORM.expect(VERSIONS.contains(&version), "version")?;
        FORM.expect(number(bytes, 0x34) == ALGORITHM, "signature algorithm")?;
        reserved(bytes, version)?;
        let key = number(bytes, 0x48);
        Ok(Self {
            version,
            guest_svn: number(bytes, 0x04),
            policy: policy(u64::from_le_bytes(field(bytes, 0x08)))?,
            family_id: field(bytes, 0x10),
            image_id: field(bytes, 0x20),
            vmpl: vmpl(number(bytes, 0x30))?,
            current_tcb: field(bytes, 0x38),
            platform: platform(u64::from_le_bytes(field(bytes, 0x40)))?,
            signing_key: signing_key(key)?,
            is_chip_masked: key & 2 != 0,
            report_data: field(bytes, 0x50),
            measurement: field(bytes, 0x90),
            host_data: field(bytes, 0xC0),
            id_key_digest: field(bytes, 0xE0),
            author_key_digest: field(bytes, 0x110),
            migration_agent: field(bytes, 0x160),
            reported_tcb: field(bytes, 0x180),
            cpuid: (version > 2).then(|| field(bytes, 0x188)),
            chip_id: field(bytes, 0x1A0),
            committed_tcb: field(bytes, 0x1E0),
            launch_tcb: field(bytes, 0x1F0),
            signature: signature(bytes)?,
        })
    }
}

/// What must be zero. Version 3 put the processor's family in; version 5 the mitigations of launch and now.
fn reserved(bytes: &[u8; REPORT_BYTES], version: u32) -> Result<(), Malformed> {
    let cpuid = if version > 2 { (0x18B, 21) } else { (0x188, 24) };
    let mitigations = if version > 3 { (0x208, 152) } else { (0x1F8, 168) };
    let places = [(0x4C, 4), cpuid, (0x1EB, 1), (0x1EF, 1), mitigations];
    FORM.expect(places.iter().all(|&(at, len)| is_zero(bytes, at, len)), "reserved bytes")
}

fn policy(policy: u64) -> Result<u64, Malformed> {
    FORM.expect(policy >> POLICY_RESERVED == 0 && policy & POLICY_ONE != 0, "policy's reserved bits")?;
    Ok(policy)
}

fn platform(platform: u64) -> Result<u64, Malformed> {
    FORM.expect(platform >> PLATFORM_RESERVED == 0, "platform's reserved bits")?;
    Ok(platform)
}

/// Reports that a host asks for have no level of a guest.
fn vmpl(vmpl: u32) -> Result<u32, Malformed> {
    FORM.expect(vmpl <= VMPL_MAX, "privilege level")?;
    Ok(vmpl)
}

/// Bits 2 to 4; 7 would be none at all, and others are not yet given out.
fn signing_key(key: u32) -> Result<u8, Malformed> {
    match (key >> 5, (key >> 2) & 7) {
        (0, 0) => Ok(0),
        (0, 1) => Ok(1),
        _ => Err(FORM.malformed("signing key")),
    }
}

/// Numbers of 72 bytes little endian into 48 bytes big endian; what is cut off must be zero.
fn signature(bytes: &[u8; REPORT_BYTES]) -> Result<[u8; 96], Malformed> {
    let mut signature = [0; 96];
    let numbers = [field::<NUMBER_BYTES>(bytes, 0x2A0), field::<NUMBER_BYTES>(bytes, 0x2E8)];
    let is_padded = numbers.iter().all(|number| number.iter().skip(48).all(|&byte| byte == 0));
    FORM.expect(is_padded && is_zero(bytes, 0x330, 368), "signature padding")?;
    let digits = numbers.iter().flat_map(|number| number.iter().take(48).rev());
    signature.iter_mut().zip(digits).for_each(|(to, from)| *to = *from);
    Ok(signature)
}

/// Writes big-endian `r` and `s` where a report has its signature.
pub(crate) fn put_signature(bytes: &mut [u8; REPORT_BYTES], signature: &[u8; 96]) {
    for (start, number) in [0x2A0, 0x2E8].into_iter().zip(signature.as_chunks::<48>().0) {
        let places = bytes.iter_mut().skip(start);
        places.zip(number.iter().rev()).for_each(|(to, from)| *to = *from);
    }
}

fn number(bytes: &[u8; REPORT_BYTES], at: usize) -> u32 {
    u32::from_le_bytes(field(bytes, at))
}

fn field<const N: usize>(bytes: &[u8; REPORT_BYTES], at: usize) -> [u8; N] {
    // Every offset above lies inside the fixed length.
    bytes.get(at..).and_then(|rest| rest.first_chunk()).copied().unwrap_or([0; N])
}

fn is_zero(bytes: &[u8; REPORT_BYTES], at: usize, len: usize) -> bool {
    bytes.iter().skip(at).take(len).all(|&byte| byte == 0)
}

//! The SEV-SNP attestation report's layout.
//!
//! Spec: AMD SEV Secure Nested Paging Firmware ABI (56860) rev 1.56 §7.3, table 23.

pub use vial_abi::report::REPORT_BYTES;

/// Bytes that the signature covers.
pub const SIGNED_BYTES: usize = 0x2A0;
/// Version that this parser reads.
pub const VERSION: u32 = 2;
/// ECDSA P-384 with SHA-384.
const ALGORITHM: u32 = 1;
/// Bytes of each of the two numbers of a signature, little endian.
const NUMBER_BYTES: usize = 72;

/// A field that is not what the layout says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ReportError {
    /// Its name.
    pub field: &'static str,
}

impl core::fmt::Display for ReportError {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        write!(f, "report {}: not what the layout says", self.field)
    }
}

impl core::error::Error for ReportError {}

/// The fields a verifier reads. Parsing proves their form, not who signed them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Report {
    /// Guest policy; bit 19 allows debugging.
    pub policy: u64,
    /// Privilege level that asked.
    pub vmpl: u32,
    /// What the guest bound.
    pub report_data: [u8; 64],
    /// Launch measurement.
    pub measurement: [u8; 48],
    /// Security version of the platform that signed.
    pub reported_tcb: u64,
    /// The processor.
    pub chip_id: [u8; 64],
    /// `r` and `s` of the signature, big endian.
    pub signature: [u8; 96],
}

/// Guest policy bit: a host may read and change the guest's memory.
pub const POLICY_DEBUG: u64 = 1 << 19;

impl Report {
    /// Reads a report.
    ///
    /// # Errors
    /// The length, version, algorithm, or bytes that must be zero.
    pub fn parse(bytes: &[u8]) -> Result<Self, ReportError> {
        let bytes: &[u8; REPORT_BYTES] = bytes.try_into().map_err(|_| ReportError { field: "length" })?;
        expect(u32::from_le_bytes(field(bytes, 0x00)) == VERSION, "version")?;
        expect(u32::from_le_bytes(field(bytes, 0x34)) == ALGORITHM, "signature algorithm")?;
        expect(
            is_zero(bytes, 0x4C, 4) && is_zero(bytes, 0x188, 24) && is_zero(bytes, 0x1F8, 168),
            "reserved bytes",
        )?;
        Ok(Self {
            policy: u64::from_le_bytes(field(bytes, 0x08)),
            vmpl: u32::from_le_bytes(field(bytes, 0x30)),
            report_data: field(bytes, 0x50),
            measurement: field(bytes, 0x90),
            reported_tcb: u64::from_le_bytes(field(bytes, 0x180)),
            chip_id: field(bytes, 0x1A0),
            signature: signature(bytes)?,
        })
    }
}

/// Numbers of 72 bytes little endian into 48 bytes big endian; what is cut off must be zero.
fn signature(bytes: &[u8; REPORT_BYTES]) -> Result<[u8; 96], ReportError> {
    let mut signature = [0; 96];
    let numbers = [field::<NUMBER_BYTES>(bytes, 0x2A0), field::<NUMBER_BYTES>(bytes, 0x2E8)];
    let is_padded = numbers.iter().all(|number| number.iter().skip(48).all(|&byte| byte == 0));
    expect(is_padded && is_zero(bytes, 0x330, 368), "signature padding")?;
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

fn field<const N: usize>(bytes: &[u8; REPORT_BYTES], at: usize) -> [u8; N] {
    // Every offset above lies inside the fixed length.
    bytes.get(at..).and_then(|rest| rest.first_chunk()).copied().unwrap_or([0; N])
}

fn is_zero(bytes: &[u8; REPORT_BYTES], at: usize, len: usize) -> bool {
    bytes.iter().skip(at).take(len).all(|&byte| byte == 0)
}

fn expect(is_right: bool, field: &'static str) -> Result<(), ReportError> {
    if is_right { Ok(()) } else { Err(ReportError { field }) }
}

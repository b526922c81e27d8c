//! Little-endian fields, read and written in order.

/// Why bytes are not the structure they should be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WireError {
    /// The magic or version is another one.
    Version {
        /// What stands there.
        found: u64,
        /// What should.
        expected: u64,
    },
    /// Bytes end early.
    Short,
    /// A field has a value outside its range.
    Field {
        /// Name of the field.
        name: &'static str,
        /// What stands there.
        found: u64,
    },
    /// Reserved bytes are not zero.
    Reserved,
}

impl core::fmt::Display for WireError {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        match self {
            Self::Version { found, expected } => {
                write!(f, "version: found {found:#x}, expected {expected:#x}")
            }
            Self::Short => f.write_str("ends early"),
            Self::Field { name, found } => write!(f, "{name}: found {found:#x}, out of range"),
            Self::Reserved => f.write_str("reserved bytes: found non-zero, expected zero"),
        }
    }
}

impl core::error::Error for WireError {}

/// Reads fields off the front of a slice.
#[derive(Debug)]
pub(crate) struct Reader<'a>(pub(crate) &'a [u8]);

impl<'a> Reader<'a> {
    pub(crate) fn bytes<const N: usize>(&mut self) -> Result<[u8; N], WireError> {
        let (head, rest) = self.0.split_first_chunk::<N>().ok_or(WireError::Short)?;
        self.0 = rest;
        Ok(*head)
    }

    pub(crate) fn u32(&mut self) -> Result<u32, WireError> {
        self.bytes().map(u32::from_le_bytes)
    }

    pub(crate) fn u64(&mut self) -> Result<u64, WireError> {
        self.bytes().map(u64::from_le_bytes)
    }

    /// The rest must be zero.
    pub(crate) fn finish(self) -> Result<(), WireError> {
        if self.0.iter().all(|&byte| byte == 0) { Ok(()) } else { Err(WireError::Reserved) }
    }
}

/// Writes fields to the front of a slice; what does not fit is a bug of the layout and is dropped, which the
/// round-trip tests would show.
#[derive(Debug)]
pub(crate) struct Writer<'a>(pub(crate) &'a mut [u8]);

impl Writer<'_> {
    pub(crate) fn bytes(&mut self, bytes: &[u8]) -> &mut Self {
        let taken = core::mem::take(&mut self.0);
        if let Some((head, rest)) = taken.split_at_mut_checked(bytes.len()) {
            head.copy_from_slice(bytes);
            self.0 = rest;
        }
        self
    }

    pub(crate) fn u32(&mut self, value: u32) -> &mut Self {
        self.bytes(&value.to_le_bytes())
    }

    pub(crate) fn u64(&mut self, value: u64) -> &mut Self {
        self.bytes(&value.to_le_bytes())
    }
}

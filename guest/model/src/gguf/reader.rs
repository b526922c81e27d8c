//! A cursor over the prefix that says "more" where the prefix ends and "cut short" where the file does.

use super::error::GgufError;

/// Reads little-endian fields of a prefix of a file.
#[derive(Debug)]
pub(super) struct Reader<'a> {
    prefix: &'a [u8],
    at: usize,
    file_bytes: u64,
}

macro_rules! numbers {
    ($($name:ident)*) => {
        $(pub(super) fn $name(&mut self, what: &'static str) -> Result<$name, GgufError> {
            self.array(what).map($name::from_le_bytes)
        })*
    };
}

impl<'a> Reader<'a> {
    pub(super) fn new(prefix: &'a [u8], file_bytes: u64) -> Self {
        Self { prefix, at: 0, file_bytes }
    }

    /// Byte offset of the next field.
    pub(super) fn offset(&self) -> u64 {
        as_u64(self.at)
    }

    pub(super) fn take(&mut self, bytes: u64, what: &'static str) -> Result<&'a [u8], GgufError> {
        let end = self.offset().saturating_add(bytes);
        if end > self.file_bytes {
            return Err(GgufError::CutShort { what, needed: end, file_bytes: self.file_bytes });
        }
        let until = usize::try_from(end).unwrap_or(usize::MAX);
        let taken = self.prefix.get(self.at..until);
        let taken = taken.ok_or(GgufError::NeedMore { have: as_u64(self.prefix.len()), at_least: end })?;
        self.at = until;
        Ok(taken)
    }

    pub(super) fn array<const N: usize>(&mut self, what: &'static str) -> Result<[u8; N], GgufError> {
        let mut out = [0; N];
        out.copy_from_slice(self.take(as_u64(N), what)?);
        Ok(out)
    }

    /// A length-prefixed string of at most `limit` bytes.
    pub(super) fn string(&mut self, what: &'static str, limit: u64) -> Result<&'a str, GgufError> {
        let bytes = self.count(what, limit)?;
        let offset = self.offset();
        let text = self.take(bytes, what)?;
        core::str::from_utf8(text).map_err(|_| GgufError::Utf8 { what, offset })
    }

    /// A 64-bit count of at most `limit`.
    pub(super) fn count(&mut self, what: &'static str, limit: u64) -> Result<u64, GgufError> {
        let found = self.u64(what)?;
        if found > limit { Err(GgufError::Limit { what, found, limit }) } else { Ok(found) }
    }

    pub(super) fn bool(&mut self, what: &'static str) -> Result<bool, GgufError> {
        let offset = self.offset();
        match self.u8(what)? {
            0 => Ok(false),
            1 => Ok(true),
            found => Err(GgufError::Bool { offset, found }),
        }
    }

    numbers!(u8 i8 u16 i16 u32 i32 u64 i64 f32 f64);
}

/// A length as the file counts it; lossless on every target we build for.
pub(super) fn as_u64(length: usize) -> u64 {
    u64::try_from(length).unwrap_or(u64::MAX)
}

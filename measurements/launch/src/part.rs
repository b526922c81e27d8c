//! What is loaded, piece by piece, in the order in which it is measured.

use alloc::vec;
use alloc::vec::Vec;
use vial_abi::memory::{CPUID_PA, LAUNCHED, PAGE, SECRETS_PA};

use crate::plan::Range;

/// Consecutive pages of one kind.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Part {
    /// Guest physical address of the first byte; a multiple of 4 KiB.
    pub gpa: u64,
    /// What is there.
    pub contents: Contents,
}

/// What pages hold. Spec: AMD SEV-SNP firmware ABI (56860) rev 1.58 §8.17.2, table 66 (PAGE_TYPE).
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Contents {
    /// These bytes, whole pages.
    Normal(Vec<u8>),
    /// So many bytes of zeros.
    Zero(u64),
    /// The page in which the secure processor leaves what only the guest may know.
    Secrets,
    /// The page in which it leaves what CPUID may say.
    Cpuid,
}

impl Part {
    /// First address behind it.
    #[must_use]
    pub fn end(&self) -> u64 {
        let bytes = match &self.contents {
            Contents::Normal(bytes) => u64::try_from(bytes.len()).unwrap_or(u64::MAX),
            Contents::Zero(bytes) => *bytes,
            Contents::Secrets | Contents::Cpuid => PAGE,
        };
        self.gpa.saturating_add(bytes)
    }
}

/// The ranges alone.
pub(crate) fn plain(ranges: &[Range]) -> Vec<Part> {
    ranges.iter().map(normal).collect()
}

/// The ranges and the secure processor's pages, and zeros around them.
pub(crate) fn snp(ranges: &[Range]) -> Vec<Part> {
    let own = [(SECRETS_PA, Contents::Secrets), (CPUID_PA, Contents::Cpuid)];
    filled(ranges, own.map(|(gpa, contents)| Part { gpa, contents }))
}

/// The ranges, and zeros around them.
pub(crate) fn tdx(ranges: &[Range]) -> Vec<Part> {
    filled(ranges, [])
}

/// All of [`LAUNCHED`], so that firmware knows without being told which memory is the guest's already, and takes none twice.
fn filled(ranges: &[Range], own: impl IntoIterator<Item = Part>) -> Vec<Part> {
    let mut parts: Vec<_> = ranges.iter().map(normal).chain(own).collect();
    parts.sort_by_key(|part| part.gpa);
    let (mut all, mut next) = (vec![], LAUNCHED.pa);
    for part in parts {
        all.extend(zeros(next, part.gpa));
        next = part.end();
        all.push(part);
    }
    all.extend(zeros(next, LAUNCHED.pa.saturating_add(LAUNCHED.len)));
    all
}

fn normal(range: &Range) -> Part {
    Part { gpa: range.gpa, contents: Contents::Normal(range.bytes.clone()) }
}

fn zeros(gpa: u64, end: u64) -> Option<Part> {
    let bytes = end.saturating_sub(gpa);
    (bytes > 0).then_some(Part { gpa, contents: Contents::Zero(bytes) })
}

#[cfg(test)]
mod tests {
    use super::*;
    use vial_abi::memory::{LAUNCH_PAGE_PA, ROM_TEXT_PA};

    #[test]
    fn parts_of_tdx_are_bytes_and_zeros_alone() {
        let parts = tdx(&[Range { gpa: ROM_TEXT_PA, bytes: vec![7; 1 << 12] }]);
        let rest = Contents::Zero(LAUNCHED.len - PAGE);
        assert_eq!(parts.iter().map(|part| part.gpa).collect::<Vec<_>>(), [ROM_TEXT_PA, ROM_TEXT_PA + PAGE]);
        assert_eq!(parts[1].contents, rest);
    }

    #[test]
    fn parts_of_snp_fill_all_that_is_launched_once() {
        let range = |gpa, pages: usize| Range { gpa, bytes: vec![7; pages << 12] };
        let parts = snp(&[range(ROM_TEXT_PA, 2), range(LAUNCH_PAGE_PA, 1)]);
        assert_eq!(parts.first().map(|part| part.gpa), Some(LAUNCHED.pa));
        assert!(parts.windows(2).all(|pair| pair[0].end() == pair[1].gpa), "{parts:?}");
        assert_eq!(parts.last().map(Part::end), Some(LAUNCHED.pa + LAUNCHED.len));
        let at = |gpa| parts.iter().find(|part| part.gpa == gpa).map(|part| &part.contents);
        assert_eq!((at(SECRETS_PA), at(CPUID_PA)), (Some(&Contents::Secrets), Some(&Contents::Cpuid)));
    }
}

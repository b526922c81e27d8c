//! The page of what CPUID may say. Spec: AMD 56860 rev 1.58 §8.17.2.6, tables 70 and 71.

/// Entries of one page.
const ENTRIES_MAX: usize = 64;
/// Leaf of memory encryption.
const ENCRYPTION: u32 = 0x8000_001F;
/// SEV, SEV-ES, SEV-SNP.
const FEATURES: u32 = 1 << 1 | 1 << 3 | 1 << 4;
/// What an entry says of XCR0, for leaves that depend on it.
const XCR0_X87: u64 = 1;

/// What CPUID says for one leaf and subleaf.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Leaf {
    /// EAX and ECX before.
    pub asked: [u32; 2],
    /// EAX, EBX, ECX, EDX after.
    pub found: [u32; 4],
}

/// The page for a processor that says this, of a guest with this C-bit; `None` where it says more than the page holds.
#[must_use]
pub fn page(leaves: &[Leaf], c_bit: u8) -> Option<Vec<u8>> {
    let own = Leaf { asked: [ENCRYPTION, 0], found: [FEATURES, c_bit.into(), 0, 0] };
    let others = leaves.iter().filter(|leaf| leaf.asked[0] != ENCRYPTION && leaf.found != [0; 4]);
    let all: Vec<_> = core::iter::once(&own).chain(others).collect();
    if all.len() > ENTRIES_MAX {
        return None;
    }
    let count = u32::try_from(all.len()).ok()?;
    let mut page = [&count.to_le_bytes()[..], &[0; 12]].concat();
    page.extend(all.iter().flat_map(|leaf| entry(leaf)));
    page.resize(4096, 0);
    Some(page)
}

fn entry(leaf: &Leaf) -> Vec<u8> {
    let xcr0 = if leaf.asked[0] == 0xD { XCR0_X87 } else { 0 };
    let words = |words: &[u32]| words.iter().flat_map(|word| word.to_le_bytes()).collect::<Vec<_>>();
    [words(&leaf.asked), xcr0.to_le_bytes().to_vec(), vec![0; 8], words(&leaf.found), vec![0; 8]].concat()
}

//! What CPUID may say: the page that the secure processor has checked. Spec: AMD 56860 rev 1.58 §8.17.2.6, tables 70 and 71.

use crate::processor::Refusal;

const HEADER_BYTES: usize = 16;
const ENTRY_BYTES: usize = 48;
const ENTRIES_MAX: u32 = 64;
/// Leaves whose answer depends on ECX.
const INDEXED: [u32; 8] = [4, 7, 0xB, 0xD, 0x14, 0x1D, 0x1E, 0x8000_001D];
/// Leaf of memory encryption: SEV-SNP in bit 4 of EAX, the C-bit in bits 0 to 5 of EBX.
const ENCRYPTION: u32 = 0x8000_001F;
const SNP: u32 = 1 << 4;

/// The page. Private, and written before the guest started.
#[derive(Clone, Copy, Debug)]
pub struct CpuidPage<'a>(&'a [u8; 4096]);

impl<'a> CpuidPage<'a> {
    /// A page that says it is a guest of SEV-SNP with this C-bit.
    ///
    /// # Errors
    /// [`Refusal::Page`].
    pub fn new(page: &'a [u8; 4096], c_bit: u8) -> Result<Self, Refusal> {
        let found = Self(page);
        let [features, place, ..] = found.leaf(ENCRYPTION, 0);
        let is_right = found.count() <= ENTRIES_MAX && features & SNP != 0 && place & 0x3F == c_bit.into();
        if is_right { Ok(found) } else { Err(Refusal::Page) }
    }

    /// EAX, EBX, ECX, EDX of a leaf; zeros for one that the page does not name.
    #[must_use]
    pub fn leaf(&self, leaf: u32, subleaf: u32) -> [u32; 4] {
        let is_asked = |entry: &&[u8; ENTRY_BYTES]| {
            word(*entry, 0) == leaf && (!INDEXED.contains(&leaf) || word(*entry, 4) == subleaf)
        };
        self.entries().find(is_asked).map_or([0; 4], |entry| [24, 28, 32, 36].map(|at| word(entry, at)))
    }

    fn entries(&self) -> impl Iterator<Item = &'a [u8; ENTRY_BYTES]> {
        let (entries, _) = self.0.get(HEADER_BYTES..).unwrap_or_default().as_chunks();
        entries.iter().take(usize::try_from(self.count().min(ENTRIES_MAX)).unwrap_or(0))
    }

    fn count(&self) -> u32 {
        word(self.0, 0)
    }
}

fn word(bytes: &[u8], at: usize) -> u32 {
    bytes.get(at..).and_then(|rest| rest.first_chunk()).copied().map_or(0, u32::from_le_bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn page(entries: &[[u32; 6]]) -> [u8; 4096] {
        let mut page = [0; 4096];
        page[0] = u8::try_from(entries.len()).unwrap();
        for (at, &[leaf, subleaf, a, b, c, d]) in entries.iter().enumerate() {
            let words = [leaf, subleaf, 0, 0, 0, 0, a, b, c, d, 0, 0];
            for (to, word) in page[16 + 48 * at..].chunks_mut(4).zip(words) {
                to.copy_from_slice(&word.to_le_bytes());
            }
        }
        page
    }

    #[test]
    fn leaves_are_found_by_number_and_where_it_matters_by_subleaf() {
        let page = page(&[[0x8000_001F, 0, 1 << 4, 51, 0, 0], [7, 1, 9, 8, 7, 6], [1, 3, 5, 4, 3, 2]]);
        let page = CpuidPage::new(&page, 51).unwrap();
        assert_eq!(page.leaf(7, 1), [9, 8, 7, 6]);
        assert_eq!(page.leaf(7, 0), [0; 4]);
        assert_eq!(page.leaf(1, 0), [5, 4, 3, 2]);
        assert_eq!(page.leaf(2, 0), [0; 4]);
    }

    #[test]
    fn another_c_bit_no_snp_and_too_many_entries_are_refused() {
        let right = [0x8000_001F, 0, 1 << 4, 51, 0, 0];
        CpuidPage::new(&page(&[right]), 51).unwrap();
        assert_eq!(CpuidPage::new(&page(&[right]), 47).unwrap_err(), Refusal::Page);
        assert_eq!(CpuidPage::new(&page(&[[0x8000_001F, 0, 0, 51, 0, 0]]), 51).unwrap_err(), Refusal::Page);
        assert_eq!(CpuidPage::new(&page(&[]), 51).unwrap_err(), Refusal::Page);
        let mut many = page(&[right]);
        many[0] = 65;
        assert_eq!(CpuidPage::new(&many, 51).unwrap_err(), Refusal::Page);
    }
}

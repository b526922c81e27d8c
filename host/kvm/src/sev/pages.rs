//! Memory of this process in whole, aligned pages, as the secure processor's commands read it.

/// Bytes of a page.
pub(crate) const PAGE_BYTES: usize = 4096;

#[derive(Clone)]
#[repr(C, align(4096))]
struct Page([u8; PAGE_BYTES]);

/// Whole pages.
#[derive(Clone)]
pub(crate) struct Pages(Vec<Page>);

impl Pages {
    /// A copy of `bytes`, filled up with zeros.
    pub(crate) fn of(bytes: &[u8]) -> Self {
        let (whole, rest) = bytes.as_chunks::<PAGE_BYTES>();
        let mut pages: Vec<_> = whole.iter().map(|page| Page(*page)).collect();
        if !rest.is_empty() {
            let mut last = [0; PAGE_BYTES];
            last.iter_mut().zip(rest).for_each(|(to, from)| *to = *from);
            pages.push(Page(last));
        }
        Self(pages)
    }

    /// One page of zeros.
    pub(crate) fn zero() -> Self {
        Self(vec![Page([0; PAGE_BYTES])])
    }

    /// The first page; there is one in every [`Pages`] made of some bytes.
    pub(crate) fn first(&self) -> [u8; PAGE_BYTES] {
        self.0.first().map_or([0; PAGE_BYTES], |page| page.0)
    }

    /// Where the kernel finds them. It may write there, too: to the CPUID page.
    pub(crate) fn address(&mut self) -> u64 {
        self.0.as_mut_ptr().expose_provenance() as u64
    }

    /// Bytes.
    pub(crate) fn len(&self) -> u64 {
        self.0.len() as u64 * PAGE_BYTES as u64
    }
}

//! Whose each page is: the secure EPT, and what the host shares. Spec: TDX Module Base Architecture (348549), "Secure EPT entry".

use core::ops::Range;

/// Bytes of a page.
pub(crate) const PAGE: u64 = 4096;
/// Small pages of a large one.
pub(crate) const PAGES_OF_LARGE: u64 = 512;

/// How a page is mapped.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mapping {
    /// Not at all.
    Absent,
    /// The host's, and readable for both.
    Shared,
    /// Added by the host, not accepted; `is_large` if its entry maps 2 MiB.
    Pending {
        /// Its entry maps 2 MiB.
        is_large: bool,
    },
    /// The domain's.
    Accepted {
        /// Its entry maps 2 MiB.
        is_large: bool,
    },
}

/// All pages of the machine.
#[derive(Clone, Debug)]
pub struct Pages(Vec<Mapping>);

impl Pages {
    /// No page below `end`.
    #[must_use]
    pub fn absent(end: u64) -> Self {
        Self(vec![Mapping::Absent; usize::try_from(end / PAGE).unwrap_or(0)])
    }

    /// Pages up to the end.
    pub(crate) const fn count(&self) -> u64 {
        self.0.len() as u64
    }

    /// Mapping of the page that holds `gpa`.
    #[must_use]
    pub fn of(&self, gpa: u64) -> Mapping {
        let page = usize::try_from(gpa / PAGE).ok().and_then(|page| self.0.get(page));
        page.copied().unwrap_or(Mapping::Absent)
    }

    /// Maps whole pages so, whatever they were; what is beyond the end is left out.
    pub fn set(&mut self, range: Range<u64>, mapping: Mapping) {
        self.range(range).fill(mapping);
    }

    /// TDH.MEM.PAGE.AUG: adds memory that the domain has to accept, by large pages where it can.
    pub fn augment(&mut self, range: Range<u64>) {
        let large = PAGE * PAGES_OF_LARGE;
        let (first, last) = (range.start.next_multiple_of(large), range.end - range.end % large);
        self.set(range, Mapping::Pending { is_large: false });
        if first < last {
            self.set(first..last, Mapping::Pending { is_large: true });
        }
    }

    /// All pages of `range` are mapped so.
    #[must_use]
    pub fn are(&self, range: Range<u64>, is_so: impl Fn(Mapping) -> bool) -> bool {
        let mut pages = (range.start / PAGE..range.end.div_ceil(PAGE)).map(|page| page * PAGE);
        pages.all(|gpa| is_so(self.of(gpa)))
    }

    fn range(&mut self, range: Range<u64>) -> &mut [Mapping] {
        let [first, end] = [range.start / PAGE, range.end / PAGE]
            .map(|page| usize::try_from(page).unwrap_or(usize::MAX).min(self.0.len()));
        self.0.get_mut(first..end).unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn memory_is_added_by_large_pages_where_they_fit() {
        let mut pages = Pages::absent(8 << 20);
        pages.augment((2 << 20) - PAGE..(6 << 20) + PAGE);
        let is_large = |gpa| pages.of(gpa) == Mapping::Pending { is_large: true };
        assert!(is_large(2 << 20) && is_large((6 << 20) - 1));
        assert_eq!(pages.of(6 << 20), Mapping::Pending { is_large: false });
        assert_eq!(pages.of((6 << 20) + PAGE), Mapping::Absent);
        assert_eq!(pages.of(u64::MAX), Mapping::Absent);
        assert!(!pages.are(4 << 20..8 << 20, |page| page != Mapping::Absent));
    }
}

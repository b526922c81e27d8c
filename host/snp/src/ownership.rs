//! Whose each page is: what the processor keeps in the RMP. Spec: AMD APM vol. 2 (24593) rev 3.42 §15.36.

use core::ops::Range;

/// Bytes of a small page.
const PAGE: u64 = 4096;
/// Small pages of a large one.
const PAGES_OF_LARGE: u64 = 512;

/// Whose a page is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum State {
    /// The host's, and readable for both.
    Shared,
    /// The guest's, which has not said so yet.
    Assigned,
    /// The guest's.
    Validated,
}

/// Size of a page, as instructions and exits name it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Size {
    /// 4 KiB.
    Small,
    /// 2 MiB.
    Large,
}

impl Size {
    const fn pages(self) -> u64 {
        match self {
            Self::Small => 1,
            Self::Large => PAGES_OF_LARGE,
        }
    }
}

/// What PVALIDATE says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// It is done.
    Changed,
    /// It was so.
    Unchanged,
    /// The page is not the guest's.
    Failed,
}

/// The state of all pages of the machine.
#[derive(Clone, Debug)]
pub struct Ownership {
    pages: Vec<State>,
    runs: [Range<u64>; 2],
}

impl Ownership {
    /// Memory of these runs, all of it shared: below the device hole, and above it.
    #[must_use]
    pub fn shared(runs: [Range<u64>; 2]) -> Self {
        let end = runs.iter().map(|run| run.end).max().unwrap_or(0);
        Self { pages: vec![State::Shared; usize::try_from(end / PAGE).unwrap_or(0)], runs }
    }

    /// The secure processor has loaded these bytes: they are the guest's, and validated.
    pub fn launch(&mut self, pa: u64, bytes: u64) {
        self.pages(pa, bytes.div_ceil(PAGE)).fill(State::Validated);
    }

    /// State of the page that holds `pa`.
    #[must_use]
    pub fn of(&self, pa: u64) -> State {
        usize::try_from(pa / PAGE)
            .ok()
            .and_then(|page| self.pages.get(page))
            .copied()
            .unwrap_or(State::Shared)
    }

    /// Pages up to the end of memory.
    pub(crate) const fn count(&self) -> u64 {
        self.pages.len() as u64
    }

    /// There is such memory.
    pub(crate) fn has(&self, pa: u64) -> bool {
        self.runs.iter().any(|run| run.contains(&pa))
    }

    /// The guest asks for a change; `None` where the page is not there or not aligned. What was validated loses that, as the
    /// host's RMPUPDATE has it.
    pub fn change(&mut self, pa: u64, size: Size, is_private: bool) -> Option<()> {
        let state = if is_private { State::Assigned } else { State::Shared };
        self.at(pa, size)?.fill(state);
        Some(())
    }

    /// PVALIDATE.
    pub fn validate(&mut self, pa: u64, size: Size, is_valid: bool) -> Outcome {
        let Some(pages) = self.at(pa, size) else { return Outcome::Failed };
        if pages.contains(&State::Shared) {
            return Outcome::Failed;
        }
        let to = if is_valid { State::Validated } else { State::Assigned };
        if pages.iter().all(|&state| state == to) {
            return Outcome::Unchanged;
        }
        pages.fill(to);
        Outcome::Changed
    }

    fn at(&mut self, pa: u64, size: Size) -> Option<&mut [State]> {
        pa.is_multiple_of(size.pages() * PAGE).then_some(())?;
        let pages = self.pages(pa, size.pages());
        (pages.len() as u64 == size.pages()).then_some(pages)
    }

    fn pages(&mut self, pa: u64, count: u64) -> &mut [State] {
        let first = usize::try_from(pa / PAGE).unwrap_or(usize::MAX);
        let end = first.saturating_add(usize::try_from(count).unwrap_or(usize::MAX)).min(self.pages.len());
        self.pages.get_mut(first..end).unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_page_is_validated_once_and_only_where_it_is_the_guests() {
        let mut all = Ownership::shared([0..8 << 20, 0..0]);
        assert_eq!(all.validate(0, Size::Small, true), Outcome::Failed);
        all.change(2 << 20, Size::Large, true).unwrap();
        assert_eq!(all.validate(2 << 20, Size::Large, true), Outcome::Changed);
        assert_eq!(all.validate(2 << 20, Size::Large, true), Outcome::Unchanged);
        assert_eq!(all.of((4 << 20) - 1), State::Validated);
        assert_eq!(all.of(4 << 20), State::Shared);
        all.change(2 << 20, Size::Small, true).unwrap();
        assert_eq!(all.of(2 << 20), State::Assigned, "the host gave it anew");
    }

    #[test]
    fn odd_addresses_and_pages_that_are_not_there_are_none() {
        let mut all = Ownership::shared([0..4 << 20, 0..0]);
        assert_eq!(all.change(4096, Size::Large, true), None);
        assert_eq!(all.change(4 << 20, Size::Small, true), None);
        assert_eq!(all.change(u64::MAX << 12, Size::Small, true), None);
        assert_eq!(all.validate(1, Size::Small, true), Outcome::Failed);
    }
}

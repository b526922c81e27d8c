//! Which memory is the guest's own. Spec: AMD 56421 rev 2.03 §4.1.6, table 9; AMD APM vol. 2 §15.36.

use vial_abi::memory::{LARGE_PAGE, PAGE, Region};

use crate::ghcb::{Ghcb, Wish};
use crate::processor::{Invalid, PageSize, Processor, Refusal};

const PAGE_STATE: u64 = 0x8000_0010;
/// Entries of one wish: what the buffer has room for behind its header.
const ENTRIES: u64 = 253;
/// Rounds in which a host may do only a part of a wish.
const PATIENCE: u32 = 1 << 12;
const LARGE: u64 = 1 << 56;

/// Who uses a page.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum State {
    /// The guest alone.
    Private,
    /// Guest and host.
    Shared,
}

impl State {
    const fn flag(self) -> u64 {
        match self {
            Self::Private => 1 << 52,
            Self::Shared => 2 << 52,
        }
    }
}

impl PageSize {
    /// Bytes of such a page.
    #[must_use]
    pub const fn bytes(self) -> u64 {
        match self {
            Self::Small => PAGE,
            Self::Large => LARGE_PAGE,
        }
    }

    const fn flag(self) -> u64 {
        match self {
            Self::Small => 0,
            Self::Large => LARGE,
        }
    }

    /// The largest that divides a region.
    const fn of(region: Region) -> Self {
        if (region.pa | region.len).is_multiple_of(LARGE_PAGE) { Self::Large } else { Self::Small }
    }
}

impl<P: Processor> Ghcb<'_, P> {
    /// Has the host change a region's state; it starts and ends on pages.
    ///
    /// # Errors
    /// [`Refusal::Host`].
    pub fn set_state(&mut self, region: Region, state: State) -> Result<(), Refusal> {
        let size = PageSize::of(region);
        let mut rest = region;
        while rest.len > 0 {
            let count = (rest.len / size.bytes()).clamp(1, ENTRIES);
            self.fill(rest.pa, count, size.flag() | state.flag(), size);
            self.finish(count)?;
            let done = count * size.bytes();
            rest = Region { pa: rest.pa + done, len: rest.len.saturating_sub(done) };
        }
        Ok(())
    }

    fn fill(&mut self, pa: u64, count: u64, flags: u64, size: PageSize) {
        let buffer = self.buffer();
        for at in 0..count {
            let entry = (pa + at * size.bytes()) | flags;
            self.processor.set_shared(buffer + 8 + 8 * at, entry);
        }
        self.processor.set_shared(buffer, (count - 1) << 16);
    }

    /// The host says in the header how far it came, and is asked again until it is through.
    fn finish(&mut self, count: u64) -> Result<(), Refusal> {
        for _ in 0..PATIENCE {
            self.ask(&Wish { code: PAGE_STATE, info: [0, 0], registers: &[], has_buffer: true })?;
            if self.result() != 0 {
                return Err(Refusal::Host);
            }
            if self.processor.shared(self.buffer()) & 0xFFFF >= count {
                return Ok(());
            }
        }
        Err(Refusal::Host)
    }
}

/// Validates a region that was never validated, mapped at `va`. A page that is valid already is another page than the one that
/// was validated: the host has moved memory, and the guest ends.
///
/// # Errors
/// [`Refusal::Memory`].
pub fn validate(on: &mut impl Processor, va: u64, len: u64) -> Result<(), Refusal> {
    let size = PageSize::of(Region { pa: va, len });
    let mut at = 0;
    while at < len {
        match on.pvalidate(va + at, size, true) {
            Ok(()) => {}
            Err(Invalid::Size) => by_small_pages(on, va + at, size)?,
            Err(Invalid::Unchanged | Invalid::Failed) => return Err(Refusal::Memory),
        }
        at += size.bytes();
    }
    Ok(())
}

/// The host backs this large page by small ones.
fn by_small_pages(on: &mut impl Processor, va: u64, size: PageSize) -> Result<(), Refusal> {
    if size == PageSize::Small {
        return Err(Refusal::Memory);
    }
    let mut pages = (va..va + LARGE_PAGE).step_by(usize::try_from(PAGE).unwrap_or(4096));
    pages.try_for_each(|va| on.pvalidate(va, PageSize::Small, true)).map_err(|_| Refusal::Memory)
}

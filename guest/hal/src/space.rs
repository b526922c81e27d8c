//! Building an address space out of runs of pages.

use crate::page::{self, Access, ENTRIES, Size};
use vial_abi::launch_page::Tee;
use vial_abi::memory::Region;

/// Where tables live.
pub trait TableMemory {
    /// Physical address of a fresh table of zeros; none when there are no more.
    fn allocate(&mut self) -> Option<u64>;
    /// Entry `index` of the table at `table`.
    fn entry(&self, table: u64, index: usize) -> u64;
    /// Sets `count` entries from `first` on, the first to `entry`, each next one `step` more.
    fn fill(&mut self, table: u64, first: usize, count: usize, entry: u64, step: u64);
}

/// Why memory could not be mapped.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MapError {
    /// No more tables.
    NoTable,
    /// Address or length is not a multiple of 4 KiB.
    Unaligned {
        /// The address or length.
        found: u64,
    },
}

/// An address space under construction.
#[derive(Debug)]
pub struct AddressSpace<M> {
    memory: M,
    root: u64,
    largest: Size,
    private: u64,
    shared: u64,
}

impl<M: TableMemory> AddressSpace<M> {
    /// An empty one within `tee`; `giant` when the processor offers 1 GiB pages.
    ///
    /// # Errors
    /// [`MapError::NoTable`].
    pub fn new(mut memory: M, giant: bool, tee: Tee) -> Result<Self, MapError> {
        let root = memory.allocate().ok_or(MapError::NoTable)?;
        let largest = if giant { Size::Giant } else { Size::Large };
        Ok(Self { memory, root, largest, private: tee.private_flag(), shared: tee.shared_flag() })
    }

    /// Physical address of the root table, for CR3.
    pub const fn root(&self) -> u64 {
        self.root
    }

    /// Flag of memory that the host cannot read.
    pub const fn private(&self) -> u64 {
        self.private
    }

    /// The tables.
    pub fn into_memory(self) -> M {
        self.memory
    }

    /// Maps `region` at `va` by the largest pages that fit; what was there before is replaced.
    ///
    /// # Errors
    /// Each variant of [`MapError`].
    pub fn map(&mut self, va: u64, region: Region, access: Access) -> Result<(), MapError> {
        self.map_flagged(va, region, access, self.private)
    }

    /// As [`Self::map`], for memory and registers that the host sees.
    ///
    /// # Errors
    /// Each variant of [`MapError`].
    pub fn map_shared(&mut self, va: u64, region: Region, access: Access) -> Result<(), MapError> {
        self.map_flagged(va, region, access, self.shared)
    }

    fn map_flagged(&mut self, va: u64, region: Region, access: Access, flag: u64) -> Result<(), MapError> {
        for found in [va, region.pa, region.len] {
            if found & (Size::Small.bytes() - 1) != 0 {
                return Err(MapError::Unaligned { found });
            }
        }
        let (mut va, mut rest) = (va, region);
        while rest.len > 0 {
            let mapped = self.map_run(va, rest, access, flag)?;
            va += mapped;
            rest = Region { pa: rest.pa + mapped, len: rest.len - mapped };
        }
        Ok(())
    }

    /// Links a table made elsewhere, which then decides about the 2 MiB at `va`.
    ///
    /// # Errors
    /// [`MapError::NoTable`].
    pub fn adopt(&mut self, va: u64, table: u64) -> Result<(), MapError> {
        let directory = self.table(va, Size::Large)?;
        self.memory.fill(directory, index(va, Size::Large.shift()), 1, page::link(table) | self.private, 0);
        Ok(())
    }

    /// Maps as many pages of one size as one table takes; returns their bytes.
    fn map_run(&mut self, va: u64, rest: Region, access: Access, flag: u64) -> Result<u64, MapError> {
        let size = self.fitting(va, rest);
        let table = self.table(va, size)?;
        let first = index(va, size.shift());
        let wanted = rest.len >> size.shift();
        let room = ENTRIES - first;
        let count = usize::try_from(wanted).unwrap_or(room).min(room);
        let entry = page::leaf(rest.pa, size, access) | flag;
        self.memory.fill(table, first, count, entry, size.bytes());
        Ok(widen(count) << size.shift())
    }

    fn fitting(&self, va: u64, rest: Region) -> Size {
        let fits = |size: Size| (va | rest.pa) & (size.bytes() - 1) == 0 && rest.len >= size.bytes();
        if self.largest == Size::Giant && fits(Size::Giant) {
            Size::Giant
        } else if fits(Size::Large) {
            Size::Large
        } else {
            Size::Small
        }
    }

    /// The table that holds entries of `size` for `va`, made on the way down where absent.
    fn table(&mut self, va: u64, size: Size) -> Result<u64, MapError> {
        let (mut table, mut shift) = (self.root, 39);
        while shift > size.shift() {
            let at = index(va, shift);
            table = match page::linked(self.memory.entry(table, at) & !self.private) {
                Some(next) => next,
                None => self.grow(table, at)?,
            };
            shift -= 9;
        }
        Ok(table)
    }

    fn grow(&mut self, table: u64, at: usize) -> Result<u64, MapError> {
        let next = self.memory.allocate().ok_or(MapError::NoTable)?;
        self.memory.fill(table, at, 1, page::link(next) | self.private, 0);
        Ok(next)
    }
}

fn index(va: u64, shift: u32) -> usize {
    usize::from(u16::try_from((va >> shift) & 0x1FF).unwrap_or(0))
}

fn widen(count: usize) -> u64 {
    u64::try_from(count).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fake::FakeTables;

    fn space(giant: bool) -> AddressSpace<FakeTables> {
        AddressSpace::new(FakeTables::with_room_for(16), giant, Tee::Simulated).unwrap()
    }

    fn entry_at(space: &AddressSpace<FakeTables>, va: u64) -> (u64, Size) {
        space.memory.walk(space.root, va)
    }

    #[test]
    fn large_pages_are_used_where_giant_ones_do_not_fit() {
        let mut space = space(true);
        let region = Region { pa: 0x4000_0000 - 0x20_0000, len: 0x4000_0000 + 0x20_0000 };
        space.map(0x100_4000_0000 - 0x20_0000, region, Access::UserData).unwrap();
        let large = page::leaf(region.pa, Size::Large, Access::UserData);
        assert_eq!(entry_at(&space, 0x100_4000_0000 - 1), (large, Size::Large));
        let giant = page::leaf(0x4000_0000, Size::Giant, Access::UserData);
        assert_eq!(entry_at(&space, 0x100_4000_0000), (giant, Size::Giant));
    }

    #[test]
    fn without_giant_pages_directories_are_filled() {
        let mut space = space(false);
        space.map(0, Region { pa: 0, len: 2 << 30 }, Access::UserConst).unwrap();
        let last = page::leaf((2 << 30) - 0x20_0000, Size::Large, Access::UserConst);
        assert_eq!(entry_at(&space, (2 << 30) - 1), (last, Size::Large));
        assert_eq!(entry_at(&space, 2 << 30).0, 0);
    }

    #[test]
    fn one_small_page_is_mapped_alone() {
        let mut space = space(true);
        space.map(0xFEB0_0000, Region { pa: 0xFEB0_0000, len: 4096 }, Access::UserDevice).unwrap();
        assert_eq!(entry_at(&space, 0xFEB0_0FFF).1, Size::Small);
        assert_eq!(entry_at(&space, 0xFEB0_1000).0, 0);
    }

    /// Links, then a private and a shared leaf, each without its address and rights.
    fn flags_of(tee: Tee) -> ([u64; 3], [u64; 2]) {
        let mut space = AddressSpace::new(FakeTables::with_room_for(16), true, tee).unwrap();
        let (private, shared) = (Region { pa: 0x5000, len: 4096 }, Region { pa: 0x6000, len: 4096 });
        space.map(0x5000, private, Access::KernelData).unwrap();
        space.map_shared(0x6000, shared, Access::KernelData).unwrap();
        let mut table = space.root;
        let links = [(); 3].map(|()| {
            let entry = space.memory.entry(table, 0);
            table = page::linked(entry & !tee.private_flag()).unwrap();
            entry & !page::link(table)
        });
        let leaf = |at, pa| space.memory.entry(table, at) & !page::leaf(pa, Size::Small, Access::KernelData);
        (links, [leaf(5, 0x5000), leaf(6, 0x6000)])
    }

    #[test]
    fn private_memory_and_tables_are_flagged_or_shared_memory_is() {
        const FLAG: u64 = 1 << 51;
        let (snp, tdx) = (Tee::SevSnp { c_bit: 51 }, Tee::Tdx { shared_bit: 51 });
        assert_eq!(flags_of(snp), ([FLAG; 3], [FLAG, 0]));
        assert_eq!(flags_of(tdx), ([0; 3], [0, FLAG]));
    }

    #[test]
    fn an_adopted_table_decides() {
        let mut space = space(true);
        let table = space.memory.allocate().unwrap();
        space.memory.fill(table, 7, 1, page::leaf(0x9000, Size::Small, Access::KernelData), 0);
        space.adopt(0xC0_0000, table).unwrap();
        assert_eq!(entry_at(&space, 0xC0_7000).0, page::leaf(0x9000, Size::Small, Access::KernelData));
    }

    #[test]
    fn running_out_of_tables_and_odd_addresses_are_named() {
        let mut space = AddressSpace::new(FakeTables::with_room_for(1), true, Tee::Simulated).unwrap();
        let page = Region { pa: 0, len: 4096 };
        assert_eq!(space.map(0, page, Access::UserData), Err(MapError::NoTable));
        assert_eq!(space.map(1, page, Access::UserData), Err(MapError::Unaligned { found: 1 }));
    }
}

//! Composition of page-table entries. Spec: Intel SDM vol. 3 §4.5, tables 4-15 to 4-20.

/// Entries of one table.
pub const ENTRIES: usize = 512;

const PRESENT: u64 = 1;
const WRITE: u64 = 1 << 1;
const USER: u64 = 1 << 2;
const UNCACHED: u64 = 1 << 3 | 1 << 4;
/// Preset, so that the processor never writes to a table.
const ACCESSED: u64 = 1 << 5;
const DIRTY: u64 = 1 << 6;
const LARGE: u64 = 1 << 7;
const NO_EXECUTE: u64 = 1 << 63;
const ADDRESS: u64 = 0x000F_FFFF_FFFF_F000;

/// Who may do what with a page. No member is both writable and executable.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Access {
    /// Ring 0 reads and executes.
    KernelText,
    /// Ring 0 reads and writes.
    KernelData,
    /// Ring 0 reads and writes device registers.
    KernelDevice,
    /// Ring 3 reads and executes.
    UserText,
    /// Ring 3 reads.
    UserConst,
    /// Ring 3 reads and writes.
    UserData,
    /// Ring 3 reads and writes device registers.
    UserDevice,
}

impl Access {
    const fn bits(self) -> u64 {
        match self {
            Self::KernelText => 0,
            Self::KernelData => WRITE | NO_EXECUTE,
            Self::KernelDevice => WRITE | NO_EXECUTE | UNCACHED,
            Self::UserText => USER,
            Self::UserConst => USER | NO_EXECUTE,
            Self::UserData => USER | WRITE | NO_EXECUTE,
            Self::UserDevice => USER | WRITE | NO_EXECUTE | UNCACHED,
        }
    }
}

/// Size of a page, by the level of the table that holds its entry.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Size {
    /// 4 KiB, in a page table.
    Small,
    /// 2 MiB, in a page directory.
    Large,
    /// 1 GiB, in a page-directory-pointer table.
    Giant,
}

impl Size {
    /// Number of address bits inside the page.
    #[must_use]
    pub const fn shift(self) -> u32 {
        match self {
            Self::Small => 12,
            Self::Large => 21,
            Self::Giant => 30,
        }
    }

    /// Bytes of the page.
    #[must_use]
    pub const fn bytes(self) -> u64 {
        1 << self.shift()
    }
}

/// Entry that maps a page of `size` at `pa`.
#[must_use]
pub const fn leaf(pa: u64, size: Size, access: Access) -> u64 {
    let large = match size {
        Size::Small => 0,
        Size::Large | Size::Giant => LARGE,
    };
    (pa & ADDRESS) | PRESENT | ACCESSED | DIRTY | large | access.bits()
}

/// Entry that links to the table at `pa`; rights are decided by the leaves.
#[must_use]
pub const fn link(pa: u64) -> u64 {
    (pa & ADDRESS) | PRESENT | WRITE | USER | ACCESSED
}

/// Physical address of the table `entry` links to; none if it is absent or maps a page.
#[must_use]
pub const fn linked(entry: u64) -> Option<u64> {
    if entry & (PRESENT | LARGE) == PRESENT { Some(entry & ADDRESS) } else { None }
}

/// One table, for those that are known when the program is built.
#[derive(Clone, Debug)]
#[repr(C, align(4096))]
pub struct Table(pub [u64; ENTRIES]);

impl Table {
    /// A table that maps nothing.
    pub const EMPTY: Self = Self([0; ENTRIES]);

    /// The table with entry `index` set.
    #[must_use]
    pub const fn with(mut self, index: usize, entry: u64) -> Self {
        self.0[index] = entry;
        self
    }

    /// The table with `count` pages mapped from entry `first` and address `pa` on.
    #[must_use]
    pub const fn with_run(mut self, first: usize, count: usize, pa: u64, size: Size, access: Access) -> Self {
        let mut done = 0;
        let mut page = pa;
        while done < count {
            self.0[first + done] = leaf(page, size, access);
            page += size.bytes();
            done += 1;
        }
        self
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ALL: [Access; 7] = [
        Access::KernelText,
        Access::KernelData,
        Access::KernelDevice,
        Access::UserText,
        Access::UserConst,
        Access::UserData,
        Access::UserDevice,
    ];

    #[test]
    fn nothing_is_both_writable_and_executable() {
        for access in ALL {
            let entry = leaf(0x20_0000, Size::Large, access);
            assert!(entry & WRITE == 0 || entry & NO_EXECUTE != 0, "{access:?}");
        }
    }

    #[test]
    fn a_leaf_has_the_bits_of_the_manual() {
        assert_eq!(leaf(0x20_0000, Size::Large, Access::KernelText), 0x20_00E1);
        assert_eq!(leaf(0x3000, Size::Small, Access::UserData), 0x8000_0000_0000_3067);
        assert_eq!(leaf(0xFEB0_0000, Size::Small, Access::UserDevice), 0x8000_0000_FEB0_007F);
    }

    #[test]
    fn only_links_are_followed() {
        assert_eq!(linked(link(0x5000)), Some(0x5000));
        assert_eq!(linked(leaf(0x20_0000, Size::Large, Access::UserData)), None);
        assert_eq!(linked(0), None);
    }

    #[test]
    fn a_run_counts_up_by_its_page_size() {
        let table = Table::EMPTY.with_run(3, 2, 0x40_0000, Size::Large, Access::UserData);
        assert_eq!(table.0[2], 0);
        assert_eq!(table.0[4], leaf(0x60_0000, Size::Large, Access::UserData));
        assert_eq!(table.0[5], 0);
    }
}

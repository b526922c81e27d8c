//! Do a guest's page tables say of each page what was agreed about it? A processor would fault, or show the guest ciphertext.

use crate::host::Offence;
use crate::ownership::{Ownership, State};

const PRESENT: u64 = 1;
const LARGE: u64 = 1 << 7;
const ADDRESS: u64 = 0x000F_FFFF_FFFF_F000;
/// Pages that are looked at for each page of memory. A guest maps memory once or twice; tables that name each other could be walked
/// for ever.
const LOOKS: u64 = 8;
/// And for what has no memory, as devices, and for tables of a small guest.
const MORE_LOOKS: u64 = 1 << 22;

/// Where tables are read.
pub trait Tables {
    /// The table at `pa`; `None` where there is no memory.
    fn table(&self, pa: u64) -> Option<[u64; 512]>;
}

/// Walks all tables below `root`: what is private is mapped with the C-bit, and what is shared without.
///
/// # Errors
/// The first mapping that differs, or more mappings than a guest has.
pub fn check(root: u64, c_bit: u8, memory: &impl Tables, ownership: &Ownership) -> Result<(), Offence> {
    let looks = ownership.count().saturating_mul(LOOKS).saturating_add(MORE_LOOKS);
    Walk { flag: 1 << c_bit, memory, ownership, looks }.table(root, 39, 0)
}

struct Walk<'a, M> {
    flag: u64,
    memory: &'a M,
    ownership: &'a Ownership,
    /// Looks that are left.
    looks: u64,
}

impl<M: Tables> Walk<'_, M> {
    fn look(&mut self, pages: u64) -> Result<(), Offence> {
        let left = self.looks.checked_sub(pages);
        self.looks = left.ok_or_else(|| Offence("its tables map more than a guest has".to_owned()))?;
        Ok(())
    }

    fn table(&mut self, pa: u64, shift: u32, va: u64) -> Result<(), Offence> {
        let pa = pa & ADDRESS & !self.flag;
        let table = self.memory.table(pa).ok_or_else(|| Offence(format!("a table at {pa:#x}")))?;
        self.look(table.len() as u64)?;
        for (entry, index) in table.into_iter().zip(0_u64..).filter(|(entry, _)| entry & PRESENT != 0) {
            let va = va | index << shift;
            if shift == 12 || entry & LARGE != 0 {
                self.leaf(entry, shift, va)?;
            } else if entry & self.flag == 0 {
                return Err(Offence(format!("a table for {va:#x} is linked without the C-bit")));
            } else {
                self.table(entry, shift - 9, va)?;
            }
        }
        Ok(())
    }

    fn leaf(&mut self, entry: u64, shift: u32, va: u64) -> Result<(), Offence> {
        let (is_private, pa) = (entry & self.flag != 0, entry & ADDRESS & !self.flag & !((1 << shift) - 1));
        self.look(1 << (shift - 12))?;
        // A large page may hold some pages that are agreed on; none may be the other kind.
        let wrong = |state| if is_private { state == State::Shared } else { state != State::Shared };
        let mut pages = (pa..pa + (1 << shift)).step_by(4096);
        match pages.find(|&page| wrong(self.ownership.of(page)) && !self.is_open(page, is_private)) {
            Some(page) => Err(Offence(format!(
                "{va:#x} maps {page:#x} {} the C-bit",
                if is_private { "with" } else { "without" }
            ))),
            None => Ok(()),
        }
    }

    /// Beyond the end of memory nothing is agreed on, and nothing answers.
    fn is_open(&self, page: u64, is_private: bool) -> bool {
        is_private && !self.ownership.has(page)
    }
}

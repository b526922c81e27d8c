//! Do a domain's page tables say of each page what was agreed about it? A processor would fault, or go to the host.

use crate::host::Offence;
use crate::pages::{Mapping, Pages};

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

/// Walks all tables below `root`: they are private themselves; what is shared is mapped with the bit, and what is mapped without it
/// was accepted, or is not there.
///
/// # Errors
/// The first mapping that differs, or more mappings than a guest has.
pub fn check(root: u64, shared_bit: u8, memory: &impl Tables, pages: &Pages) -> Result<(), Offence> {
    let looks = pages.count().saturating_mul(LOOKS).saturating_add(MORE_LOOKS);
    Walk { flag: 1 << shared_bit, memory, pages, looks }.table(root, 39, 0)
}

struct Walk<'a, M> {
    flag: u64,
    memory: &'a M,
    pages: &'a Pages,
    /// Looks that are left.
    looks: u64,
}

impl<M: Tables> Walk<'_, M> {
    fn look(&mut self, pages: u64) -> Result<(), Offence> {
        let left = self.looks.checked_sub(pages);
        self.looks = left.ok_or_else(|| Offence("its tables map more than a guest has".to_owned()))?;
        Ok(())
    }

    fn table(&mut self, entry: u64, shift: u32, va: u64) -> Result<(), Offence> {
        let pa = entry & ADDRESS;
        let is_own = matches!(self.pages.of(pa), Mapping::Accepted { .. });
        let table = self.memory.table(pa).filter(|_| is_own);
        let table = table.ok_or_else(|| Offence(format!("a table at {pa:#x}, which is not its own")))?;
        self.look(table.len() as u64)?;
        for (entry, index) in table.into_iter().zip(0_u64..).filter(|(entry, _)| entry & PRESENT != 0) {
            let va = va | index << shift;
            if shift == 12 || entry & LARGE != 0 {
                self.leaf(entry, shift, va)?;
            } else {
                self.table(entry, shift - 9, va)?;
            }
        }
        Ok(())
    }

    fn leaf(&mut self, entry: u64, shift: u32, va: u64) -> Result<(), Offence> {
        let (is_shared, pa) = (entry & self.flag != 0, entry & ADDRESS & !self.flag & !((1 << shift) - 1));
        self.look(1 << (shift - 12))?;
        let wrong = |page| match self.pages.of(page) {
            Mapping::Shared => !is_shared,
            Mapping::Accepted { .. } => is_shared,
            Mapping::Pending { .. } => true,
            // Beyond the end of memory nothing answers.
            Mapping::Absent => is_shared,
        };
        match (pa..pa + (1 << shift)).step_by(4096).find(|&page| wrong(page)) {
            Some(page) => Err(Offence(format!(
                "{va:#x} maps {page:#x}, {:?}, {} the shared bit",
                self.pages.of(page),
                if is_shared { "with" } else { "without" }
            ))),
            None => Ok(()),
        }
    }
}

//! Page tables of a guest, against whose each page is.

use std::collections::BTreeMap;

use vial_simulated_snp::{Ownership, Tables, check_tables};

const C_BIT: u8 = 51;
const PRIVATE: u64 = 1 << C_BIT;
const PRESENT: u64 = 1;
const LARGE: u64 = 1 << 7;
const ROOT: u64 = 0x1000;

struct Memory(BTreeMap<u64, [u64; 512]>);

impl Tables for Memory {
    fn table(&self, pa: u64) -> Option<[u64; 512]> {
        self.0.get(&pa).copied()
    }
}

/// A machine of 16 MiB, the lower half the guest's; its root table has this entry everywhere.
fn checked(entry: u64) -> Result<(), String> {
    let mut ownership = Ownership::shared([0..16 << 20, 0..0]);
    ownership.launch(0, 8 << 20);
    let memory = Memory(BTreeMap::from([(ROOT, [entry; 512]), (0x2000, [0; 512])]));
    check_tables(ROOT, C_BIT, &memory, &ownership).map_err(|offence| offence.to_string())
}

#[test]
fn tables_are_linked_and_pages_mapped_as_was_agreed_on() {
    assert_eq!(checked(0x2000 | PRIVATE | PRESENT), Ok(()));
    assert!(checked(0x2000 | PRESENT).unwrap_err().contains("linked without the C-bit"));
    assert!(checked(0x3000 | PRIVATE | PRESENT).unwrap_err().contains("a table at 0x3000"));
}

#[test]
fn tables_without_end_are_refused() {
    assert!(checked(ROOT | PRIVATE | PRESENT).unwrap_err().contains("more than a guest has"));
    assert!(checked(1 << 39 | LARGE | PRIVATE | PRESENT).unwrap_err().contains("more than a guest has"));
}

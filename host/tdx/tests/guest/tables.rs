//! Page tables of a domain, against whose each page is.

use std::collections::BTreeMap;

use vial_simulated_tdx::{Mapping, Pages, Tables, check_tables};

const BIT: u8 = 45;
const SHARED: u64 = 1 << BIT;
const OWN: Mapping = Mapping::Accepted { is_large: false };
const PRESENT: u64 = 1;
const LARGE: u64 = 1 << 7;
const ROOT: u64 = 0x1000;

struct Memory(BTreeMap<u64, [u64; 512]>);

impl Tables for Memory {
    fn table(&self, pa: u64) -> Option<[u64; 512]> {
        self.0.get(&pa).copied()
    }
}

/// Tables that map one large page and one small one so.
fn checked(large: u64, small: u64, change: impl FnOnce(&mut Memory, &mut Pages)) -> Result<(), String> {
    let table = |entries: &[(usize, u64)]| {
        let mut table = [0; 512];
        entries.iter().for_each(|&(at, entry)| table[at] = entry);
        table
    };
    let mut memory = Memory(BTreeMap::from([
        (ROOT, table(&[(0, 0x2000 | PRESENT)])),
        (0x2000, table(&[(0, 0x3000 | PRESENT)])),
        (0x3000, table(&[(0, 0x4000 | PRESENT), (1, large | LARGE | PRESENT)])),
        (0x4000, table(&[(5, small | PRESENT), (6, 0)])),
    ]));
    let mut pages = Pages::absent(16 << 20);
    pages.set(0..8 << 20, OWN);
    pages.set(4 << 20..6 << 20, Mapping::Shared);
    change(&mut memory, &mut pages);
    check_tables(ROOT, BIT, &memory, &pages).map_err(|offence| offence.to_string())
}

#[test]
fn tables_that_say_what_was_agreed_on_pass() {
    let unchanged = |_: &mut Memory, _: &mut Pages| ();
    assert_eq!(checked(2 << 20, (4 << 20) | SHARED, unchanged), Ok(()));
    assert_eq!(checked((4 << 20) | SHARED, 0x5000, unchanged), Ok(()));
    assert_eq!(checked(16 << 20, 0x5000, unchanged), Ok(()), "nothing is there");
}

#[test]
fn a_page_that_is_mapped_as_the_other_kind_or_not_accepted_is_named() {
    let unchanged = |_: &mut Memory, _: &mut Pages| ();
    for (large, small) in [
        (4 << 20, 0x5000),
        ((2 << 20) | SHARED, 0x5000),
        (2 << 20, 4 << 20),
        (2 << 20, 0x5000 | SHARED),
        ((16 << 20) | SHARED, 0x5000),
    ] {
        assert!(
            checked(large, small, unchanged).unwrap_err().contains("shared bit"),
            "{large:#x} {small:#x}"
        );
    }
    let pending =
        |_: &mut Memory, pages: &mut Pages| pages.set(3 << 20..4 << 20, Mapping::Pending { is_large: false });
    assert!(checked(2 << 20, 0x5000, pending).unwrap_err().contains("0x300000, Pending"));
}

#[test]
fn a_table_in_memory_of_the_hosts_is_refused() {
    let shared = |_: &mut Memory, pages: &mut Pages| pages.set(0x4000..0x5000, Mapping::Shared);
    assert!(checked(2 << 20, 0x5000, shared).unwrap_err().contains("a table at 0x4000"));
    let linked = |memory: &mut Memory, _: &mut Pages| memory.0.get_mut(&0x3000).unwrap()[0] |= SHARED;
    assert!(checked(2 << 20, 0x5000, linked).unwrap_err().contains("which is not its own"));
}

#[test]
fn tables_without_end_are_refused() {
    for entry in [ROOT, 1 << 39 | LARGE] {
        let everywhere = |memory: &mut Memory, _: &mut Pages| {
            memory.0.insert(ROOT, [entry | PRESENT; 512]);
        };
        assert!(checked(2 << 20, 0x5000, everywhere).unwrap_err().contains("more than a guest has"));
    }
}

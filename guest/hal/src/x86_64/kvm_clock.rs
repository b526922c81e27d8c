//! KVM's paravirtual clock, read once. The host writes the page: every field is read by value.

use super::Ring0;
use super::secure::{Secure, secure};
use crate::clock::KvmTime;
use crate::platform::Msrs as _;
use core::cell::UnsafeCell;
use vial_abi::memory::CLOCK_PA;

const WALL_CLOCK: u32 = 0x4B56_4D00;
const SYSTEM_TIME: u32 = 0x4B56_4D01;
const SYSTEM_TIME_ON: u64 = 1;
/// Reads of a version the host may be about to set.
const PATIENCE: u32 = 1000;

/// System time in words 0 to 7 (version, -, tsc, ns, multiplier, shift), wall clock in 8 to 10 (version, seconds,
/// ns).
#[repr(C, align(64))]
struct Page(UnsafeCell<[u32; 16]>);

// SAFETY: used by cpu 0 while it starts, and by the host, whose writes are read as volatile.
unsafe impl Sync for Page {}

static PAGE: Page = Page(UnsafeCell::new([0; 16]));

/// Asks KVM for the time; none if it does not answer. Only with [`crate::features::Features::has_kvm_clock`].
pub fn kvm_time(mut ring0: Ring0) -> Option<KvmTime> {
    let address = words().addr() as u64 | secure().map_or(0, Secure::shared_flag);
    ring0.write_msr(WALL_CLOCK, address + 32);
    ring0.write_msr(SYSTEM_TIME, address | SYSTEM_TIME_ON);
    let is_set = (0..PATIENCE).any(|_| word(0) != 0 && word(0) & 1 == 0);
    let time = KvmTime {
        tsc: pair(2),
        system_ns: pair(4),
        multiplier: word(6),
        shift: word(7).to_le_bytes()[0].cast_signed(),
        wall: (word(9), word(10)),
    };
    ring0.write_msr(SYSTEM_TIME, 0);
    is_set.then_some(time)
}

fn pair(at: usize) -> u64 {
    u64::from(word(at)) | u64::from(word(at + 1)) << 32
}

fn word(at: usize) -> u32 {
    // SAFETY: callers name words 0 to 10 of 16.
    let word = unsafe { words().add(at) };
    // SAFETY: inside a static or a shared page; the host may write it at any time, hence volatile.
    unsafe { word.read_volatile() }
}

/// Where the host writes: a page of ours, or one that is shared with it where it sees no other.
fn words() -> *const u32 {
    match secure() {
        None => PAGE.0.get().cast(),
        Some(_) => core::ptr::with_exposed_provenance(CLOCK_PA as usize),
    }
}

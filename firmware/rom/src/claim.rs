//! Before anything else, a guest whose host does not see its memory makes that so.
#![expect(unsafe_code, reason = "changes live page tables, and publishes what they map")]

use vial_abi::memory::{DMA_BYTES, DMA_PA, Region, SHARED_END_PA, SHARED_PA, ghcb};
use vial_abi::{ExitCode, LaunchPage};
use vial_hal::x86_64::{self, Domain, Guest, Ring0, Secure};
use vial_rom::tables::{self, LOW_DIRECTORY_PA};
use vial_snp::Refusal;
use vial_snp::ghcb::Ghcb;
use vial_snp::pages::{State, validate};

/// From here on the host sees the shared pages alone, and all other memory is this guest's own.
pub(crate) fn claim(ring0: Ring0, secure: Secure, launch: &LaunchPage) -> Result<(), ExitCode> {
    for patch in tables::shared() {
        let entry = patch.entry | launch.tee.shared_flag();
        // SAFETY: the low directory is in use and writable; nothing has used these pages yet.
        unsafe { x86_64::patch_entry(LOW_DIRECTORY_PA, patch.index, entry, patch.va) };
    }
    match secure {
        Secure::Snp(guest) => by_snp(ring0, guest, launch.memory_bytes).map_err(Refusal::code),
        Secure::Tdx(domain) => by_tdx(ring0, domain, launch.memory_bytes),
    }
}

fn by_snp(ring0: Ring0, guest: Guest, memory_bytes: u64) -> Result<(), Refusal> {
    guest.introduce(ring0, ghcb(0))?;
    guest.cpuid()?;
    // SAFETY: once, by the only cpu that runs Rust; the tables map the pages as it asks.
    unsafe { Secure::Snp(guest).publish() };
    let shared =
        [Region { pa: SHARED_PA, len: SHARED_END_PA - SHARED_PA }, Region { pa: DMA_PA, len: DMA_BYTES }];
    let mut seat = guest.seat(ring0);
    let mut ghcb = Ghcb::at(ghcb(0), &mut seat);
    shared.into_iter().try_for_each(|region| ghcb.set_state(region, State::Shared))?;
    for region in tables::unclaimed(memory_bytes) {
        ghcb.set_state(region, State::Private)?;
        validate(ghcb.processor, region.pa, region.len)?;
    }
    Ok(())
}

/// What was not launched comes later, as large pages, and is accepted once: here, and above the device hole by the kernel.
fn by_tdx(ring0: Ring0, domain: Domain, memory_bytes: u64) -> Result<(), ExitCode> {
    domain.introduce(ring0)?;
    // SAFETY: as above.
    unsafe { Secure::Tdx(domain).publish() };
    tables::SHARED.into_iter().try_for_each(|region| domain.share(ring0, region))?;
    tables::unclaimed(memory_bytes).into_iter().try_for_each(|region| domain.accept(ring0, region))
}

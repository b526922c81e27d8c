//! Which confidential guest the running program is, and what all kinds of them do.

mod devices;
mod host;

use super::{Domain, Guest, Hardware, Once, Ring0};
use crate::platform::Registers;
use core::ptr;
use vial_abi::ExitCode;
use vial_abi::call::CallError;
use vial_abi::launch_page::Tee;
use vial_abi::memory::{OTHER_CPUS_PA, Region};

static SECURE: Once<Secure> = Once::empty();

/// What a guest whose host sees no registers knows of itself.
#[derive(Clone, Copy, Debug)]
pub enum Secure {
    /// A guest of SEV-SNP.
    Snp(Guest),
    /// A trust domain.
    Tdx(Domain),
}

impl Secure {
    /// What follows for `tee`; none where the host sees memory anyway.
    #[must_use]
    pub const fn of(tee: Tee) -> Option<Self> {
        Some(match tee {
            Tee::Simulated => return None,
            Tee::SevSnp { c_bit } => Self::Snp(Guest::new(c_bit, false)),
            Tee::SimulatedSnp { c_bit } => Self::Snp(Guest::new(c_bit, true)),
            Tee::Tdx { shared_bit } => Self::Tdx(Domain::new(shared_bit, false)),
            Tee::SimulatedTdx { shared_bit } => Self::Tdx(Domain::new(shared_bit, true)),
        })
    }

    /// The running program is such a guest's from here on: it reaches its host as that does.
    ///
    /// # Safety
    /// - Called once, before other cpus start; [`OTHER_CPUS_PA`] and the pages of the secure processor behind it are mapped at
    ///   their addresses, private and for ring 0 alone, the pages shared with the host at theirs, shared.
    pub unsafe fn publish(self) {
        // SAFETY: the caller's duty.
        unsafe { SECURE.set(self) };
    }

    /// Makes memory that is mapped at `va` the guest's own.
    pub fn claim(self, ring0: Ring0, va: u64, region: Region) {
        match self {
            Self::Snp(guest) => guest.claim(ring0, va, region),
            Self::Tdx(domain) => {
                domain.accept(ring0, region).unwrap_or_else(|code| self.end(ring0, code));
            }
        }
    }

    /// Ends the guest by what needs nothing that it was refused.
    pub fn end(self, ring0: Ring0, code: ExitCode) -> ! {
        match self {
            Self::Snp(guest) => guest.seat(ring0).end(code.value()),
            Self::Tdx(domain) => domain.seat(ring0).end(code.value()),
        }
    }

    /// Flag of physical addresses of memory that the host sees.
    pub(super) fn shared_flag(self) -> u64 {
        match self {
            Self::Snp(_) => 0,
            Self::Tdx(domain) => domain.shared_bit().share(0).value(),
        }
    }

    /// Ends a guest whose processor lacks what it needs.
    pub(super) fn refuse_processor(self, ring0: Ring0) -> ! {
        let code = match self {
            Self::Snp(_) => ExitCode::SnpPage,
            Self::Tdx(_) => ExitCode::TdxModule,
        };
        self.end(ring0, code)
    }
}

/// The program is a guest whose host sees no registers.
pub(super) fn secure() -> Option<Secure> {
    SECURE.value().copied()
}

impl Registers for Hardware {
    fn extend(&mut self, register: u8, digest: &[u8; 48]) -> Result<(), CallError> {
        match secure() {
            Some(Secure::Tdx(domain)) => domain.extend(self.ring0, register, digest),
            Some(Secure::Snp(_)) | None => Err(CallError::UnknownCall),
        }
    }
}

/// Lets `cpu` go that firmware keeps, to 32-bit code at `entry`: such guests' start where the launch measurement says, not in real
/// mode. `true` if INIT and SIPI are to follow, which those of trust domains do not know.
pub(super) fn let_go(cpu: u32, entry: u32) -> bool {
    match secure() {
        Some(Secure::Tdx(_)) => open_firmware(cpu, entry),
        // All have the first door: the host starts them one at a time.
        Some(Secure::Snp(_)) => open_firmware(0, entry),
        None => {}
    }
    !matches!(secure(), Some(Secure::Tdx(_)))
}

/// What a started cpu does before anything else.
pub(super) fn join(ring0: Ring0, cpu: u32) {
    if let Some(Secure::Snp(guest)) = secure() {
        guest.join(ring0, cpu);
    }
}

fn open_firmware(door: u32, entry: u32) {
    let door = OTHER_CPUS_PA + u64::from(door) * size_of::<u32>() as u64;
    let door = ptr::with_exposed_provenance_mut::<u32>(door as usize);
    // SAFETY: `Secure::publish` has the page mapped, which firmware's cpus only read; cpus are fewer than the words of a page.
    unsafe { door.write_volatile(entry) };
}

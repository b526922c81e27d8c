//! Ring 0 as a guest of SEV-SNP: what it knows of itself, and the ways it goes instead of instructions that its host does not see.

mod instructions;
mod seat;

pub use seat::Seat;

use super::{Lock, Ring0};
use crate::tee::Response;
use core::ptr;
use core::sync::atomic::{AtomicU64, Ordering};
use vial_abi::call::CallError;
use vial_abi::memory::{CPUID_PA, MAX_CPUS, Region, SECRETS_PA, ghcb};
use vial_snp::cpuid::CpuidPage;
use vial_snp::pages::{State, validate};
use vial_snp::secrets::Secrets;
use vial_snp::{Refusal, protocol};

static SECRETS: Lock<()> = Lock::new(());
/// First address above cpu 0's stack, and the distance between two cpus'; 0 while there is one cpu.
static STACKS: [AtomicU64; 2] = [const { AtomicU64::new(0) }; 2];

/// What guests of SEV-SNP know of themselves.
#[derive(Clone, Copy, Debug)]
pub struct Guest {
    c_bit: u8,
    is_simulated: bool,
}

impl Guest {
    pub(super) const fn new(c_bit: u8, is_simulated: bool) -> Self {
        Self { c_bit, is_simulated }
    }

    /// The running cpu.
    #[must_use]
    pub const fn seat(self, ring0: Ring0) -> Seat {
        Seat::new(ring0, self.is_simulated)
    }

    /// Agrees with the host on how they speak, and has `page` as this cpu's GHCB.
    ///
    /// # Errors
    /// What the host refused.
    pub fn introduce(self, ring0: Ring0, page: u64) -> Result<(), Refusal> {
        let mut seat = self.seat(ring0);
        protocol::negotiate(&mut seat, self.c_bit)?;
        protocol::share(&mut seat, page)?;
        protocol::register(&mut seat, page)
    }

    /// Makes memory that is mapped at `va` the guest's own.
    pub fn claim(self, ring0: Ring0, va: u64, region: Region) {
        self.seat(ring0).ask(|ghcb| {
            ghcb.set_state(region, State::Private)?;
            validate(ghcb.processor, va, region.len)
        });
    }

    /// Has another cpu's GHCB known to the host.
    pub(super) fn join(self, ring0: Ring0, cpu: u32) {
        let mut seat = self.seat(ring0);
        protocol::register(&mut seat, ghcb(cpu)).unwrap_or_else(|refusal| seat.end(refusal.code().value()));
    }

    /// What CPUID may say.
    ///
    /// # Errors
    /// [`Refusal::Page`].
    pub fn cpuid(self) -> Result<CpuidPage<'static>, Refusal> {
        let page = ptr::with_exposed_provenance::<[u8; 4096]>(CPUID_PA as usize);
        // SAFETY: mapped by the duty of `Secure::publish` or, before it, by firmware's tables; nobody writes it.
        CpuidPage::new(unsafe { &*page }, self.c_bit)
    }
}

/// Asks the secure processor for a report.
pub(super) fn report(
    seat: Seat,
    report_data: &[u8; 64],
    response: &mut Response,
) -> Result<usize, CallError> {
    let response = response.first_chunk_mut().ok_or(CallError::NoTee)?;
    let report = seat.ask(|ghcb| {
        Ok(with_secrets(|secrets| vial_snp::request::report(ghcb, secrets, report_data, response)))
    });
    report.map_err(|_| CallError::NoTee)
}

/// Uses the secrets, one cpu at a time.
fn with_secrets<R>(work: impl FnOnce(&mut Secrets<'_>) -> R) -> R {
    SECRETS.with(|()| {
        let page = ptr::with_exposed_provenance_mut::<[u8; 4096]>(SECRETS_PA as usize);
        // SAFETY: mapped by the duty of `Secure::publish`, which every caller follows; the lock makes this the only reference.
        work(&mut Secrets::new(unsafe { &mut *page }))
    })
}

/// Where cpus' stacks lie from here on, which tell the running one.
pub(super) fn publish_stacks(first_top: u64, stride: u64) {
    let [first, distance] = &STACKS;
    first.store(first_top, Ordering::Relaxed);
    distance.store(stride, Ordering::Release);
}

/// The running cpu; none on the stack of double faults, which all share.
fn cpu() -> Option<u32> {
    let here = 0_u8;
    let here = (&raw const here).addr() as u64;
    let [first, distance] = &STACKS;
    let stride = distance.load(Ordering::Acquire);
    let above = here.checked_sub(first.load(Ordering::Relaxed).saturating_sub(stride));
    match above.and_then(|bytes| bytes.checked_div(stride)) {
        None => Some(0),
        Some(index) => u32::try_from(index).ok().filter(|&cpu| cpu < MAX_CPUS),
    }
}

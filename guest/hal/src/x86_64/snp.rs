//! This cpu as a guest of SEV-SNP: by the processor's instructions, or by ports of our VMM, which plays the processor.

use super::instructions::{join, outcome, split};
use super::{Lock, Once, Ring0};
use core::ptr;
use core::sync::atomic::{AtomicU64, Ordering};
use vial_abi::launch_page::Tee;
use vial_abi::memory::{CPUID_PA, LINEAR_VA, MAX_CPUS, SECRETS_PA, ghcb};
use vial_abi::port::{SNP_EXIT, SNP_PVALIDATE, SNP_REGISTER, SNP_REGISTER_HIGH};
use vial_snp::cpuid::CpuidPage;
use vial_snp::ghcb::Ghcb;
use vial_snp::secrets::Secrets;
use vial_snp::{Invalid, PageSize, Processor, Refusal, protocol};

/// Register that names the GHCB. Spec: AMD 56421 rev 2.03 §2.3.1.
const GHCB_REGISTER: u32 = 0xC001_0130;

static SECURE: Once<Secure> = Once::empty();
static SECRETS: Lock<()> = Lock::new(());
/// First address above cpu 0's stack, and the distance between two cpus'; 0 while there is one cpu.
static STACKS: [AtomicU64; 2] = [const { AtomicU64::new(0) }; 2];

/// What guests of SEV-SNP know of themselves.
#[derive(Clone, Copy, Debug)]
pub struct Secure {
    c_bit: u8,
    is_simulated: bool,
}

impl Secure {
    /// What follows for `tee`; none where the host sees memory anyway.
    #[must_use]
    pub const fn of(tee: Tee) -> Option<Self> {
        match tee {
            Tee::Simulated => None,
            Tee::SevSnp { c_bit } => Some(Self { c_bit, is_simulated: false }),
            Tee::SimulatedSnp { c_bit } => Some(Self { c_bit, is_simulated: true }),
        }
    }

    /// The running program is such a guest's from here on: it reaches its host through the GHCB.
    ///
    /// # Safety
    /// - Called once, before other cpus start; the pages of the secure processor are mapped at their addresses, private and
    ///   for ring 0 alone, the pages shared with the host at theirs, shared.
    pub unsafe fn publish(self) {
        // SAFETY: the caller's duty.
        unsafe { SECURE.set(self) };
    }

    /// The running cpu.
    #[must_use]
    pub const fn seat(self, ring0: Ring0) -> Seat {
        Seat { ring0, is_simulated: self.is_simulated }
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
        // SAFETY: mapped by the duty of `publish` or, before it, by firmware's tables; nobody writes it.
        CpuidPage::new(unsafe { &*page }, self.c_bit)
    }
}

/// The program is a guest of SEV-SNP.
pub(super) fn secure() -> Option<Secure> {
    SECURE.value().copied()
}

/// Uses the secrets, one cpu at a time.
pub(super) fn with_secrets<R>(work: impl FnOnce(&mut Secrets<'_>) -> R) -> R {
    SECRETS.with(|()| {
        let page = ptr::with_exposed_provenance_mut::<[u8; 4096]>(SECRETS_PA as usize);
        // SAFETY: mapped by the duty of `publish`, which every caller follows; the lock makes this the only reference.
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

/// The running cpu, by the processor's instructions or by ports.
#[derive(Clone, Copy, Debug)]
pub struct Seat {
    ring0: Ring0,
    is_simulated: bool,
}

impl Seat {
    /// Does something by the cpu's GHCB. What the host refuses ends the guest: it cannot go on without.
    pub fn ask<R>(mut self, wish: impl FnOnce(&mut Ghcb<'_, Self>) -> Result<R, Refusal>) -> R {
        let done = cpu().map(|cpu| wish(&mut Ghcb::at(ghcb(cpu), &mut self)));
        done.and_then(Result::ok).unwrap_or_else(|| self.end(Refusal::Host.code().value()))
    }

    /// Ends the guest by what needs no GHCB.
    pub fn end(mut self, reason: u8) -> ! {
        loop {
            protocol::terminate(&mut self, reason);
        }
    }
}

impl Processor for Seat {
    fn register(&self) -> u64 {
        if self.is_simulated {
            join(self.ring0.in_u32(SNP_REGISTER), self.ring0.in_u32(SNP_REGISTER_HIGH))
        } else {
            self.ring0.rdmsr(GHCB_REGISTER)
        }
    }

    fn set_register(&mut self, value: u64) {
        if self.is_simulated {
            let [low, high] = split(value);
            self.ring0.out_u32(SNP_REGISTER, low);
            self.ring0.out_u32(SNP_REGISTER_HIGH, high);
        } else {
            self.ring0.wrmsr(GHCB_REGISTER, value);
        }
    }

    fn exit(&mut self) {
        if self.is_simulated { self.ring0.out_u32(SNP_EXIT, 0) } else { self.ring0.vmgexit() }
    }

    fn exit_until_interrupt(&mut self) {
        if self.is_simulated {
            self.ring0.out_u32_until_interrupt(SNP_EXIT);
        } else {
            self.ring0.vmgexit_until_interrupt();
        }
    }

    fn pvalidate(&mut self, va: u64, size: PageSize, is_valid: bool) -> Result<(), Invalid> {
        if !self.is_simulated {
            return self.ring0.pvalidate(va, size, is_valid);
        }
        // Both views of memory that validate have the physical address in these bits.
        let page = ((va & (LINEAR_VA - 1)) >> 12) as u32;
        let order = page << 2 | u32::from(size == PageSize::Large) << 1 | u32::from(is_valid);
        self.ring0.out_u32(SNP_PVALIDATE, order);
        let answer = self.ring0.in_u32(SNP_PVALIDATE);
        outcome(answer & 0xFF, answer >> 8 & 1 == 1)
    }

    fn shared(&self, pa: u64) -> u64 {
        let word = ptr::with_exposed_provenance::<u64>(pa as usize);
        // SAFETY: `vial-snp` reads the shared pages alone, by whole words, which are mapped by the duty of `Secure::publish`; the
        // host may write them at any time, hence volatile.
        unsafe { word.read_volatile() }
    }

    fn set_shared(&mut self, pa: u64, value: u64) {
        let word = ptr::with_exposed_provenance_mut::<u64>(pa as usize);
        // SAFETY: as above.
        unsafe { word.write_volatile(value) }
    }
}

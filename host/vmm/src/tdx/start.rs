//! Building such a machine.

use core::ops::Range;
use std::sync::{Arc, Mutex};
use std::time::Instant;
use vial_abi::memory::{DMA_BYTES, DMA_PA, LAUNCHED, PAGE, ROM_TEXT_PA, ram};
use vial_kvm::{Machine, Memory, allocate, parts};
use vial_launch::tdx::reset;
use vial_launch::{Contents, LoadPlan};
use vial_simulated_tdx::{Builder, Host, Module, Signer, is_genuine};

use super::around::Private;
use super::seat::{Seat, Simulated};
use crate::doors::Doors;
use crate::played::{Built, SHARED};
use crate::start::{Config, Outside, StartError, Vmm, system};
use crate::tee::ReportDevice;

/// Where REPORTDATA lies in a report. Spec: Intel TDX Module ABI (348551), `REPORTMACSTRUCT`.
const REPORT_DATA: Range<usize> = 128..192;
/// End of all addresses that have memory below 4 GiB: the reset page's.
const FOUR_GIB: u64 = 1 << 32;

/// What is around the domain when it starts.
#[derive(Debug)]
pub struct PlayedDomain {
    /// The module, which has built it.
    pub module: Module,
    /// The host, and its quoting service.
    pub host: Host,
}

impl Vmm {
    /// Starts a played trust domain whose surroundings were changed: for tests of domains that are served badly. Afterwards the
    /// process can open no more files.
    ///
    /// # Errors
    /// What the system refused.
    pub fn start_domain(
        config: Config,
        shared_bit: u8,
        change: impl FnOnce(&mut PlayedDomain),
    ) -> Result<Self, StartError> {
        start(config, shared_bit, change)
    }
}

/// Starts a machine. Afterwards the process can open no more files.
pub(crate) fn start(
    config: Config,
    shared_bit: u8,
    change: impl FnOnce(&mut PlayedDomain),
) -> Result<Vmm, StartError> {
    let started = Instant::now();
    let [low, high] = ram(config.memory_bytes);
    let runs = [(low.pa, low.len), (reset::GPA, PAGE), (high.pa, high.len)];
    let memory = allocate(&runs).map_err(system("guest memory"))?;
    let outside_memory = || StartError::Plan(0, config.memory_bytes);
    let private = parts(&memory, &private(config.memory_bytes)).ok_or_else(outside_memory)?;
    let shared = parts(&memory, &SHARED).ok_or_else(outside_memory)?;
    let machine = Machine::new(&private)?;
    machine.alias(&shared, 1 << shared_bit)?;
    let module = built(&config.plan, &private, config.memory_bytes, shared_bit + 1)?;
    let shareable = SHARED.map(|(pa, bytes)| pa..pa + bytes).into();
    let host = Host { shared_bit, shareable, signer: signer(config.tee), is_unwilling: false };
    let mut played = PlayedDomain { module, host };
    change(&mut played);
    let simulated = Arc::new(Simulated {
        played: Mutex::new(played),
        private: private.clone(),
        shared: shared.clone(),
        doors: Doors::new(config.plan.cpus()),
        start: *config.plan.start(),
        cpuid: machine.cpuid().collect(),
    });
    let outside = Outside { disk: config.disk, listener: config.listener, tee: None };
    let built = Built { started, machine, private, shared };
    built.run(&config.plan, outside, move |cpu, index| Seat::new(cpu, index, &simulated))
}

/// All memory but what can be shared.
fn private(memory_bytes: u64) -> [(u64, u64); 4] {
    let [low, high] = ram(memory_bytes);
    let window_end = DMA_PA + DMA_BYTES;
    let rest = low.len.saturating_sub(window_end);
    [(ROM_TEXT_PA, DMA_PA - ROM_TEXT_PA), (window_end, rest), (reset::GPA, PAGE), (high.pa, high.len)]
}

/// The domain, built of the plan; the rest of its memory is added at once, and is the domain's when it accepts it.
fn built(plan: &LoadPlan, private: &Memory, memory_bytes: u64, width: u8) -> Result<Module, StartError> {
    let [low, high] = ram(memory_bytes);
    let mut builder = Builder::new(FOUR_GIB.max(high.pa + high.len));
    for part in plan.parts() {
        let bytes = match part.contents {
            Contents::Normal(bytes) => bytes,
            Contents::Zero(bytes) => vec![0; usize::try_from(bytes).unwrap_or(0)],
            // Pages of SEV-SNP alone.
            Contents::Secrets | Contents::Cpuid => Vec::new(),
        };
        let added = builder.add(&mut Private(private), part.gpa, &bytes);
        added.ok_or(StartError::Plan(bytes.len(), part.gpa))?;
    }
    let mut module = builder.finalize(width);
    for range in [0..ROM_TEXT_PA, LAUNCHED.pa + LAUNCHED.len..low.len, high.pa..high.pa + high.len] {
        module.pages.augment(range);
    }
    Ok(module)
}

/// Signs as the simulated TEE what this module has written.
fn signer(mut tee: Box<dyn ReportDevice>) -> Signer {
    Box::new(move |report| {
        let data = report[REPORT_DATA].first_chunk::<64>().filter(|_| is_genuine(report))?;
        Some(tee.report(data).0)
    })
}

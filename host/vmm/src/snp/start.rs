//! Building such a machine.

use std::fs::File;
use std::io::Read as _;
use std::sync::{Arc, Mutex};
use std::time::Instant;
use vial_abi::memory::{DMA_BYTES, DMA_PA, LAUNCHED, ROM_TEXT_PA, ram};
use vial_kvm::{Machine, Memory, parts};
use vial_launch::{Contents, LoadPlan};
use vial_simulated_snp::{Host, Leaf, Ownership, SecureProcessor, cpuid_page};
use vm_memory::{Bytes as _, GuestAddress};

use super::seat::{Seat, Simulated};
use crate::doors::Doors;
use crate::played::{Built, SHARED};
use crate::start::{Config, Outside, StartError, Vmm, memory, system};
use crate::tee::ReportDevice;

/// What is around the guest when it starts.
#[derive(Debug)]
pub struct Played {
    /// The host, and the secure processor behind it.
    pub host: Host,
    /// All memory, before anything is loaded.
    pub memory: Memory,
    /// The page of what CPUID may say.
    pub cpuid: Vec<u8>,
}

impl Vmm {
    /// Starts a machine of simulated SEV-SNP whose surroundings were changed: for tests of guests that are served badly. Afterwards
    /// the process can open no more files.
    ///
    /// # Errors
    /// What the system refused.
    pub fn start_played(
        config: Config,
        c_bit: u8,
        change: impl FnOnce(&mut Played),
    ) -> Result<Self, StartError> {
        start(config, c_bit, change)
    }
}

/// Starts a machine. Afterwards the process can open no more files.
pub(crate) fn start(config: Config, c_bit: u8, change: impl FnOnce(&mut Played)) -> Result<Vmm, StartError> {
    let started = Instant::now();
    let memory = memory(config.memory_bytes)?;
    let outside_memory = || StartError::Plan(0, config.memory_bytes);
    let private = parts(&memory, &private(config.memory_bytes)).ok_or_else(outside_memory)?;
    let shared = parts(&memory, &SHARED).ok_or_else(outside_memory)?;
    let machine = Machine::new(&memory)?;
    machine.alias(&private, 1 << c_bit)?;
    let host = host(config.tee, config.memory_bytes, c_bit)?;
    let mut played = Played { host, memory, cpuid: cpuid(&machine, c_bit) };
    change(&mut played);
    load(&config.plan, &played)?;
    let Played { host, memory, .. } = played;
    let simulated = Arc::new(Simulated {
        host: Mutex::new(host),
        memory,
        shared: shared.clone(),
        doors: Doors::new(config.plan.cpus()),
        other_start: *config.plan.other_start(),
    });
    let outside = Outside { disk: config.disk, listener: config.listener, tee: None };
    let built = Built { started, machine, private, shared };
    built.run(&config.plan, outside, move |cpu, index| Seat::new(cpu, index, &simulated))
}

/// All memory but what is shared.
fn private(memory_bytes: u64) -> [(u64, u64); 3] {
    let [low, high] = ram(memory_bytes);
    let window_end = DMA_PA + DMA_BYTES;
    let rest = low.len.saturating_sub(window_end);
    [(ROM_TEXT_PA, DMA_PA - ROM_TEXT_PA), (window_end, rest), (high.pa, high.len)]
}

fn host(mut tee: Box<dyn ReportDevice>, memory_bytes: u64, c_bit: u8) -> Result<Host, StartError> {
    let mut keys = [[0; 32]; 4];
    let mut source = File::open("/dev/urandom").map_err(system("/dev/urandom"))?;
    keys.iter_mut().try_for_each(|key| source.read_exact(key)).map_err(system("/dev/urandom"))?;
    let [low, high] = ram(memory_bytes).map(|run| run.pa..run.pa + run.len);
    let mut ownership = Ownership::shared([low, high]);
    ownership.launch(LAUNCHED.pa, LAUNCHED.len);
    let reporter = Box::new(move |data: &[u8; 64]| tee.report(data).0);
    let processor = SecureProcessor::new(keys, reporter);
    Ok(Host { ownership, processor, certificates: Vec::new(), c_bit, is_forgetful: false })
}

fn cpuid(machine: &Machine, c_bit: u8) -> Vec<u8> {
    let leaves = machine.cpuid().map(|leaf| Leaf { asked: leaf.asked, found: leaf.found });
    cpuid_page(&leaves.collect::<Vec<_>>(), c_bit).unwrap_or_default()
}

/// As the secure processor does.
fn load(plan: &LoadPlan, played: &Played) -> Result<(), StartError> {
    for part in plan.parts() {
        let bytes = match part.contents {
            Contents::Normal(bytes) => bytes,
            Contents::Zero(bytes) => vec![0; usize::try_from(bytes).unwrap_or(0)],
            Contents::Secrets => played.host.processor.secrets(),
            Contents::Cpuid => played.cpuid.clone(),
        };
        let written = played.memory.write_slice(&bytes, GuestAddress(part.gpa));
        written.map_err(|_| StartError::Plan(bytes.len(), part.gpa))?;
    }
    Ok(())
}

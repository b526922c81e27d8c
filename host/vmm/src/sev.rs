//! A machine whose memory this process cannot read: SEV-SNP.

use std::net::TcpListener;
use std::sync::Arc;
use std::time::Instant;
use vial_abi::memory::{DMA_BYTES, DMA_PA, ROM_TEXT_PA, Region};
use vial_devices::block::Backend;
use vial_kvm::{Identity, Launch, Policy, SevMachine};
use vial_launch::LoadPlan;

use crate::cpu;
use crate::start::{Host, Outside, Ready, StartError, Vmm, memory};

/// What the guest shares from the start: the pages below firmware, where ring 0 speaks with the host, and devices' window.
const SHARED: [Region; 2] = [Region { pa: 0, len: ROM_TEXT_PA }, Region { pa: DMA_PA, len: DMA_BYTES }];

/// What to start.
pub struct SnpConfig {
    /// What is loaded and measured, and the cpus' first registers; of a launch page that names SEV-SNP.
    pub plan: LoadPlan,
    /// Memory in bytes, as in the plan's launch page.
    pub memory_bytes: u64,
    /// The disk.
    pub disk: Arc<dyn Backend>,
    /// Where clients connect; forwarded to the appliance.
    pub listener: TcpListener,
    /// What the host may do.
    pub policy: Policy,
    /// The first 32 bytes of the manifest's digest; they stand in reports.
    pub host_data: [u8; 32],
    /// What the owner signed, if anything.
    pub identity: Option<Identity>,
}

impl core::fmt::Debug for SnpConfig {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_struct("SnpConfig").field("memory_bytes", &self.memory_bytes).finish_non_exhaustive()
    }
}

impl Vmm {
    /// Starts a machine of SEV-SNP. Afterwards the process can open no more files.
    ///
    /// No page is backed ahead of the guest: memory of this process holds what is shared alone.
    ///
    /// # Errors
    /// The plan is not one of SEV-SNP, or what host, kernel or secure processor cannot do or refused.
    pub fn start_snp(config: SnpConfig) -> Result<Self, StartError> {
        let started = Instant::now();
        let memory = memory(config.memory_bytes)?;
        let machine = SevMachine::new(&memory, &SHARED)?;
        let outside = Outside { disk: config.disk, listener: config.listener, tee: None };
        let ready = Ready::connect(machine.board(), &memory, outside, started)?;
        let launch = Launch {
            plan: &config.plan,
            policy: config.policy,
            host_data: config.host_data,
            identity: config.identity.as_ref(),
        };
        let cpus = machine.launch(&launch)?;
        ready.run(cpus, cpu::run, Host::Sev { _machine: machine })
    }
}

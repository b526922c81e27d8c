//! A plan and a machine's memory, as the VMM would have them.

use vial_abi::LaunchPage;
use vial_abi::launch_page::{Kv, Machine, Measure, Tee};
use vial_abi::memory::{DMA_BYTES, DMA_PA, Region, ram};
use vial_kvm::{Cpu, Launch, Memory, Policy, SevError, SevMachine, allocate};
use vial_launch::LoadPlan;

pub(crate) const MEMORY_BYTES: u64 = 4 << 30;
pub(crate) const CPUS: u32 = 2;
pub(crate) const HOST_DATA: [u8; 32] = *b"first half of a manifest digest.";
pub(crate) const SHARED: [Region; 2] =
    [Region { pa: 0, len: 2 << 20 }, Region { pa: DMA_PA, len: DMA_BYTES }];

pub(crate) fn plan() -> LoadPlan {
    plan_for(Tee::SevSnp { c_bit: 51 })
}

pub(crate) fn plan_for(tee: Tee) -> LoadPlan {
    let page = LaunchPage {
        manifest_digest: [7; 48],
        memory_bytes: MEMORY_BYTES,
        cpus: CPUS,
        tee,
        machine: Machine::Vial,
        measure: Measure::Full,
        kv: Kv::F16,
    };
    LoadPlan::new(&firmware(), &page).unwrap()
}

pub(crate) fn memory() -> Memory {
    allocate(&ram(MEMORY_BYTES).map(|run| (run.pa, run.len))).unwrap()
}

pub(crate) fn launch(plan: &LoadPlan) -> Launch<'_> {
    Launch { plan, policy: Policy::STRICT.with_smt(), host_data: HOST_DATA, identity: None }
}

/// Makes a machine and launches it.
pub(crate) fn start(memory: &Memory, launch: &Launch<'_>) -> Result<(SevMachine, Vec<Cpu>), SevError> {
    let machine = SevMachine::new(memory, &SHARED)?;
    let cpus = machine.launch(launch)?;
    Ok((machine, cpus))
}

/// Firmware of three pages.
fn firmware() -> Vec<u8> {
    let code: Vec<u8> = (0..9000_u32).map(|at| (at * 11 % 253).to_le_bytes()[0]).collect();
    vial_launch::tiny::firmware(0x20_0010, &code)
}

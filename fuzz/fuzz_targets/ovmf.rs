//! Tables at the end of firmware.
#![no_main]

use vial_launch::Chain;
use vial_launch::ovmf::{KernelHashes, OvmfLaunch, OvmfTable, Vmm};

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    let Ok(mut table) = OvmfTable::parse(data) else { return };
    // Genuine sections are small; a digest of 4 GiB takes its time.
    table.sections.iter_mut().for_each(|section| section.bytes &= 0xFFFF);
    let kernel = table.hashes_gpa.map(|_| KernelHashes::new([0; 32], [0; 32], ""));
    let launch = OvmfLaunch { table: &table, kernel, cpus: 2, signature: 0, features: 1, vmm: Vmm::Qemu };
    let _any = launch.digest(Chain::default());
});

//! Loads kernel and test engine as the boot program would, without checking them.

use elf::ElfBytes;
use elf::abi::PT_LOAD;
use elf::endian::LittleEndian;
use vial_abi::call::Call;
use vial_abi::memory::{BLOBS_PA, HANDOFF_PA, KERNEL_TEXT_PA, Region};
use vial_abi::{Handoff, LaunchPage, Mark};
use vial_guests::case::FAILED;
use vial_guests::entry::{call, check, copy, exit, write};

static KERNEL: &[u8] = include_bytes!(env!("VIAL_SELF_TEST_KERNEL"));
static ENGINE: &[u8] = include_bytes!(env!("VIAL_SELF_TEST_ENGINE"));

pub(crate) fn hand_over(launch: LaunchPage) -> ! {
    for program in [KERNEL, ENGINE] {
        load(program);
    }
    check(3, call(Call::Mark, [Mark::Measured.value().into(), 0, 0]) == 0);
    copy(HANDOFF_PA, &handoff(launch).encode());
    call(Call::HandOver, [KERNEL_TEXT_PA, HANDOFF_PA, 0]);
    exit(FAILED + 4)
}

fn load(program: &'static [u8]) {
    let Ok(elf) = ElfBytes::<LittleEndian>::minimal_parse(program) else { exit(FAILED + 5) };
    let headers = elf.segments().into_iter().flat_map(|headers| headers.iter());
    for header in headers.filter(|header| header.p_type == PT_LOAD) {
        let Ok(bytes) = elf.segment_data(&header) else { exit(FAILED + 6) };
        copy(header.p_paddr, bytes);
        let end = header.p_paddr + header.p_memsz;
        (header.p_paddr + header.p_filesz..end).for_each(|at| write(at, 0));
    }
}

fn handoff(launch: LaunchPage) -> Handoff {
    let blob = Region { pa: BLOBS_PA, len: 16 };
    Handoff {
        launch,
        weights_root: [2; 32],
        event_log_head: [3; 48],
        manifest: blob,
        event_log: blob,
        bundle: blob,
        tree: blob,
        draft_tree: blob,
        tags: blob,
        draft_tags: blob,
        boot_report: blob,
        blobs_bytes: 4096,
        weights_disk_offset: 1 << 20,
        weights_bytes: 99,
        draft_disk_offset: 0,
        draft_bytes: 0,
        leaf_bytes: 131_072,
        tsc_khz: 0,
        unix_ns: 0,
        unix_tsc: 0,
    }
}

//! A launch that succeeds: which calls, in which order, with which bytes, and what the secure processor measured.

use sev::firmware::guest::GuestPolicy;
use vial_abi::memory::{CPUID_PA, SECRETS_PA};

use crate::appliance::{CPUS, HOST_DATA, MEMORY_BYTES, launch, memory, plan, start};
use crate::kernel::under;
use crate::measure::{by_chain, by_hand, pages, registers};
use crate::script::{Correction, Record, Script};
use crate::wire::{u16_at, u32_at, u64_at};

fn launched(script: Script) -> Record {
    let (memory, plan) = (memory(), plan());
    let (started, record) = under(script, || start(&memory, &launch(&plan)).map(drop));
    started.unwrap();
    assert_eq!(record.left, 0);
    record
}

#[test]
fn calls_come_in_the_order_that_the_kernel_documents() {
    let record = launched(Script::default());
    let made = "open /dev/kvm, CHECK_EXTENSION 235, CHECK_EXTENSION 234, CHECK_EXTENSION 233, CHECK_EXTENSION 231, \
        CHECK_EXTENSION 201, open /dev/sev, CREATE_VM 4, GET_VCPU_MMAP_SIZE 0, SEV 22, ENABLE_CAP, CREATE_IRQCHIP 0, \
        SET_GSI_ROUTING, CREATE_GUEST_MEMFD, CREATE_GUEST_MEMFD, SET_USER_MEMORY_REGION2, SET_USER_MEMORY_REGION2, \
        SET_MEMORY_ATTRIBUTES, SET_MEMORY_ATTRIBUTES, SET_MEMORY_ATTRIBUTES, GET_SUPPORTED_CPUID, SEV 100";
    let mut expected: Vec<_> = made.split(", ").map(str::to_owned).collect();
    for cpu in 0..CPUS {
        expected.push(format!("CREATE_VCPU {cpu}"));
        expected.extend(["SET_CPUID2", "GET_SREGS", "SET_SREGS", "SET_REGS"].map(str::to_owned));
    }
    expected.extend(plan().parts().iter().map(|_| "SEV 101".to_owned()));
    expected.push("SEV 102".to_owned());
    assert_eq!(record.labels(), expected);
}

#[test]
fn what_is_measured_is_what_the_plan_says() {
    let record = launched(Script::default());
    let (pages, registers) = (pages(&record), registers(&record));
    assert_eq!(pages.len(), (8 << 20) / 4096);
    assert_eq!(registers.len(), 2);
    assert_eq!(by_chain(&pages, &registers), plan().digest());
    assert_eq!(by_hand(&pages, &registers), plan().digest());
}

#[test]
fn a_launch_in_pieces_loads_every_page_once() {
    let script = Script { pages_at_once: 2, tries: 3, ..Script::default() };
    let record = launched(script);
    assert!(record.of("SEV 101").filter(|call| call.loaded == 0).count() == 3);
    assert_eq!(by_hand(&pages(&record), &registers(&record)), plan().digest());
}

#[test]
fn the_machine_begins_with_the_protocols_version_and_no_features_of_its_own() {
    let record = launched(Script::default());
    let init = &record.of("SEV 22").next().unwrap().data;
    let mut expected = [0; 48];
    expected[12] = 2;
    assert_eq!(init[..], expected);
    let wanted = &record.of("ENABLE_CAP").next().unwrap().bytes;
    assert_eq!((u32_at(wanted, 0), u64_at(wanted, 8)), (201, 1 << 12));
    // Every command goes to the same device.
    let devices: Vec<_> = record
        .calls
        .iter()
        .filter(|call| call.label.starts_with("SEV "))
        .map(|call| u32_at(&call.bytes, 20))
        .collect();
    assert!(devices.windows(2).all(|pair| pair[0] == pair[1] && pair[0] > 2), "{devices:?}");
}

#[test]
fn the_policy_allows_threads_and_nothing_else() {
    let record = launched(Script::default());
    let begin = &record.of("SEV 100").next().unwrap().data;
    let policy = u64_at(begin, 0);
    assert_eq!(policy, 0x3_0000);
    assert_eq!(begin[8..], [0; 56], "workarounds, flags");
    let read = GuestPolicy::from(policy);
    assert!(read.smt_allowed() && !read.debug_allowed() && !read.migrate_ma_allowed());
    assert_eq!((read.abi_major(), read.abi_minor(), read.single_socket_required()), (0, 0, false));
    assert_eq!(vial_kvm::Policy::STRICT.bits(), 0x2_0000);
}

#[test]
fn memory_has_two_sides_and_starts_private_but_for_what_is_shared() {
    let record = launched(Script::default());
    let sizes: Vec<_> = record.of("CREATE_GUEST_MEMFD").map(|call| u64_at(&call.bytes, 0)).collect();
    assert_eq!(sizes, [3 << 30, 1 << 30]);
    let slots: Vec<_> = record.of("SET_USER_MEMORY_REGION2").map(|call| &call.bytes).collect();
    for (slot, (at, gpa, bytes)) in slots.iter().zip([(0, 0, 3_u64 << 30), (1, 4 << 30, 1 << 30)]) {
        assert_eq!((u32_at(slot, 0), u32_at(slot, 4)), (at, 4), "slot and KVM_MEM_GUEST_MEMFD");
        assert_eq!((u64_at(slot, 8), u64_at(slot, 16)), (gpa, bytes));
        assert!(u64_at(slot, 24) > 0 && u64_at(slot, 32) == 0 && u32_at(slot, 40) > 2);
        assert_eq!(slot[44..], [0; 116]);
    }
    let given =
        record.of("SET_MEMORY_ATTRIBUTES").map(|call| [0, 8, 16, 24].map(|at| u64_at(&call.bytes, at)));
    let given: Vec<_> = given.collect();
    let dma = [0x180_0000, 0x200_0000];
    let runs = [(2 << 20, dma[0]), (dma[1], 3 << 30), (4 << 30, MEMORY_BYTES + (1 << 30))];
    assert_eq!(given, runs.map(|(start, end)| [start, end - start, 8, 0]));
}

#[test]
fn parts_are_loaded_with_their_types_by_rising_address() {
    let record = launched(Script::default());
    let pages = pages(&record);
    assert!(pages.windows(2).all(|pair| pair[0].1 < pair[1].1));
    let kind = |gpa| pages.iter().find(|page| page.1 == gpa).unwrap().0;
    assert_eq!((kind(0x20_0000), kind(0x30_0000), kind(SECRETS_PA), kind(CPUID_PA)), (1, 3, 5, 6));
    // Flags and what is reserved.
    assert!(record.of("SEV 101").all(|call| call.data[25..] == [0; 39]));
    // The plan's bytes are where the guest finds them.
    for range in plan().ranges() {
        let mut found = vec![0; range.bytes.len()];
        std::os::unix::fs::FileExt::read_exact_at(&record.private[0], &mut found, range.gpa).unwrap();
        assert!(found == range.bytes, "{:#x}", range.gpa);
    }
}

#[test]
fn host_data_stands_behind_the_byte_that_older_structures_lack() {
    let record = launched(Script::default());
    let finish = &record.of("SEV 102").next().unwrap().data;
    assert_eq!(finish[19..51], HOST_DATA);
    assert_eq!(
        (&finish[..19], &finish[51..]),
        (&[0; 19][..], &[0; 37][..]),
        "no ID block, vcek_disabled 0, no flags"
    );
}

#[test]
fn registers_are_the_plans_and_no_other() {
    let record = launched(Script::default());
    let special: Vec<_> = record.of("SET_SREGS").map(|call| &call.bytes).collect();
    let general: Vec<_> = record.of("SET_REGS").map(|call| &call.bytes).collect();
    for (cpu, start) in [plan().start(), plan().other_start()].into_iter().enumerate() {
        assert_eq!((u64_at(general[cpu], 128), u64_at(general[cpu], 136)), (start.rip, 2));
        assert_eq!(general[cpu][..128], [0; 128]);
        assert_eq!((u64_at(special[cpu], 224), u16_at(special[cpu], 12)), (start.cr0, 8));
        assert_eq!(u64_at(special[cpu], 272), 0xFEE0_0900, "the APIC stays where it is");
        // LDT, GDT and IDT: a cpu that KVM has just made has other limits than the measured page.
        assert_eq!(special[cpu][168..224], [0; 56]);
    }
    assert_eq!(plan().other_start().rip, plan().start().rip + 16);
}

/// Leaf, subleaf, flags, EAX to EDX, as KVM gives them.
fn rows() -> Vec<[u32; 7]> {
    vec![
        [1, 0, 0, 0xA0_0F11, 0xFF00_0800, u32::MAX, 0x178B_FBFF],
        [2, 0, 0, 0, 0, 0, 0],
        [7, 0, 1, 1, u32::MAX, 0, u32::MAX],
        [0xD, 0, 1, 7, 0x340, 0x988, 0],
        [0xD, 1, 1, 0xF, 0x340, 0, 0],
        [0xD, 2, 1, 0x100, 0x240, 0, 0],
        [0x8000_0008, 0, 0, 0x3030, u32::MAX, 0, 0],
    ]
}

#[test]
fn the_cpuid_page_says_what_kvm_supports_and_the_secure_processor_accepts() {
    let record = launched(Script { cpuid: rows(), ..Script::default() });
    let loaded = pages(&record).into_iter().find(|page| page.1 == CPUID_PA).unwrap();
    let page = loaded.2.unwrap();
    assert_eq!((u32_at(&page, 0), &page[4..16]), (6, &[0; 12][..]), "the row of zeros is left out");
    let row = |at: usize| core::array::from_fn::<_, 12, _>(|word| u32_at(&page, 16 + 48 * at + 4 * word));
    // EAX in, ECX in, XCR0 in, XSS in, EAX to EDX, reserved. No TSC deadline; the hypervisor bit; cpu 0.
    assert_eq!(row(0), [1, 0, 0, 0, 0, 0, 0xA0_0F11, 0x0000_0800, !(1 << 24), 0x178B_FBFF, 0, 0]);
    assert_eq!(row(1), [7, 0, 0, 0, 0, 0, 1, !2, 0, 0x03FF_FFFF, 0, 0]);
    assert_eq!(row(2), [0xD, 0, 1, 0, 0, 0, 7, 0x240, 0x988, 0, 0, 0], "XSAVE's area at reset");
    assert_eq!(row(3), [0xD, 1, 1, 0, 0, 0, 0xF, 0x240, 0, 0, 0, 0]);
    assert_eq!(row(4), [0xD, 2, 0, 0, 0, 0, 0x100, 0x240, 0, 0, 0, 0]);
    assert_eq!(row(5), [0x8000_0008, 0, 0, 0, 0, 0, 0x3030, !(1 << 25), 0, 0, 0, 0]);
    assert!(page[16 + 6 * 48..].iter().all(|byte| *byte == 0));
    // The cpus say the same to KVM.
    let told = &record.of("SET_CPUID2").nth(1).unwrap().bytes;
    assert_eq!((u32_at(told, 8 + 20), u32_at(told, 8 + 16) >> 24), (!(1 << 24), 1));
}

#[test]
fn a_cpuid_page_that_loses_features_is_loaded_at_the_second_try() {
    let correction: Correction = |page| page[16 + 32] = 0;
    let script = Script { cpuid: rows(), correction: Some(correction), ..Script::default() };
    let record = launched(script);
    let page = pages(&record).into_iter().find(|page| page.1 == CPUID_PA).unwrap().2.unwrap();
    assert_eq!(u32_at(&page, 16 + 32), !(1 << 24) & !0xFF);
    let tries = record.of("SEV 101").filter(|call| call.data[24] == 6);
    assert_eq!(tries.map(|call| call.loaded).collect::<Vec<_>>(), [0, 4096]);
}

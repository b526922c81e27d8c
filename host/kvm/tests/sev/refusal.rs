//! Launches that fail: each names its step, what was found and what was expected, and leaves nothing open.

use vial_abi::launch_page::Tee;
use vial_abi::memory::{DMA_PA, Region};
use vial_kvm::{SevError, SevMachine};

use crate::appliance::{SHARED, launch, memory, plan, plan_for, start};
use crate::kernel::under;
use crate::script::{Correction, Record, Script};
use crate::wire::{EXIT_HYPERCALL, GUEST_MEMFD, MEMORY_ATTRIBUTES, USER_MEMORY2, VM_TYPES};

fn refused(script: Script) -> (SevError, Record) {
    let (memory, plan) = (memory(), plan());
    let (started, record) = under(script, || start(&memory, &launch(&plan)).map(drop));
    assert_eq!(record.left, 0, "descriptors left open");
    (started.unwrap_err(), record)
}

#[test]
fn each_missing_capability_is_named_before_anything_is_made() {
    let cases = [
        (VM_TYPES, 0x0F, "KVM_CAP_VM_TYPES: found 0xf, expected bit 4 (KVM_X86_SNP_VM)"),
        (GUEST_MEMFD, 0, "KVM_CAP_GUEST_MEMFD: found 0x0, expected 1"),
        (
            MEMORY_ATTRIBUTES,
            0,
            "KVM_CAP_MEMORY_ATTRIBUTES: found 0x0, expected bit 3 (KVM_MEMORY_ATTRIBUTE_PRIVATE)",
        ),
        (USER_MEMORY2, 0, "KVM_CAP_USER_MEMORY2: found 0x0, expected 1"),
        (
            EXIT_HYPERCALL,
            1 << 11,
            "KVM_CAP_EXIT_HYPERCALL: found 0x800, expected bit 12 (KVM_HC_MAP_GPA_RANGE)",
        ),
        (EXIT_HYPERCALL, -22, "KVM_CAP_EXIT_HYPERCALL: found 0xffffffff, expected bit 12"),
    ];
    for (capability, answer, text) in cases {
        let mut script = Script::default();
        script
            .capabilities
            .iter_mut()
            .filter(|known| known.0 == capability)
            .for_each(|known| known.1 = answer);
        let (error, record) = refused(script);
        assert!(error.to_string().contains(text), "{error}");
        assert!(error.hint().starts_with("use "), "what to do: {}", error.hint());
        assert!(!record.labels().contains(&"CREATE_VM 4"));
    }
}

#[test]
fn each_step_that_the_kernel_refuses_is_named() {
    let cases = [
        ("open /dev/kvm", "/dev/kvm: open: "),
        ("open /dev/sev", "/dev/sev: found "),
        ("CREATE_VM", "create a machine"),
        ("SEV 22", "SEV_INIT2 at 0x0: found "),
        ("ENABLE_CAP", "hear of conversions"),
        ("CREATE_IRQCHIP", "create interrupt controllers"),
        ("SET_GSI_ROUTING", "route interrupts"),
        ("CREATE_GUEST_MEMFD", "make private memory"),
        ("SET_USER_MEMORY_REGION2", "add memory"),
        ("SET_MEMORY_ATTRIBUTES", "make memory private"),
        ("GET_SUPPORTED_CPUID", "read supported features"),
        ("SEV 100", "SNP_LAUNCH_START at 0x0: found "),
        ("CREATE_VCPU 1", "create a cpu"),
        ("SET_CPUID2", "set a cpu's features"),
        ("GET_SREGS", "read registers"),
        ("SET_SREGS", "set registers"),
        ("SET_REGS", "set registers"),
        ("SEV 101", "SNP_LAUNCH_UPDATE at 0x200000: found "),
        ("SEV 102", "SNP_LAUNCH_FINISH at 0x0: found "),
    ];
    for (step, text) in cases {
        let (error, record) = refused(Script { refusal: Some((step, libc::EACCES, 0)), ..Script::default() });
        let error = error.to_string();
        assert!(error.contains(text) && error.contains("Permission denied"), "{step}: {error}");
        assert!(record.labels().last().unwrap().starts_with(step), "{:?}", record.labels());
    }
}

#[test]
fn the_secure_processors_status_is_told() {
    let cases = [
        (
            "SEV 100",
            0x07,
            "SNP_LAUNCH_START",
            "firmware status 0x7 (the host does not fulfil the guest's policy)",
        ),
        ("SEV 101", 0x1A, "SNP_LAUNCH_UPDATE", "firmware status 0x1a (wrong state of a page)"),
        ("SEV 102", 0x0A, "SNP_LAUNCH_FINISH", "firmware status 0xa (bad signature)"),
    ];
    for (step, status, name, text) in cases {
        let (error, _) = refused(Script { refusal: Some((step, libc::EIO, status)), ..Script::default() });
        let error = error.to_string();
        assert!(
            error.starts_with(name) && error.contains(text) && error.ends_with("expected success"),
            "{error}"
        );
    }
}

#[test]
fn an_update_that_never_gets_on_ends() {
    let (error, _) = refused(Script { pages_at_once: 0, ..Script::default() });
    assert_eq!(
        error.to_string(),
        "SNP_LAUNCH_UPDATE at 0x200000: found no progress, expected the kernel to load pages"
    );
    let (error, record) = refused(Script { tries: 5000, ..Script::default() });
    assert!(matches!(error, SevError::Stalled { gpa: 0x20_0000, .. }), "{error}");
    assert_eq!(record.of("SEV 101").count(), 1001);
}

/// What the secure processor makes of a page, and what is told then.
const CORRECTIONS: [(Correction, &str); 5] = [
    (|page| page[16 + 24] |= 0x10, "leaf 0x0.0x0 EAX: found 0xd, expected 0x1d"),
    (|page| page[16] = 1, "leaf 0x0.0x0 EAX in: found 0x0, expected 0x1"),
    (|page| page[16 + 40] = 1, "leaf 0x0.0x0 reserved: found 0x0, expected 0x1"),
    (|page| page[0] = 0, "rows: found 0x1, expected 0x0"),
    (|page| page[4095] = 1, "reserved: found 0x0, expected 0x1000000"),
];

#[test]
fn a_cpuid_page_that_gains_anything_is_refused() {
    for (correction, text) in CORRECTIONS {
        let (error, record) = refused(Script { correction: Some(correction), ..Script::default() });
        assert!(error.to_string().contains(text), "{error}");
        assert_eq!(record.of("SEV 101").filter(|call| call.data[24] == 6).count(), 1);
    }
}

#[test]
fn more_features_than_the_page_has_rows_are_refused() {
    let cpuid = (0..65).map(|leaf| [leaf, 0, 0, 1, 0, 0, 0]).collect();
    let (error, _) = refused(Script { cpuid, ..Script::default() });
    assert_eq!(error.to_string(), "CPUID page: found 65 rows, expected at most 64");
}

#[test]
fn a_plan_that_lies_in_shared_memory_is_refused_before_the_launch() {
    let (memory, plan) = (memory(), plan());
    for shared in [Region { pa: 0x30_0000, len: 4096 }, Region { pa: 0, len: DMA_PA }] {
        let (started, record) = under(Script::default(), || {
            let machine = SevMachine::new(&memory, &[SHARED[0], shared])?;
            machine.launch(&launch(&plan)).map(drop)
        });
        let error = started.unwrap_err();
        assert!(matches!(error, SevError::Place { gpa: 0x20_0000..=0x20_3000, .. }), "{error}");
        assert!(!record.labels().contains(&"SEV 100"));
        assert_eq!(record.left, 0);
    }
}

#[test]
fn a_launch_page_with_another_c_bit_or_tee_is_refused_before_the_launch() {
    let of = |c_bit: u32| Script {
        cpuid: vec![[0x8000_001F, 0, 0, 0x1A, 0x1000 | c_bit, 0, 0]],
        ..Script::default()
    };
    let (error, record) = refused(of(47));
    assert_eq!(error.to_string(), "launch page: found C-bit 51, expected 47, which is this processor's");
    assert!(!record.labels().contains(&"SEV 100"));
    let memory = memory();
    let plan = plan_for(Tee::SimulatedSnp { c_bit: 51 });
    let (started, record) = under(of(51), || start(&memory, &launch(&plan)).map(drop));
    let error = started.unwrap_err().to_string();
    assert!(
        error.contains("found one of the TEE SimulatedSnp") && error.contains("expected one of SEV-SNP"),
        "{error}"
    );
    assert!(!record.labels().contains(&"SEV 100") && record.left == 0);
}

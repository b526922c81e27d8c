//! How a guest stops: pages that change sides, accesses on the wrong one, and ends.

use std::os::unix::fs::FileExt as _;
use vial_abi::memory::{DMA_PA, LAUNCH_PAGE_PA};
use vial_kvm::Exit;
use vm_memory::{Bytes as _, GuestAddress};

use crate::appliance::{launch, memory, plan, start};
use crate::kernel::under;
use crate::script::{Record, Script};
use crate::wire::u64_at;

const HYPERCALL: u32 = 3;
const SHUTDOWN: u32 = 8;
const SYSTEM_EVENT: u32 = 24;
const MEMORY_FAULT: u32 = 39;

type Stop = (u32, Vec<u8>, i32);

/// `struct kvm_run`'s hypercall: number, six arguments.
fn hypercall(number: u64, gpa: u64, pages: u64, attributes: u64) -> Stop {
    let words = [number, gpa, pages, attributes, 0, 0, 0, 77];
    (HYPERCALL, words.map(u64::to_le_bytes).concat(), 0)
}

fn words(reason: u32, words: &[u64], errno: i32) -> Stop {
    (reason, words.iter().flat_map(|word| word.to_le_bytes()).collect(), errno)
}

/// Runs a guest until it cannot go on; why, and what it was answered.
fn run(stops: Vec<Stop>) -> (String, Vec<String>, Record) {
    let (memory, plan) = (memory(), plan());
    memory.write_obj(7_u64, GuestAddress(DMA_PA)).unwrap();
    let (count, exits) = (stops.len(), stops.into());
    let (why, record) = under(Script { exits, ..Script::default() }, || {
        let (_machine, mut cpus) = start(&memory, &launch(&plan)).unwrap();
        (0..count).find_map(|_| match cpus[0].run().unwrap() {
            Exit::Broken(why) => Some(why),
            _ => None,
        })
    });
    assert_eq!(record.left, 0);
    let runs = record.labels().into_iter().filter_map(|label| label.strip_prefix("RUN "));
    // The first answer is what memory was before.
    let answers = runs.skip(1).map(str::to_owned).collect();
    assert!(record.of("SEV 102").count() == 1);
    let shared = memory.read_obj::<u64>(GuestAddress(DMA_PA)).unwrap();
    (format!("{} shared={shared}", why.unwrap_or_default()), answers, record)
}

/// Attributes that were set after the launch: address, size, attributes.
fn given(record: &Record) -> Vec<[u64; 3]> {
    let all = record.of("SET_MEMORY_ATTRIBUTES").skip(3);
    all.map(|call| [0, 8, 16].map(|at| u64_at(&call.bytes, at))).collect()
}

#[test]
fn a_page_that_becomes_shared_loses_what_was_private() {
    let (why, answers, record) = run(vec![hypercall(12, LAUNCH_PAGE_PA, 1, 0), (SHUTDOWN, Vec::new(), 0)]);
    assert_eq!((why.as_str(), answers), ("triple fault shared=7", vec!["0".to_owned()]));
    assert_eq!(given(&record), [[LAUNCH_PAGE_PA, 4096, 0]]);
    let mut head = [1; 8];
    record.private[0].read_exact_at(&mut head, LAUNCH_PAGE_PA).unwrap();
    assert_eq!(head, [0; 8], "the hole");
    record.private[0].read_exact_at(&mut head, 0x20_0000).unwrap();
    assert_ne!(head, [0; 8], "what lies elsewhere stays");
}

#[test]
fn a_page_that_becomes_private_loses_what_was_shared() {
    // Encrypted, a hint of large pages.
    let (why, answers, record) = run(vec![hypercall(12, DMA_PA, 512, 1 << 4 | 1), (SHUTDOWN, Vec::new(), 0)]);
    assert_eq!((why.as_str(), answers), ("triple fault shared=0", vec!["0".to_owned()]));
    assert_eq!(given(&record), [[DMA_PA, 2 << 20, 8]]);
    let mut head = [0; 8];
    record.private[0].read_exact_at(&mut head, LAUNCH_PAGE_PA).unwrap();
    assert_eq!(head, *b"VIALLNCH");
}

#[test]
fn what_is_no_memory_is_not_converted() {
    let hostile = [
        (DMA_PA + 1, 1, 0),
        (DMA_PA, 0, 0),
        (DMA_PA, u64::MAX, 0),
        (DMA_PA, 1 << 52, 0),
        (u64::MAX - 4095, 1, 0),
        // Out of a run, into the hole for devices, over it, behind memory.
        ((3 << 30) - 4096, 2, 0),
        (3 << 30, 1, 0),
        (0, (5 << 30) / 4096, 16),
        (5 << 30, 1, 16),
        // Attributes that nobody knows.
        (DMA_PA, 1, 32),
    ];
    let mut stops: Vec<_> =
        hostile.map(|(gpa, pages, attributes)| hypercall(12, gpa, pages, attributes)).to_vec();
    stops.push(hypercall(11, DMA_PA, 1, 0));
    stops.push((SHUTDOWN, Vec::new(), 0));
    let (why, answers, record) = run(stops);
    assert_eq!(why, "triple fault shared=7");
    assert_eq!(answers[..10], ["-22"; 10]);
    assert_eq!(answers[10..], ["-1000"], "another hypercall");
    assert_eq!(given(&record), [[0; 3]; 0]);
}

#[test]
fn a_conversion_that_the_kernel_refuses_is_the_guests_to_handle() {
    let (memory, plan) = (memory(), plan());
    let exits = vec![hypercall(12, DMA_PA, 1, 16), (SHUTDOWN, Vec::new(), 0)];
    let mut script = Script { exits: exits.into(), ..Script::default() };
    script.refusal_after = Some(("SET_MEMORY_ATTRIBUTES", 3, libc::ENOMEM));
    let ((), record) = under(script, || {
        let (_machine, mut cpus) = start(&memory, &launch(&plan)).unwrap();
        assert!(matches!(cpus[0].run(), Ok(Exit::Nothing)));
        assert!(matches!(cpus[0].run(), Ok(Exit::Broken(_))));
    });
    assert_eq!(record.labels().last(), Some(&"RUN -22"));
}

#[test]
fn an_access_on_the_wrong_side_ends_the_guest() {
    for (flags, text) in [(8, "4096 private bytes at 0x1800000, which are shared"), (0, "4096 shared bytes")]
    {
        let (why, _, record) = run(vec![words(MEMORY_FAULT, &[flags, DMA_PA, 4096], libc::EFAULT)]);
        assert!(why.contains(text) && why.contains("expected the guest to ask first"), "{why}");
        assert_eq!(given(&record), [[0; 3]; 0], "nothing is converted on the way");
    }
}

#[test]
fn a_guest_that_ends_itself_says_why() {
    let cases = [
        (0x0000_0100, "reason 0x0 of set 0 (unspecified)"),
        (0x0002_0100, "a feature of SEV-SNP is missing"),
    ];
    for (register, text) in cases.into_iter().chain([(0x0042_7100, "reason 0x42 of set 7 (the guest's own)")])
    {
        let head = 6 | 1 << 32;
        let (why, ..) = run(vec![words(SYSTEM_EVENT, &[head, register], 0)]);
        assert!(why.contains("the guest ended itself") && why.contains(text), "{why}");
    }
}

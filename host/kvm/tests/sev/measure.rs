//! What the secure processor measures of recorded calls, by its specification and by what KVM makes of registers.

use sha2::{Digest as _, Sha384};
use vial_launch::{Chain, LaunchDigest};

use crate::script::{Call, Record};
use crate::wire::{u16_at, u32_at, u64_at};

const PAGE: usize = 4096;

/// One page that was loaded: type, address, contents.
pub(crate) type Loaded = (u8, u64, Option<Vec<u8>>);

/// Every page in the order of loading.
pub(crate) fn pages(record: &Record) -> Vec<Loaded> {
    record.of("SEV 101").flat_map(of_update).collect()
}

/// Pages that an update loaded, which are no more than it brought.
fn of_update(call: &Call) -> Vec<Loaded> {
    let (gpa, kind) = (u64_at(&call.data, 0) * PAGE as u64, call.data[24]);
    let places = (gpa..gpa + call.loaded).step_by(PAGE);
    let mut contents = call.contents.first().map(Vec::as_slice).unwrap_or_default().chunks(PAGE);
    places.map(|gpa| (kind, gpa, contents.next().map(<[u8]>::to_vec))).collect()
}

/// Register pages of the cpus in the order of their making.
pub(crate) fn registers(record: &Record) -> Vec<[u8; PAGE]> {
    let special = record.of("SET_SREGS").map(|call| &call.bytes);
    special.zip(record.of("SET_REGS")).map(|(special, general)| vmsa(special, &general.bytes)).collect()
}

/// The digest, by crate `vial-launch`'s chain.
pub(crate) fn by_chain(pages: &[Loaded], registers: &[[u8; PAGE]]) -> LaunchDigest {
    let loaded = pages.iter().fold(Chain::default(), |chain, (kind, gpa, contents)| match (kind, contents) {
        (1, Some(page)) => chain.normal(*gpa, page),
        (3, _) => chain.zero(*gpa, 4096),
        (5, _) => chain.secrets(*gpa, 4096),
        (6, _) => chain.cpuid(*gpa, 4096),
        other => panic!("found {other:?}"),
    });
    registers.iter().fold(loaded, Chain::vmsa).digest()
}

/// The same by hand. Spec: AMD 56860 rev 1.58 §8.17.2, PAGE_INFO.
pub(crate) fn by_hand(pages: &[Loaded], registers: &[[u8; PAGE]]) -> LaunchDigest {
    let step = |digest: LaunchDigest, kind: u8, gpa: u64, contents: [u8; 48]| -> LaunchDigest {
        let info = [&digest[..], &contents, &[0x70, 0, kind, 0, 0, 0, 0, 0], &gpa.to_le_bytes()].concat();
        Sha384::digest(info).into()
    };
    let loaded = pages.iter().fold([0; 48], |digest, (kind, gpa, contents)| {
        let is_measured = *kind == 1;
        let of_contents = contents.as_ref().filter(|_| is_measured);
        step(digest, *kind, *gpa, of_contents.map_or([0; 48], |page| Sha384::digest(page).into()))
    });
    registers
        .iter()
        .fold(loaded, |digest, page| step(digest, 2, 0xFFFF_FFFF_F000, Sha384::digest(page).into()))
}

/// `struct kvm_sregs` and `struct kvm_regs` as KVM puts them into the page that is measured. Source: Linux,
/// arch/x86/kvm/svm/sev.c, `sev_es_sync_vmsa`; svm.c, `svm_set_segment`; offsets: AMD APM vol. 2 (24593), table B-4.
fn vmsa(special: &[u8], general: &[u8]) -> [u8; PAGE] {
    let mut page = [0; PAGE];
    let mut put = |at: usize, bytes: &[u8]| page[at..at + bytes.len()].copy_from_slice(bytes);
    // CS DS ES FS GS SS TR LDT
    for (from, to) in (0..192).step_by(24).zip([0x10, 0x30, 0x00, 0x40, 0x50, 0x20, 0x90, 0x70]) {
        put(to, &segment(&special[from..from + 24]));
    }
    for (from, to) in [(192, 0x60), (208, 0x80)] {
        put(to + 4, &u32::from(u16_at(special, from + 8)).to_le_bytes());
        put(to + 8, &special[from..from + 8]);
    }
    // CR0 with ET, CR2, CR3, CR4 with MCE, EFER with SVME
    let controls =
        [(0x158, 224, 1 << 4), (0x240, 232, 0), (0x150, 240, 0), (0x148, 248, 1 << 6), (0xD0, 264, 1 << 12)];
    for (to, from, always) in controls {
        put(to, &(u64_at(special, from) | always).to_le_bytes());
    }
    // RAX RBX RCX RDX RSI RDI RSP RBP R8… R15 RIP RFLAGS
    let first = [0x1F8, 0x318, 0x308, 0x310, 0x330, 0x338, 0x1D8, 0x328];
    let places = first.into_iter().chain((0x340..0x380).step_by(8)).chain([0x178, 0x170]);
    for (from, to) in (0..).step_by(8).zip(places) {
        put(to, &general[from..from + 8]);
    }
    // DR7, DR6, PAT, SEV_FEATURES, XCR0 and the state of x87 and SSE, which nobody has changed since reset
    let reset =
        [(0x160, 0x400), (0x168, 0xFFFF_0FF0), (0x268, 0x0007_0406_0007_0406), (0x3B0, 1), (0x3E8, 1)];
    for (at, value) in reset {
        put(at, &u64::to_le_bytes(value));
    }
    put(0x408, &0x1F80_u32.to_le_bytes());
    put(0x410, &0x37F_u16.to_le_bytes());
    page
}

/// `struct kvm_segment`: base, limit, selector, then a byte each for type, present, DPL, DB, S, L, G, AVL, unusable.
fn segment(from: &[u8]) -> [u8; 16] {
    let bit = |at: usize| u16::from(from[at]);
    let present = bit(15) & !bit(22);
    let attributes = bit(14) | bit(18) << 4 | bit(16) << 5 | present << 7;
    let attributes = attributes | bit(21) << 8 | bit(19) << 9 | bit(17) << 10 | bit(20) << 11;
    let mut out = [0; 16];
    out[..2].copy_from_slice(&from[12..14]);
    out[2..4].copy_from_slice(&attributes.to_le_bytes());
    out[4..8].copy_from_slice(&u32_at(from, 8).to_le_bytes());
    out[8..].copy_from_slice(&from[..8]);
    out
}

//! A cpu's start state as the VMSA page that SEV-SNP measures.
//!
//! Spec: AMD APM vol. 2 (24593) rev 3.42, appendix B, table B-4 (offsets).

use crate::start::{Segment, StartState};

/// Guest features: SEV-SNP active (bit 0). Spec: APM vol. 2 §15.34.10, SEV_FEATURES.
const SEV_FEATURES_SNP: u64 = 1;
/// EFER.SVME, which hardware requires to be set in a VMSA. Spec: APM vol. 2 §15.5.1.
const EFER_SVME: u64 = 1 << 12;
/// CR4.MCE, as every hypervisor of the field starts a guest with.
const CR4_MCE: u64 = 1 << 6;
/// Reset value of the page attribute table.
const PAT: u64 = 0x0007_0406_0007_0406;

/// Offsets of ES, CS, SS, DS, FS, GS, TR.
const CODE: usize = 0x10;
const DATA: [usize; 5] = [0x00, 0x20, 0x30, 0x40, 0x50];
const TASK: usize = 0x90;

/// The VMSA page for one cpu.
pub(crate) fn page(start: &StartState) -> [u8; 4096] {
    let mut page = [0; 4096];
    segment(&mut page, CODE, &start.code);
    for at in DATA {
        segment(&mut page, at, &start.data);
    }
    segment(&mut page, TASK, &start.task);
    let fields: [(usize, u64); 11] = [
        (0x0D0, EFER_SVME),
        (0x148, CR4_MCE),
        (0x158, start.cr0),
        (0x160, 0x400),
        (0x168, 0xFFFF_0FF0),
        (0x170, start.rflags),
        (0x178, start.rip),
        (0x268, PAT),
        (0x3B0, SEV_FEATURES_SNP),
        (0x3E8, 1),
        (0x408, 0x1F80),
    ];
    for (at, value) in fields {
        put(&mut page, at, &value.to_le_bytes());
    }
    put(&mut page, 0x410, &0x37F_u16.to_le_bytes());
    page
}

pub(crate) fn segment(page: &mut [u8; 4096], at: usize, segment: &Segment) {
    put(page, at, &segment.selector.to_le_bytes());
    put(page, at.saturating_add(2), &segment.attributes.to_le_bytes());
    put(page, at.saturating_add(4), &segment.limit.to_le_bytes());
    put(page, at.saturating_add(8), &segment.base.to_le_bytes());
}

pub(crate) fn put(page: &mut [u8; 4096], at: usize, bytes: &[u8]) {
    if let Some(to) = page.get_mut(at..at.saturating_add(bytes.len())) {
        to.copy_from_slice(bytes);
    }
}

//! What is said through the register alone, before there is a page to say it in. Spec: AMD 56421 rev 2.03 §2.3.1.

use vial_abi::memory::PAGE;

use crate::processor::{Processor, Refusal};

const INFO: u64 = 0x001;
const ASK_INFO: u64 = 0x002;
const ASK_REGISTRATION: u64 = 0x012;
const REGISTRATION: u64 = 0x013;
const ASK_PAGE_STATE: u64 = 0x014;
const PAGE_STATE: u64 = 0x015;
const ASK_FEATURES: u64 = 0x080;
const FEATURES: u64 = 0x081;
const TERMINATE: u64 = 0x100;
/// The version spoken here, the first with SEV-SNP.
pub const VERSION: u16 = 2;
const FEATURE_SNP: u64 = 1 << 12;
const SHARED: u64 = 2 << 52;
/// Set of reasons of this guest: the specification's own is 0.
const REASONS: u64 = 1 << 12;

/// Agrees on the version, and that encrypted memory has this C-bit.
///
/// # Errors
/// [`Refusal::Protocol`].
pub fn negotiate(on: &mut impl Processor, c_bit: u8) -> Result<(), Refusal> {
    let [kind, bit, least, most] = parts(ask(on, ASK_INFO));
    let speaks = (least..=most).contains(&VERSION.into()) && kind == INFO && bit == c_bit.into();
    let features = ask(on, ASK_FEATURES);
    let has_snp = features & 0xFFF == FEATURES && features & FEATURE_SNP != 0;
    if speaks && has_snp { Ok(()) } else { Err(Refusal::Protocol) }
}

/// Code, C-bit, least and highest version.
fn parts(answer: u64) -> [u64; 4] {
    [answer & 0xFFF, answer >> 24 & 0xFF, answer >> 32 & 0xFFFF, answer >> 48]
}

/// Has the host take the small page at `pa` as shared.
///
/// # Errors
/// [`Refusal::Host`].
pub fn share(on: &mut impl Processor, pa: u64) -> Result<(), Refusal> {
    let answer = ask(on, ASK_PAGE_STATE | page(pa) | SHARED);
    if answer == PAGE_STATE { Ok(()) } else { Err(Refusal::Host) }
}

/// Tells the host that this cpu's GHCB is at `pa`, and leaves the register so.
///
/// # Errors
/// [`Refusal::Host`].
pub fn register(on: &mut impl Processor, pa: u64) -> Result<(), Refusal> {
    let answer = ask(on, ASK_REGISTRATION | page(pa));
    on.set_register(page(pa));
    if answer == REGISTRATION | page(pa) { Ok(()) } else { Err(Refusal::Host) }
}

/// Asks the host to end the guest for a reason of ours; a host that does not is left alone by whoever called.
pub fn terminate(on: &mut impl Processor, reason: u8) {
    on.set_register(TERMINATE | REASONS | u64::from(reason) << 16);
    on.exit();
}

fn ask(on: &mut impl Processor, request: u64) -> u64 {
    on.set_register(request);
    on.exit();
    on.register()
}

const fn page(pa: u64) -> u64 {
    pa & !(PAGE - 1)
}

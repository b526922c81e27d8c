//! Memory that the host adds, and what it may try with it.

use vial_abi::memory::{LARGE_PAGE, PAGE, Region};
use vial_tdx::accept::{AcceptError, accept};
use vial_tdx::status::Refusal;

use crate::{OPERANDS, domain};

const FROM: u64 = 0x4000_0000;

#[test]
fn memory_is_accepted_by_large_pages_where_it_can_and_is_zero() {
    let (mut module, _page) = domain();
    let region = Region { pa: FROM - PAGE, len: PAGE + 2 * LARGE_PAGE + 3 * PAGE };
    module.augment(FROM - PAGE, PAGE, false);
    module.augment(FROM, LARGE_PAGE, true);
    module.augment(FROM + LARGE_PAGE, LARGE_PAGE + 3 * PAGE, false);
    accept(&mut module, region).unwrap();
    // A small page, a large one, one that the host split (a try and 512), three small ones.
    assert_eq!(module.called.len(), 1 + 1 + 1 + 512 + 3);
    for gpa in (region.pa..region.pa + region.len).step_by(4096) {
        assert_eq!(module.accepted(gpa), Some([0; 4096]), "{gpa:#x}");
    }
}

#[test]
fn memory_that_is_accepted_already_is_refused_by_its_page() {
    let (mut module, _page) = domain();
    let already = |gpa: u64| Err(AcceptError { gpa, refusal: Refusal::AlreadyAccepted });
    module.augment(FROM, LARGE_PAGE, true);
    let large = Region { pa: FROM, len: LARGE_PAGE };
    accept(&mut module, large).unwrap();
    assert_eq!(accept(&mut module, large), already(FROM), "a large page");
    assert_eq!(
        accept(&mut module, Region { pa: FROM + PAGE, len: PAGE }),
        already(FROM + PAGE),
        "a part of it"
    );
    assert_eq!(accept(&mut module, Region { pa: OPERANDS, len: PAGE }), already(OPERANDS), "what was loaded");
    // The host splits a range and puts a page there that was accepted before.
    module.augment(2 * FROM, LARGE_PAGE, false);
    accept(&mut module, Region { pa: 2 * FROM + 5 * PAGE, len: PAGE }).unwrap();
    let split = Region { pa: 2 * FROM, len: LARGE_PAGE };
    assert_eq!(accept(&mut module, split), already(2 * FROM + 5 * PAGE));
}

#[test]
fn memory_that_is_not_there_shared_or_cut_is_refused() {
    let (mut module, _page) = domain();
    let refusal = |module: &mut _, pa, len| accept(module, Region { pa, len }).unwrap_err().refusal;
    assert!(matches!(refusal(&mut module, FROM, PAGE), Refusal::Unknown(_)), "never added");
    assert_eq!(refusal(&mut module, 1 << 51 | FROM, PAGE), Refusal::Operand(1), "shared");
    let called = module.called.len();
    for (pa, len) in [(FROM + 1, PAGE), (FROM, PAGE + 1), (FROM, 1), (u64::MAX - 4095, 2 * PAGE)] {
        assert_eq!(refusal(&mut module, pa, len), Refusal::Operand(1), "{pa:#x} {len:#x}");
    }
    assert_eq!(module.called.len(), called, "the module is not asked");
}

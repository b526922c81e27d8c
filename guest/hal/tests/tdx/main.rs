//! The guest's half of TDX against a module in software: each exchange, and what is refused of it.
#![expect(clippy::tests_outside_test_module, reason = "an integration test is one")]
#![expect(clippy::unwrap_used, reason = "a test")]
#![expect(clippy::cast_possible_truncation, reason = "offsets within a page")]

mod accepting;
mod calls;
mod memory;
mod module;
mod quotes;
mod registers;
mod tdreport;

use std::rc::Rc;

use memory::{Memory, Page};
use module::Module;

/// A page of the guest's that holds operands.
const OPERANDS: u64 = 0x40_0000;

/// A domain of one measured page that runs, and that page.
fn domain() -> (Module, Page) {
    let memory = Rc::new(Memory::default().into());
    let mut module = Module::create(&memory);
    module.page_add(OPERANDS, [0; 4096]);
    (0..16).for_each(|chunk| module.mr_extend(OPERANDS + 256 * chunk));
    module.finalize();
    (module, Page(memory, OPERANDS))
}

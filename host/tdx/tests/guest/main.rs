//! The guest's side, `vial-tdx`, against the module and the host that are played here: each exchange, and what is refused of it.
#![expect(clippy::tests_outside_test_module, reason = "an integration test is one")]
#![expect(clippy::unwrap_used, reason = "a test")]
#![expect(clippy::cast_possible_truncation, reason = "offsets within a page")]

mod accepting;
mod calls;
mod hosting;
mod memory;
mod quotes;
mod registers;
mod seat;
mod tables;

use std::rc::Rc;

use memory::{Common, Memory, Page};
use seat::Module;
use vial_simulated_tdx::Builder;

/// A page of the guest's that holds operands.
const OPERANDS: u64 = 0x40_0000;

/// A domain of one measured page that runs, and that page.
fn domain() -> (Module, Page) {
    let memory: Common = Rc::new(Memory::default().into());
    let mut builder = Builder::new(1 << 32);
    builder.add(&mut *memory.borrow_mut(), OPERANDS, &[0; 4096]).unwrap();
    (Module::new(builder, &memory), Page(memory, OPERANDS))
}

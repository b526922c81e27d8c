//! Ring-3 runtime of the boot program and the engine: calls, allocator, executor, virtio drivers.
//!
//! A program names its main function with [`program!`]; it gets one [`Memory`], from which everything else is
//! made. The library also builds on the host, where its tests run; only `freestanding` adds the program's entry.
//!
//! Trust: ring 0 is trusted. Devices are not: what they write lies in the DMA window, is reached by raw copies
//! only, and every index and length they give is checked. Freed memory is wiped before it is used again.
#![no_std]

extern crate alloc;

mod bytes;
pub mod clock;
pub mod console;
pub mod cpus;
pub mod dma;
mod entry;
pub mod executor;
pub mod heap;
pub mod memory;
pub mod random;
pub mod syscall;
pub mod vector;
pub mod virtio;
mod width;

#[doc(hidden)]
pub use entry::panicked;
pub use heap::Heap;
pub use memory::Memory;

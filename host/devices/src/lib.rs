//! Device models of the VMM: virtio-mmio transport, block, net, rng, and the user-mode network.
//!
//! Pure: no file, socket, clock or thread; those come in as arguments ([`block::Backend`], frames, times).
//! Trust: everything the guest writes is hostile. Rings are walked by `virtio-queue`, which bounds chains; lengths and
//! directions are checked here.
#![forbid(unsafe_code)]

pub mod block;
pub mod mmio;
pub mod net;
pub mod network;
#[cfg(test)]
mod rings;
pub mod rng;

pub use mmio::{Lane, Lanes, Transport};

/// Guest memory.
pub type Memory = vm_memory::GuestMemoryMmap<()>;

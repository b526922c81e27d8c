//! The unsafe rim over KVM and guest memory: everything above is safe code.
//!
//! Trust: guest memory is written by the guest at any time; it is reached through `vm-memory`'s volatile accesses only.

mod board;
mod cpu;
mod feature;
mod file;
mod machine;
mod memory;
mod sev;

pub use board::Board;
pub use cpu::{Cpu, Exit};
pub use file::read_volatile_at;
pub use machine::{CpuidLeaf, KvmError, Machine};
pub use memory::{Memory, allocate, discard, parts, populate};
pub use sev::{IdBlock, Identity, IdentityError, Launch, OwnerKey, Policy, SevError, SevMachine};

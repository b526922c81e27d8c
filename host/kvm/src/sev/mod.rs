//! Machines of AMD SEV-SNP: memory and registers that this process cannot read, loaded and measured by the secure processor.
//!
//! [`SevMachine::new`] makes a machine with private memory, [`SevMachine::launch`] loads it and seals it; what comes of it are
//! cpus that run as any other. Trust: host, kernel and this process decide whether a guest runs, never what it computes on.
//! From the guest come page conversions only: addresses and lengths are hostile, and checked against the machine's memory.
//!
//! The commands go through `kvm-ioctls` with `kvm-bindings`' structures. Spec: Linux,
//! Documentation/virt/kvm/x86/amd-memory-encryption.rst; AMD SEV-SNP firmware ABI (56860) rev 1.58.

mod command;
mod convert;
mod cpuid;
mod error;
mod firmware;
mod host;
mod identity;
mod launch;
mod machine;
mod memory;
mod pages;
mod policy;

pub(crate) use convert::{Ended, answer};
pub use error::SevError;
pub use identity::{IdBlock, Identity, IdentityError, OwnerKey};
pub use launch::Launch;
pub use machine::SevMachine;
pub(crate) use memory::PrivateMemory;
pub use policy::Policy;

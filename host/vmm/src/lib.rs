//! The VMM: builds a machine by the load plan, runs it, and tells what happens in [`Event`]s.
//!
//! [`Vmm::start`] returns when the machine runs and the process has given up what it no longer needs ([`seccomp`]).
//! Threads: one a cpu, one for memory, one for the network, a few for the disk. The process ends with its machine.
#![forbid(unsafe_code)]

mod bus;
mod console;
mod cpu;
mod disk;
mod doors;
mod elf;
mod event;
mod folder;
mod forward;
mod net;
mod played;
mod qemu;
mod rng;
mod seccomp;
mod sev;
mod snp;
mod start;
mod tdx;
mod tee;

pub use disk::FileDisk;
pub use event::{Ended, Event};
pub use qemu::QemuConfig;
pub use sev::SnpConfig;
pub use snp::Played;
pub use start::{Config, StartError, Vmm};
pub use tdx::PlayedDomain;
pub use tee::ReportDevice;
pub use vial_kvm::{IdBlock, Identity, OwnerKey, Policy};

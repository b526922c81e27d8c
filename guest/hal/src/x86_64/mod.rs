//! The real machine: every unsafe operation of ring 0.
#![expect(unsafe_code, reason = "ring 0 drives the processor and reads and writes physical memory")]
#![expect(
    clippy::cast_possible_truncation,
    reason = "addresses are 64 bits wide here, and halves of registers are taken on purpose"
)]

mod apic;
mod boot;
mod cpus;
mod doorbell;
#[cfg(target_os = "none")]
mod entry;
mod instructions;
mod kvm_clock;
mod lock;
mod machine;
mod secure;
mod segments;
mod snp;
mod tables;
mod tdx;
mod traps;
mod user;

pub use apic::{IoApic, LocalApic};
pub use boot::{STACK_BYTES, handoff_page, launch_head, patch_entry};
pub use cpus::{Starting, prepare_interrupts, prepare_vectors, write_trampoline};
pub use instructions::Ring0;
pub use kvm_clock::kvm_time;
pub use lock::{Lock, Once};
pub use machine::{Hardware, exit, panicked};
pub use secure::Secure;
pub use segments::{Stacks, load as load_segments};
pub use snp::{Guest, Seat as SnpSeat};
pub use tables::{TablePool, switch_to};
pub use tdx::{Domain, Seat as TdxSeat};
pub use user::{Start, enter, jump_to_kernel};

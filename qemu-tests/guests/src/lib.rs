//! Ring-3 programs that test ring 0 from below: as boot program on firmware, as engine on the kernel.
//!
//! The first byte of the launch page's manifest digest chooses the case, so one image serves all of them; the
//! exit code says how it ended. `cargo xtask self-test` runs the table under QEMU and KVM.
#![no_std]

pub mod case;
#[cfg(any(feature = "boot", feature = "freestanding"))]
pub mod entry;

//! Ring-0 hardware access: paging, traps, interrupts, report transports.
//!
//! Two halves. The decisions are pure and tested on the host: page-table entries and runs ([`page`],
//! [`space`]), the user-range check ([`range`]), call decoding ([`request`]), what `cpuid` offers
//! ([`features`]), clocks ([`clock`]). The devices are small traits ([`platform`]) with logic over them
//! ([`serial`], [`tee`], [`apic`]) and recording doubles (feature `fake`). All unsafe of ring 0 is in `x86_64`.
//!
//! Trust: ring 3, devices and the VMM's values (clock, `cpuid`) are on the other side.
//! Invariant: ring 0 uses integer registers only; on some hosts it is emulated, so it touches no bulk memory.
#![no_std]

pub mod apic;
pub mod clock;
#[cfg(any(test, feature = "fake"))]
pub mod fake;
pub mod features;
pub mod page;
pub mod platform;
pub mod range;
pub mod request;
pub mod serial;
pub mod space;
pub mod tee;
pub mod trap;
pub mod x86_64;

//! The appliance's kernel: policy on top of hal.
//!
//! Ring 0 of the running appliance. It builds the address space, starts cpus, waits, prints, and asks the TEE for
//! reports whose data it composes itself. Everything that parses bytes from outside runs in ring 3, in the
//! engine. The library half is pure and tested on the host.
//!
//! Trust: the engine is on the other side; every address it gives is checked against its own memory.
#![no_std]
#![forbid(unsafe_code)]

pub mod layout;
pub mod report;
mod secure;
pub mod service;
pub mod spans;

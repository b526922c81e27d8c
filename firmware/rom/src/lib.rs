//! Firmware's ring-0 part: PVH entry and the calls the boot program makes.
//!
//! The first code of the appliance, part of the launch measurement. It switches to long mode, drops to ring 3
//! where the boot program does all the work, and serves its few calls. The library half is tested on the host.
//!
//! Trust: the boot program is measured with it, so its pointers are checked against mistakes, not attacks.
#![no_std]
#![forbid(unsafe_code)]

pub mod service;
pub mod tables;

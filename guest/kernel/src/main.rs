//! The kernel's program.
#![no_std]
#![no_main]

mod entry;

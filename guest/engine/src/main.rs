//! The engine's program.
#![no_std]
#![no_main]

extern crate alloc;

mod entry;

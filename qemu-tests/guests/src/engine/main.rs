//! Stands in for the engine: tests the kernel.
#![no_std]
#![no_main]

mod entry;

//! Stands in for the boot program: tests firmware, or loads kernel and test engine.
#![no_std]
#![no_main]

mod entry;
mod load;

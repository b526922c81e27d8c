//! Firmware's ring-0 program.
#![no_std]
#![no_main]

mod claim;
mod entry;

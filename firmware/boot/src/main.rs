//! The boot program of the firmware: joins boot logic with ring 0 and the disk.
#![no_std]
#![no_main]

extern crate alloc;

mod entry;

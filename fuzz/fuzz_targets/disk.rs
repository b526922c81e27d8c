//! Partition tables of disks.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    let mut disk = data;
    let _any = vial_weights::gpt::find(&mut disk);
});

//! Policies that people write, and times.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    let text = String::from_utf8_lossy(data);
    let _any = vial_attest::seconds(&text);
    let Ok(file) = vial_attest::PolicyFile::parse(&text) else { return };
    let Ok(policy) = file.complete() else { return };
    for field in vial_attest::policy::FIELDS {
        assert!(policy.rule(field.name).is_some(), "{} is stated", field.name);
    }
});

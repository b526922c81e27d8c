//! The page of what CPUID may say, which the secure processor checks, and a host without one does not.
#![no_main]

use vial_snp::cpuid::CpuidPage;

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    let mut page = [0; 4096];
    page.iter_mut().zip(data).for_each(|(to, from)| *to = *from);
    for c_bit in [0, 47, 51, u8::MAX] {
        let Ok(found) = CpuidPage::new(&page, c_bit) else { continue };
        assert!(page[0] <= 64 && c_bit < 64, "too many entries, or no place in an address");
        let (asked, _) = page[16..].as_chunks::<48>();
        for entry in asked {
            let [leaf, subleaf] = [0, 4].map(|at| u32::from_le_bytes(*entry[at..].first_chunk().unwrap()));
            let _any = [found.leaf(leaf, subleaf), found.leaf(leaf, !subleaf), found.leaf(!leaf, subleaf)];
        }
    }
});

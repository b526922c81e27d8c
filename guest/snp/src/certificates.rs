//! The certificates that a host adds to a report: a table, then their bytes. Spec: AMD 56421 rev 2.03 §4.1.8.1.

/// GUIDs in the order in which they are printed, which is how hosts write them: the chip's key,
/// 63da758d-e664-4564-adc5-f4b93be8accd, and the provider's, a8074bc2-a25a-483e-aae6-39c045a0b8a1.
const REPORT_KEYS: [u128; 2] =
    [0x63DA_758D_E664_4564_ADC5_F4B9_3BE8_ACCD, 0xA807_4BC2_A25A_483E_AAE6_39C0_45A0_B8A1];
const ENTRY_BYTES: usize = 24;

/// The certificate (DER) of the key that signed the report, VCEK or VLEK; nothing where the table, which is the host's, has none
/// or leads out of it. Those above it are pinned by verifiers.
#[must_use]
pub fn report_key(table: &[u8]) -> &[u8] {
    let (entries, _) = table.as_chunks::<ENTRY_BYTES>();
    let mut entries = entries.iter().take_while(|entry| entry.iter().any(|&byte| byte != 0));
    entries.find_map(|entry| certificate(table, entry)).unwrap_or_default()
}

fn certificate<'a>(table: &'a [u8], entry: &[u8; ENTRY_BYTES]) -> Option<&'a [u8]> {
    let (guid, rest) = entry.split_first_chunk::<16>()?;
    REPORT_KEYS.contains(&u128::from_be_bytes(*guid)).then_some(())?;
    let (offset, length) = rest.split_first_chunk()?;
    let [offset, length] =
        [*offset, *length.first_chunk()?].map(|word| usize::try_from(u32::from_le_bytes(word)));
    let (offset, length) = (offset.ok()?, length.ok()?);
    table.get(offset..offset.checked_add(length)?)
}

#[cfg(test)]
mod tests {
    extern crate std;
    use super::*;
    use std::vec::Vec;

    fn table(entries: &[([u8; 16], u32, u32)], rest: &[u8]) -> Vec<u8> {
        let bytes = entries.iter().flat_map(|(guid, offset, length)| {
            guid.iter().copied().chain(offset.to_le_bytes()).chain(length.to_le_bytes())
        });
        bytes.chain([0; 24]).chain(rest.iter().copied()).collect()
    }

    #[test]
    fn the_reports_key_is_found_among_others() {
        let [chip, provider] = REPORT_KEYS.map(u128::to_be_bytes);
        for guid in [chip, provider] {
            assert_eq!(report_key(&table(&[([9; 16], 72, 4), (guid, 76, 3)], b"rootkey")), b"key");
        }
        assert_eq!(report_key(&table(&[([9; 16], 48, 4)], b"root")), b"");
    }

    #[test]
    fn entries_that_lead_out_of_the_table_give_nothing() {
        let [chip, _] = REPORT_KEYS.map(u128::to_be_bytes);
        for (offset, length) in [(48, 5), (52, 1), (u32::MAX, 1), (48, u32::MAX), (u32::MAX, u32::MAX)] {
            assert_eq!(report_key(&table(&[(chip, offset, length)], b"key!")), b"", "{offset} {length}");
        }
        assert_eq!(report_key(&[1; 23]), b"");
    }
}

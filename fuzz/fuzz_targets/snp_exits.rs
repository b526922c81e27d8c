//! A hostile guest of SEV-SNP before the host and the secure processor that the VMM plays: registers, pages of wishes, messages, page
//! tables.
#![no_main]

use aes_gcm::aead::AeadInOut as _;
use aes_gcm::{Aes256Gcm, KeyInit as _};
use vial_fuzz::Memory;
use vial_simulated_snp::{Cpu, Host, Ownership, SecureProcessor, Size, check_tables};

const GHCB: u64 = 0x1000;
const MEMORY: u64 = 16 << 10;
/// In the one page that is the guest's own at the start.
const TABLE: u64 = 0;
const KEY: [u8; 32] = [1; 32];
/// Words that exits are made of.
const WORDS: [usize; 8] = [0x1F8, 0x308, 0x310, 0x318, 0x390, 0x398, 0x3A0, 0x3A8];

/// The page of a wish: its words, and what its buffer begins with.
fn page(data: &mut &[u8]) -> [u8; 4096] {
    let mut page = [0; 4096];
    let head = data.split_off(..data.len().min(8 * WORDS.len())).unwrap_or_default();
    for (offset, word) in WORDS.into_iter().zip(head.chunks(8)) {
        page[offset..offset + word.len()].copy_from_slice(word);
    }
    let buffer = data.split_off(..data.len().min(48)).unwrap_or_default();
    page[0x800..0x800 + buffer.len()].copy_from_slice(buffer);
    page[0x3F0..0x400].fill(data.split_off_first().copied().unwrap_or(0xFF));
    page[0xFFA] = 2;
    page
}

/// A message under the guest's own key, whose header says what it likes.
fn message(data: &mut &[u8]) -> [u8; 4096] {
    let mut page = [0; 4096];
    let header = data.split_off(..data.len().min(0x40)).unwrap_or_default();
    page[0x20..0x20 + header.len()].copy_from_slice(header);
    let length = usize::from(u16::from_le_bytes([page[0x36], page[0x37]])).min(4096 - 0x60);
    let mut nonce = [0; 12];
    nonce[..8].copy_from_slice(&page[0x20..0x28]);
    let associated = page[0x30..0x60].to_vec();
    let payload = &mut page[0x60..0x60 + length];
    let tag = Aes256Gcm::new(&KEY.into()).encrypt_inout_detached(&nonce.into(), &associated, payload.into());
    page[..16].copy_from_slice(&tag.expect("short"));
    page
}

fn word(data: &mut &[u8]) -> u64 {
    data.split_off(..8).map_or(0, |word| u64::from_le_bytes(*word.first_chunk().unwrap()))
}

/// A root table full of this entry, which may well be of the table itself.
fn check(memory: &mut Memory, host: &Host, entry: u64) {
    memory.write(TABLE, &[entry.to_le_bytes(); 512].concat());
    let _offence = check_tables(TABLE, host.c_bit, memory, &host.ownership);
}

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    let mut data = data;
    let mut ownership = Ownership::shared([0..MEMORY, 0..0]);
    let _changed = ownership.change(0, Size::Small, true);
    let processor = SecureProcessor::new([KEY; 4], Box::new(|_| vec![0; 1184]));
    let mut host = Host { ownership, processor, certificates: vec![1; 5000], c_bit: 51, is_forgetful: false };
    let (mut cpu, mut memory) = (Cpu::default(), Memory::zeros(0..MEMORY));
    cpu.register = GHCB | 0x012;
    host.exit(&mut cpu, &mut memory).expect("a page to share");
    while let Some(kind) = data.split_off_first() {
        if kind % 5 == 4 {
            check(&mut memory, &host, word(&mut data));
            continue;
        }
        cpu.register = match kind % 5 {
            0 => word(&mut data),
            1 => {
                memory.write(0x2000, &message(&mut data));
                GHCB
            }
            _ => GHCB,
        };
        if kind % 5 != 0 {
            memory.write(GHCB, &page(&mut data));
        }
        // A real VMM ends the machine at the first offence.
        let _offence = host.exit(&mut cpu, &mut memory);
    }
});

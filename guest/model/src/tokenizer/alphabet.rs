//! GPT-2's byte alphabet: every byte as one printable character.
//! Source: `bytes_to_unicode` of the GPT-2 encoder.

use alloc::vec::Vec;

/// Appends the bytes that a token's text stands for; says whether all of it was written in the alphabet.
/// Characters outside it stand for their own UTF-8.
pub(super) fn append_bytes(text: &str, out: &mut Vec<u8>) -> bool {
    let mut is_whole = true;
    for character in text.chars() {
        if let Some(byte) = byte(character) {
            out.push(byte);
        } else {
            out.extend_from_slice(character.encode_utf8(&mut [0; 4]).as_bytes());
            is_whole = false;
        }
    }
    is_whole
}

/// The byte a character stands for: itself where it is printable Latin-1, else one of those from U+0100 on, in order.
fn byte(character: char) -> Option<u8> {
    let code = u32::from(character);
    match code {
        0x21..=0x7E | 0xA1..=0xAC | 0xAE..=0xFF => u8::try_from(code).ok(),
        0x100..=0x143 => HIDDEN.get(code as usize - 0x100).copied(),
        _ => None,
    }
}

/// Bytes that are not printable Latin-1, in order.
const HIDDEN: [u8; 68] = hidden();

const fn hidden() -> [u8; 68] {
    let mut all = [0; 68];
    let (mut at, mut byte) = (0, 0_u8);
    loop {
        if !matches!(byte, 0x21..=0x7E | 0xA1..=0xAC | 0xAE..=0xFF) {
            all[at] = byte;
            at += 1;
        }
        if byte == u8::MAX {
            return all;
        }
        byte += 1;
    }
}

/// The character that stands for a byte.
pub(crate) fn character(byte: u8) -> char {
    let hidden = HIDDEN.iter().position(|&hidden| hidden == byte).and_then(|at| u32::try_from(at).ok());
    hidden.and_then(|at| char::from_u32(0x100 + at)).unwrap_or(char::from(byte))
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::string::String;

    fn bytes(text: &str) -> (Vec<u8>, bool) {
        let mut out = Vec::new();
        let is_whole = append_bytes(text, &mut out);
        (out, is_whole)
    }

    #[test]
    fn every_byte_has_a_character_of_its_own() {
        let all: String = (0..=u8::MAX).map(character).collect();
        assert_eq!(bytes(&all), ((0..=u8::MAX).collect(), true));
        assert_eq!([character(b' '), character(b'\n')], ['Ġ', 'Ċ']);
    }

    #[test]
    fn characters_outside_the_alphabet_are_told_apart() {
        assert_eq!(bytes("a日"), ("a日".into(), false));
    }
}

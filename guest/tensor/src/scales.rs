//! Small integer scales as blocks pack them, one a byte, several at a time.

/// The sixteen 6-bit scales of a `Q3_K` block, which are around 32: nibbles in eight bytes, the upper bits in four more.
///
/// Source: `dequantize_row_q3_K` of `ggml-quants.c`.
#[inline(always)]
pub(crate) fn of_q3_k([a, b, c, d, e, f, g, h, upper @ ..]: &[u8; 12]) -> [u8; 16] {
    let [even, odd, upper] = [[*a, *b, *c, *d], [*e, *f, *g, *h], *upper].map(u32::from_le_bytes);
    bytes_of([
        even & 0x0F0F_0F0F | (upper & 0x0303_0303) << 4,
        odd & 0x0F0F_0F0F | (upper >> 2 & 0x0303_0303) << 4,
        even >> 4 & 0x0F0F_0F0F | (upper >> 4 & 0x0303_0303) << 4,
        odd >> 4 & 0x0F0F_0F0F | (upper >> 6 & 0x0303_0303) << 4,
    ])
}

/// The bytes of four words.
#[inline(always)]
pub(crate) fn bytes_of(words: [u32; 4]) -> [u8; 16] {
    let mut bytes = [0; 16];
    for (out, word) in bytes.as_chunks_mut().0.iter_mut().zip(words) {
        *out = word.to_le_bytes();
    }
    bytes
}

/// The eight 6-bit scales of an `IQ4_XS` block, which are around 32: upper bits of all, then nibbles in four bytes.
///
/// Source: `dequantize_row_iq4_xs` of `ggml-quants.c`.
#[inline(always)]
pub(crate) fn of_iq4_xs([a, b, nibbles @ ..]: &[u8; 6]) -> [u8; 8] {
    let mut upper = u64::from(u16::from_le_bytes([*a, *b]));
    let mut lower = u64::from(u32::from_le_bytes(*nibbles));
    upper = (upper | upper << 24) & 0x0000_00FF_0000_00FF;
    upper = (upper | upper << 12) & 0x000F_000F_000F_000F;
    upper = (upper | upper << 6) & 0x0303_0303_0303_0303;
    lower = (lower | lower << 16) & 0x0000_FFFF_0000_FFFF;
    lower = (lower | lower << 8) & 0x00FF_00FF_00FF_00FF;
    lower = (lower | lower << 4) & 0x0F0F_0F0F_0F0F_0F0F;
    (lower | upper << 4).to_le_bytes()
}

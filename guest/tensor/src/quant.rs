//! The element formats of GGUF tensors that the engine computes with.

/// Format of a tensor's elements: rows are cut into blocks, each with its own scale.
///
/// Source: ggml `enum ggml_type` and the block structs of `ggml-common.h`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[expect(non_camel_case_types, reason = "the names users know from GGUF files")]
pub enum Quant {
    /// 32-bit float.
    F32,
    /// IEEE half precision.
    F16,
    /// Upper half of a 32-bit float.
    BF16,
    /// 32 signed bytes, one scale.
    Q8_0,
    /// 32 nibbles around 8, one scale.
    Q4_0,
    /// 32 nibbles, scale and minimum.
    Q4_1,
    /// 32 five-bit values around 16, one scale.
    Q5_0,
    /// 32 five-bit values, scale and minimum.
    Q5_1,
    /// 256 two-bit values in 16 groups with 4-bit scales and minima.
    Q2_K,
    /// 256 three-bit values around 4 in 16 groups with 6-bit scales.
    Q3_K,
    /// 256 nibbles in 8 groups with 6-bit scales and minima.
    Q4_K,
    /// 256 five-bit values in 8 groups with 6-bit scales and minima.
    Q5_K,
    /// 256 six-bit values in 16 groups with 8-bit scales.
    Q6_K,
    /// 32 nibbles that stand for unevenly spaced values, one scale.
    IQ4_NL,
    /// 256 nibbles that stand for unevenly spaced values in 8 groups with 6-bit scales.
    IQ4_XS,
    /// 32 four-bit floats, one power of two as scale.
    MXFP4,
}

impl Quant {
    /// Every format, in the order of the enum.
    pub const ALL: [Self; 16] = [
        Self::F32,
        Self::F16,
        Self::BF16,
        Self::Q8_0,
        Self::Q4_0,
        Self::Q4_1,
        Self::Q5_0,
        Self::Q5_1,
        Self::Q2_K,
        Self::Q3_K,
        Self::Q4_K,
        Self::Q5_K,
        Self::Q6_K,
        Self::IQ4_NL,
        Self::IQ4_XS,
        Self::MXFP4,
    ];

    /// The format with that number in a GGUF file, if the engine computes with it.
    #[must_use]
    pub const fn from_ggml(id: u32) -> Option<Self> {
        Some(match id {
            0 => Self::F32,
            1 => Self::F16,
            2 => Self::Q4_0,
            3 => Self::Q4_1,
            6 => Self::Q5_0,
            7 => Self::Q5_1,
            8 => Self::Q8_0,
            10 => Self::Q2_K,
            11 => Self::Q3_K,
            12 => Self::Q4_K,
            13 => Self::Q5_K,
            14 => Self::Q6_K,
            20 => Self::IQ4_NL,
            23 => Self::IQ4_XS,
            30 => Self::BF16,
            39 => Self::MXFP4,
            _ => return None,
        })
    }

    /// The format's number in a GGUF file.
    #[must_use]
    pub const fn ggml_id(self) -> u32 {
        match self {
            Self::F32 => 0,
            Self::F16 => 1,
            Self::Q4_0 => 2,
            Self::Q4_1 => 3,
            Self::Q5_0 => 6,
            Self::Q5_1 => 7,
            Self::Q8_0 => 8,
            Self::Q2_K => 10,
            Self::Q3_K => 11,
            Self::Q4_K => 12,
            Self::Q5_K => 13,
            Self::Q6_K => 14,
            Self::IQ4_NL => 20,
            Self::IQ4_XS => 23,
            Self::BF16 => 30,
            Self::MXFP4 => 39,
        }
    }

    /// The name that GGUF tools print.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::F32 => "F32",
            Self::F16 => "F16",
            Self::BF16 => "BF16",
            Self::Q8_0 => "Q8_0",
            Self::Q4_0 => "Q4_0",
            Self::Q4_1 => "Q4_1",
            Self::Q5_0 => "Q5_0",
            Self::Q5_1 => "Q5_1",
            Self::Q2_K => "Q2_K",
            Self::Q3_K => "Q3_K",
            Self::Q4_K => "Q4_K",
            Self::Q5_K => "Q5_K",
            Self::Q6_K => "Q6_K",
            Self::IQ4_NL => "IQ4_NL",
            Self::IQ4_XS => "IQ4_XS",
            Self::MXFP4 => "MXFP4",
        }
    }

    /// Elements in a block: rows hold whole blocks.
    #[must_use]
    pub const fn block_elements(self) -> usize {
        match self {
            Self::F32 | Self::F16 | Self::BF16 => 1,
            Self::Q8_0 | Self::Q4_0 | Self::Q4_1 | Self::Q5_0 | Self::Q5_1 | Self::IQ4_NL | Self::MXFP4 => 32,
            Self::Q2_K | Self::Q3_K | Self::Q4_K | Self::Q5_K | Self::Q6_K | Self::IQ4_XS => 256,
        }
    }

    /// Bytes of a block.
    #[must_use]
    pub const fn block_bytes(self) -> usize {
        match self {
            Self::F32 => 4,
            Self::F16 | Self::BF16 => 2,
            Self::Q8_0 => 34,
            Self::Q4_0 | Self::IQ4_NL => 18,
            Self::Q4_1 => 20,
            Self::Q5_0 => 22,
            Self::Q5_1 => 24,
            Self::Q2_K => 84,
            Self::Q3_K => 110,
            Self::Q4_K => 144,
            Self::Q5_K => 176,
            Self::Q6_K => 210,
            Self::IQ4_XS => 136,
            Self::MXFP4 => 17,
        }
    }

    /// Bytes of a row of `cols` elements; `None` if `cols` is not whole blocks or the size overflows.
    #[must_use]
    pub const fn row_bytes(self, cols: usize) -> Option<usize> {
        if !cols.is_multiple_of(self.block_elements()) {
            return None;
        }
        (cols / self.block_elements()).checked_mul(self.block_bytes())
    }
}

impl core::fmt::Display for Quant {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str(self.name())
    }
}

#[cfg(test)]
mod tests {
    use super::Quant;

    #[test]
    fn every_format_is_found_by_its_number() {
        for quant in Quant::ALL {
            assert_eq!(Quant::from_ggml(quant.ggml_id()), Some(quant));
        }
        assert_eq!(Quant::from_ggml(9), None);
    }

    #[test]
    fn rows_hold_whole_blocks() {
        assert_eq!(Quant::Q4_1.row_bytes(576), Some(360));
        assert_eq!(Quant::Q6_K.row_bytes(576), None);
        assert_eq!(Quant::F16.row_bytes(33), Some(66));
        assert_eq!(Quant::F32.row_bytes(usize::MAX), None);
    }
}

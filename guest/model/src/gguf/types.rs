//! The element types of ggml: how many elements a block holds and how many bytes it takes.

use core::fmt;

/// A ggml type as its number in the file.
///
/// Holding one proves nothing: [`Self::layout`] is `None` for numbers this parser does not know.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct GgmlType(pub u32);

/// Shape of one block of a type.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BlockLayout {
    /// ggml's name.
    pub name: &'static str,
    /// Elements in a block.
    pub elements: u64,
    /// Bytes of a block.
    pub bytes: u64,
}

/// Number, name, elements and bytes of a block. Source: ggml `ggml.h` (`enum ggml_type`) and `ggml-common.h`.
const TYPES: &[(u32, &str, u64, u64)] = &[
    (0, "F32", 1, 4),
    (1, "F16", 1, 2),
    (2, "Q4_0", 32, 18),
    (3, "Q4_1", 32, 20),
    (6, "Q5_0", 32, 22),
    (7, "Q5_1", 32, 24),
    (8, "Q8_0", 32, 34),
    (9, "Q8_1", 32, 36),
    (10, "Q2_K", 256, 84),
    (11, "Q3_K", 256, 110),
    (12, "Q4_K", 256, 144),
    (13, "Q5_K", 256, 176),
    (14, "Q6_K", 256, 210),
    (15, "Q8_K", 256, 292),
    (16, "IQ2_XXS", 256, 66),
    (17, "IQ2_XS", 256, 74),
    (18, "IQ3_XXS", 256, 98),
    (19, "IQ1_S", 256, 50),
    (20, "IQ4_NL", 32, 18),
    (21, "IQ3_S", 256, 110),
    (22, "IQ2_S", 256, 82),
    (23, "IQ4_XS", 256, 136),
    (24, "I8", 1, 1),
    (25, "I16", 1, 2),
    (26, "I32", 1, 4),
    (27, "I64", 1, 8),
    (28, "F64", 1, 8),
    (29, "IQ1_M", 256, 56),
    (30, "BF16", 1, 2),
    (34, "TQ1_0", 256, 54),
    (35, "TQ2_0", 256, 66),
    (39, "MXFP4", 32, 17),
];

impl GgmlType {
    /// 32-bit floats.
    pub const F32: Self = Self(0);
    /// IEEE half floats.
    pub const F16: Self = Self(1);
    /// Blocks of 32 8-bit values with one scale.
    pub const Q8_0: Self = Self(8);

    /// The type's block, if the type is known.
    #[must_use]
    pub fn layout(self) -> Option<BlockLayout> {
        let &(_, name, elements, bytes) = TYPES.iter().find(|(id, ..)| *id == self.0)?;
        Some(BlockLayout { name, elements, bytes })
    }
}

impl fmt::Display for GgmlType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.layout() {
            Some(layout) => f.write_str(layout.name),
            None => write!(f, "unknown type {}", self.0),
        }
    }
}

impl fmt::Debug for GgmlType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

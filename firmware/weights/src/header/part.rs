//! The parts of an image.

/// What lies in the sealed partition, in this order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Part {
    /// Canonical CBOR.
    Manifest,
    /// The publisher's signature; length 0 if there is none.
    Signature,
    /// ROM and boot program as one ELF; read by the VMM.
    Firmware,
    /// Kernel ELF.
    Kernel,
    /// Engine ELF.
    Engine,
    /// Agent bundle.
    Bundle,
    /// Values of the leaves.
    Tree,
    /// The GGUF file.
    Weights,
    /// Values of the draft model's leaves.
    DraftTree,
    /// The draft model's GGUF file.
    DraftWeights,
    /// Tags of the model's leaves where they are encrypted.
    Tags,
    /// Tags of the draft model's leaves where they are.
    DraftTags,
}

impl Part {
    /// All parts in order.
    pub const ALL: [Self; 12] = [
        Self::Manifest,
        Self::Signature,
        Self::Firmware,
        Self::Kernel,
        Self::Engine,
        Self::Bundle,
        Self::Tree,
        Self::Weights,
        Self::DraftTree,
        Self::DraftWeights,
        Self::Tags,
        Self::DraftTags,
    ];
    /// Parts of an image without a draft model: the first so many.
    const WITHOUT_DRAFT: usize = 8;
    /// Parts of an image whose weights are not encrypted: at most so many.
    const PLAIN: usize = 10;

    /// Its name for people.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Manifest => "manifest",
            Self::Signature => "signature",
            Self::Firmware => "firmware",
            Self::Kernel => "kernel",
            Self::Engine => "engine",
            Self::Bundle => "bundle",
            Self::Tree => "tree",
            Self::Weights => "weights",
            Self::DraftTree => "draft tree",
            Self::DraftWeights => "draft weights",
            Self::Tags => "tags",
            Self::DraftTags => "draft tags",
        }
    }

    /// Most bytes it may have, so that a hostile header cannot ask for all memory.
    #[must_use]
    pub const fn max_bytes(self) -> u64 {
        match self {
            Self::Manifest => 4096,
            Self::Signature => 64,
            Self::Firmware | Self::Kernel | Self::Engine => 8 << 20,
            Self::Bundle => 4 << 20,
            Self::Tree | Self::DraftTree | Self::Tags | Self::DraftTags => 1 << 30,
            Self::Weights | Self::DraftWeights => 1 << 45,
        }
    }

    /// Whether it is a GGUF file, which lies where direct reads fill large pages.
    pub(super) const fn is_model(self) -> bool {
        matches!(self, Self::Weights | Self::DraftWeights)
    }
}

/// The parts of an image of that version: with two comes a draft model, with three come tags.
pub(super) fn parts(version: u32) -> &'static [Part] {
    const PARTS: &[Part] = &Part::ALL;
    let count = match version {
        0 | 1 => Part::WITHOUT_DRAFT,
        2 => Part::PLAIN,
        _ => PARTS.len(),
    };
    PARTS.get(..count).unwrap_or(PARTS)
}

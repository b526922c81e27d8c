//! The hash tree over the weights: leaves of 128 KiB, root = BLAKE3 of the file.
//!
//! The tree is stored as the chaining values of its leaves in order; all nodes above are recomputed from them.

use alloc::vec::Vec;
use blake3::hazmat::{Mode, merge_subtrees_non_root, merge_subtrees_root};

use crate::chunk::{Lanes, Value, subtree};

/// Bytes of a leaf; the last one may be shorter. One subtree of 128 chunks.
pub const LEAF_BYTES: u64 = 128 << 10;
/// Bytes of one value of the tree.
pub const VALUE_BYTES: usize = 32;

/// Why a tree is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TreeError {
    /// It has not one value a leaf.
    Length {
        /// Bytes found.
        found: u64,
        /// Bytes that a file of this length needs.
        expected: u64,
    },
    /// Its values do not give the root.
    Root {
        /// The root they give.
        found: Value,
        /// The root of the manifest.
        expected: Value,
    },
    /// An encrypted file has not one tag a leaf.
    Tags {
        /// Bytes found.
        found: u64,
        /// Bytes that a file of this length needs.
        expected: u64,
    },
    /// The file has no bytes.
    Empty,
}

impl core::fmt::Display for TreeError {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        match self {
            Self::Length { found, expected } => write!(f, "tree: found {found} bytes, expected {expected}"),
            Self::Root { found, expected } => {
                write!(f, "weights root: found {}, expected {}", Hex(found), Hex(expected))
            }
            Self::Tags { found, expected } => {
                write!(f, "weights tags: found {found} bytes, expected {expected}")
            }
            Self::Empty => f.write_str("weights: found 0 bytes, expected a model"),
        }
    }
}

impl core::error::Error for TreeError {}

/// A leaf that is not the one that was sealed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LeafMismatch {
    /// Its number.
    pub leaf: u64,
}

impl core::fmt::Display for LeafMismatch {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        write!(f, "leaf {}: its bytes differ from the tree", self.leaf)
    }
}

impl core::error::Error for LeafMismatch {}

/// A tree whose values give the manifest's weights root. Holding one proves that [`Tree::check`] compares with what
/// was sealed; it proves nothing of any bytes not yet checked.
#[derive(Clone, Copy, Debug)]
pub struct Tree<'a> {
    values: &'a [Value],
    file_bytes: u64,
}

impl<'a> Tree<'a> {
    /// Checks that `values` (the tree's blob) gives `root` for a file of `file_bytes`.
    ///
    /// # Errors
    /// The wrong length, or another root.
    pub fn new(values: &'a [u8], file_bytes: u64, root: &Value) -> Result<Self, TreeError> {
        let expected = leaves(file_bytes).saturating_mul(32);
        let found = u64::try_from(values.len()).unwrap_or(u64::MAX);
        if found != expected {
            return Err(TreeError::Length { found, expected });
        }
        let (values, _) = values.as_chunks::<VALUE_BYTES>();
        let found = root_of(values).ok_or(TreeError::Empty)?;
        if found != *root {
            return Err(TreeError::Root { found, expected: *root });
        }
        Ok(Self { values, file_bytes })
    }

    /// Number of leaves.
    #[must_use]
    pub fn leaves(&self) -> u64 {
        leaves(self.file_bytes)
    }

    /// Bytes of the file.
    #[must_use]
    pub fn file_bytes(&self) -> u64 {
        self.file_bytes
    }

    /// Checks the bytes of leaf `leaf`. They must be private: a copy nobody else can write.
    ///
    /// # Errors
    /// They are not the sealed ones.
    pub fn check(&self, lanes: Lanes, leaf: u64, bytes: &[u8]) -> Result<(), LeafMismatch> {
        let expected = usize::try_from(leaf).ok().and_then(|leaf| self.values.get(leaf));
        let is_sealed = expected == Some(&leaf_value(lanes, leaf, self.file_bytes, bytes));
        if is_sealed { Ok(()) } else { Err(LeafMismatch { leaf }) }
    }
}

/// Number of leaves of a file of `file_bytes`.
#[must_use]
pub fn leaves(file_bytes: u64) -> u64 {
    file_bytes.div_ceil(LEAF_BYTES)
}

/// The tree's value for leaf `leaf` of a file of `file_bytes`. A single leaf's value is the root itself.
#[must_use]
pub fn leaf_value(lanes: Lanes, leaf: u64, file_bytes: u64, bytes: &[u8]) -> Value {
    if file_bytes <= LEAF_BYTES {
        return *blake3::hash(bytes).as_bytes();
    }
    subtree(lanes, leaf.saturating_mul(LEAF_BYTES), bytes)
}

/// The root that a tree's values give; `None` without values.
#[must_use]
pub fn root_of(values: &[Value]) -> Option<Value> {
    match values {
        [] => None,
        [root] => Some(*root),
        _ => {
            let (left, right) = halves(values);
            Some(*merge_subtrees_root(&node(left), &node(right), Mode::Hash).as_bytes())
        }
    }
}

fn node(values: &[Value]) -> Value {
    match values {
        [value] => *value,
        _ => {
            let (left, right) = halves(values);
            merge_subtrees_non_root(&node(left), &node(right), Mode::Hash)
        }
    }
}

/// The left subtree is the largest complete one that leaves something for the right. Spec: BLAKE3 paper §2.1.
fn halves(values: &[Value]) -> (&[Value], &[Value]) {
    let left = values.len().div_ceil(2).next_power_of_two();
    values.split_at_checked(left).unwrap_or((values, &[]))
}

/// Builds the tree while a file is read.
#[derive(Clone, Debug)]
pub struct TreeBuilder {
    lanes: Lanes,
    file_bytes: u64,
    values: Vec<u8>,
}

impl TreeBuilder {
    /// A builder for a file of `file_bytes`.
    #[must_use]
    pub fn new(lanes: Lanes, file_bytes: u64) -> Self {
        Self { lanes, file_bytes, values: Vec::new() }
    }

    /// Adds the next bytes: whole leaves, but for the file's last.
    pub fn add(&mut self, bytes: &[u8]) {
        let leaf_bytes = usize::try_from(LEAF_BYTES).unwrap_or(usize::MAX);
        for leaf in bytes.chunks(leaf_bytes) {
            let number = u64::try_from(self.values.len().div_euclid(VALUE_BYTES)).unwrap_or(u64::MAX);
            self.values.extend(leaf_value(self.lanes, number, self.file_bytes, leaf));
        }
    }

    /// The tree's blob and root; `None` if nothing was added.
    #[must_use]
    pub fn finish(self) -> Option<(Vec<u8>, Value)> {
        let root = root_of(self.values.as_chunks::<VALUE_BYTES>().0)?;
        Some((self.values, root))
    }
}

/// Bytes as lower-case hex.
#[derive(Clone, Copy, Debug)]
pub struct Hex<'a>(pub &'a [u8]);

impl core::fmt::Display for Hex<'_> {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LEAF: usize = 128 << 10;

    fn file(bytes: usize) -> Vec<u8> {
        (0..=250_u8).cycle().take(bytes).collect()
    }

    fn built(file: &[u8]) -> (Vec<u8>, Value) {
        let mut builder = TreeBuilder::new(Lanes::Baseline, file.len() as u64);
        builder.add(file);
        builder.finish().unwrap()
    }

    #[test]
    fn the_root_is_blake3_of_the_file() {
        for bytes in
            [1, LEAF - 1, LEAF, LEAF + 1, 2 * LEAF, 3 * LEAF + 5, 4 * LEAF, 7 * LEAF + 1025, 8 * LEAF + 1]
        {
            let file = file(bytes);
            let (values, root) = built(&file);
            assert_eq!(root, *blake3::hash(&file).as_bytes(), "{bytes} bytes");
            let tree = Tree::new(&values, bytes as u64, &root).unwrap();
            for (leaf, bytes) in file.chunks(LEAF).enumerate() {
                assert_eq!(tree.check(Lanes::Baseline, leaf as u64, bytes), Ok(()));
            }
        }
    }

    #[test]
    fn a_flipped_bit_a_short_leaf_and_a_leaf_elsewhere_are_refused() {
        let mut file = file(3 * LEAF);
        let (values, root) = built(&file);
        let tree = Tree::new(&values, file.len() as u64, &root).unwrap();
        let check = |leaf, bytes: &[u8]| tree.check(Lanes::Baseline, leaf, bytes);
        assert_eq!(check(1, &file[LEAF..2 * LEAF - 1]), Err(LeafMismatch { leaf: 1 }));
        assert_eq!(check(2, &file[LEAF..2 * LEAF]), Err(LeafMismatch { leaf: 2 }));
        assert_eq!(check(3, &file[LEAF..2 * LEAF]), Err(LeafMismatch { leaf: 3 }));
        file[LEAF + 77] ^= 4;
        assert_eq!(tree.check(Lanes::Baseline, 1, &file[LEAF..2 * LEAF]), Err(LeafMismatch { leaf: 1 }));
    }

    #[test]
    fn a_changed_node_root_or_length_is_refused() {
        let file = file(3 * LEAF);
        let (mut values, root) = built(&file);
        let length = Tree::new(&values, 4 * LEAF_BYTES, &root).unwrap_err();
        assert_eq!(length, TreeError::Length { found: 96, expected: 128 });
        values[40] ^= 1;
        assert!(matches!(Tree::new(&values, 3 * LEAF_BYTES, &root), Err(TreeError::Root { .. })));
        assert!(matches!(Tree::new(&[], 0, &root), Err(TreeError::Empty)));
    }
}

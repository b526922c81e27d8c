//! The agent bundle as one blob: canonical CBOR, an array of `[path, bytes]` sorted by path.

use alloc::string::{String, ToString as _};
use alloc::vec::Vec;
use minicbor::{Decoder, Encoder};

/// Most files of a bundle.
pub const FILES_MAX: u64 = 4096;
/// Longest path in bytes.
pub const PATH_MAX: usize = 255;

/// One file of the bundle.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct File {
    /// Path below the bundle's folder, parts separated by `/`.
    pub path: String,
    /// Its bytes.
    pub bytes: Vec<u8>,
}

/// Why a bundle is refused.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum BundleError {
    /// Not the canonical encoding.
    Form,
    /// Too many files.
    Count {
        /// How many.
        found: u64,
    },
    /// A path that is empty, absolute, too long, or leaves the bundle.
    Path {
        /// The path.
        found: String,
    },
    /// A path that stands before its predecessor, or twice.
    Order {
        /// The path.
        found: String,
    },
}

impl core::fmt::Display for BundleError {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        match self {
            Self::Form => f.write_str("bundle: found other bytes than its canonical form"),
            Self::Count { found } => write!(f, "bundle: found {found} files, expected at most {FILES_MAX}"),
            Self::Path { found } => write!(f, "bundle path: found {found:?}, expected a short relative path"),
            Self::Order { found } => write!(f, "bundle path: found {found:?} twice or out of order"),
        }
    }
}

impl core::error::Error for BundleError {}

/// The blob of these files; they are sorted here.
///
/// # Errors
/// A path that a bundle cannot hold, or one that stands there twice.
pub fn encode(mut files: Vec<File>) -> Result<Vec<u8>, BundleError> {
    files.sort_by(|one, other| one.path.cmp(&other.path));
    check(&files)?;
    Ok(written(&files))
}

/// The files of a blob, in order of their paths.
///
/// # Errors
/// Anything but what [`encode`] writes.
pub fn decode(bytes: &[u8]) -> Result<Vec<File>, BundleError> {
    let mut from = Decoder::new(bytes);
    let count = from.array().ok().flatten().ok_or(BundleError::Form)?;
    if count > FILES_MAX {
        return Err(BundleError::Count { found: count });
    }
    let files: Vec<_> =
        (0..count).map(|_| file(&mut from).ok_or(BundleError::Form)).collect::<Result<_, _>>()?;
    check(&files)?;
    if written(&files) != bytes { Err(BundleError::Form) } else { Ok(files) }
}

fn file(from: &mut Decoder<'_>) -> Option<File> {
    if from.array().ok()? != Some(2) {
        return None;
    }
    Some(File { path: from.str().ok()?.to_string(), bytes: from.bytes().ok()?.to_vec() })
}

fn written(files: &[File]) -> Vec<u8> {
    let mut out = Encoder::new(Vec::new());
    // Writing to a `Vec` cannot fail.
    let _infallible = out.array(u64::try_from(files.len()).unwrap_or(u64::MAX));
    for file in files {
        let _infallible =
            out.array(2).and_then(|out| out.str(&file.path)).and_then(|out| out.bytes(&file.bytes));
    }
    out.into_writer()
}

fn check(files: &[File]) -> Result<(), BundleError> {
    let mut before: Option<&str> = None;
    for File { path, .. } in files {
        if !is_inside(path) {
            return Err(BundleError::Path { found: path.clone() });
        }
        if before.is_some_and(|before| before >= path.as_str()) {
            return Err(BundleError::Order { found: path.clone() });
        }
        before = Some(path);
    }
    Ok(())
}

fn is_inside(path: &str) -> bool {
    let is_plain =
        |part: &str| !part.is_empty() && part != "." && part != ".." && !part.contains(['\\', '\0']);
    path.len() <= PATH_MAX && path.split('/').all(is_plain)
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::vec;

    fn file(path: &str) -> File {
        File { path: path.to_string(), bytes: path.as_bytes().to_vec() }
    }

    #[test]
    fn a_bundle_survives_its_encoding_in_sorted_order() {
        let blob = encode(vec![file("b/c"), file("agent.toml")]).unwrap();
        assert_eq!(decode(&blob), Ok(vec![file("agent.toml"), file("b/c")]));
        assert_eq!(decode(&encode(vec![]).unwrap()), Ok(vec![]));
    }

    #[test]
    fn paths_that_leave_the_bundle_are_refused() {
        for path in ["", "/a", "a//b", "../a", "a/..", "a/./b", "a\\b", "a\0", &"a".repeat(256)] {
            let refused = encode(vec![file(path)]);
            assert_eq!(refused, Err(BundleError::Path { found: path.to_string() }), "{path:?}");
        }
    }

    #[test]
    fn doubles_disorder_and_other_forms_are_refused() {
        assert_eq!(encode(vec![file("a"), file("a")]), Err(BundleError::Order { found: "a".to_string() }));
        assert_eq!(
            decode(&written(&[file("b"), file("a")])),
            Err(BundleError::Order { found: "a".to_string() })
        );
        let blob = encode(vec![file("a")]).unwrap();
        assert_eq!(decode(&[&blob[..], &[0]].concat()), Err(BundleError::Form));
        assert_eq!(decode(&blob[..blob.len() - 1]), Err(BundleError::Form));
        // The same number of files, written long.
        assert_eq!(decode(&[&[0x98, 1], &blob[1..]].concat()), Err(BundleError::Form));
        assert_eq!(decode(&[0x9A, 0xFF, 0xFF, 0xFF, 0xFF]), Err(BundleError::Count { found: 0xFFFF_FFFF }));
    }
}

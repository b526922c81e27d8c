//! Why an image cannot be built or opened.

use std::path::PathBuf;
use vial_weights::header::HeaderError;
use vial_weights::manifest::ManifestError;

/// Why an image cannot be built or opened. Each says what was found and what was expected.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ImageError {
    /// A file cannot be read.
    #[error("{}: cannot read: {error}", path.display())]
    Read {
        /// Which.
        path: PathBuf,
        /// Why.
        error: std::io::Error,
    },
    /// A file cannot be written.
    #[error("{}: cannot write: {error}", path.display())]
    Write {
        /// Which.
        path: PathBuf,
        /// Why.
        error: std::io::Error,
    },
    /// The model file.
    #[error("{}: {what}", path.display())]
    Model {
        /// Which.
        path: PathBuf,
        /// What is wrong.
        what: String,
    },
    /// The agent's folder.
    #[error("{}: {what}", path.display())]
    Agent {
        /// Which.
        path: PathBuf,
        /// What is wrong.
        what: String,
    },
    /// What firmware places in memory before it starts the appliance is more than it has room for.
    #[error(
        "{}: found {found} bytes of hash trees, tags, agent bundle and what goes with them, expected at most {expected}",
        path.display()
    )]
    Blobs {
        /// The model.
        path: PathBuf,
        /// Bytes that they take.
        found: u64,
        /// Bytes that there are.
        expected: u64,
    },
    /// The model file changed while it was read.
    #[error("{}: found {found} bytes, expected {expected}: the file changed while it was read", path.display())]
    Changed {
        /// Which.
        path: PathBuf,
        /// Bytes read.
        found: u64,
        /// Bytes it had.
        expected: u64,
    },
    /// The model file changed between the two times that it was read.
    #[error("{}: found other bytes than when it was first read: the file changed meanwhile", path.display())]
    ChangedBetween {
        /// Which.
        path: PathBuf,
    },
    /// The image's weights are encrypted, and what was asked for needs their header.
    #[error("{}: found encrypted weights, expected the key to read their header", path.display())]
    Locked {
        /// Which.
        path: PathBuf,
    },
    /// A key that is not the one that the weights were encrypted with.
    #[error("{}: found weights that are encrypted with another key than the one given", path.display())]
    WrongKey {
        /// Which.
        path: PathBuf,
    },
    /// The program was built without guest programs.
    #[error("guest programs: found none in this vial, expected firmware, kernel and engine")]
    NoGuest,
    /// The file is no sealed image.
    #[error("{}: {what}", path.display())]
    Form {
        /// Which.
        path: PathBuf,
        /// What is wrong.
        what: String,
    },
    /// The image is of a newer format.
    #[error("{}: {error}", path.display())]
    Newer {
        /// Which.
        path: PathBuf,
        /// Which version.
        error: HeaderError,
    },
    /// The image ends too soon.
    #[error("{}: found {found} bytes, expected at least {expected}: the image is cut short", path.display())]
    Short {
        /// Which.
        path: PathBuf,
        /// Bytes it has.
        found: u64,
        /// Bytes its header names.
        expected: u64,
    },
    /// The manifest.
    #[error("{}: {error}", path.display())]
    Manifest {
        /// Which.
        path: PathBuf,
        /// What is wrong.
        error: ManifestError,
    },
    /// A part is not the one in the manifest.
    #[error("{}: {part} SHA-384: found {found}, expected {expected}", path.display())]
    Digest {
        /// Which file.
        path: PathBuf,
        /// Which part.
        part: &'static str,
        /// Digest of the bytes there.
        found: String,
        /// Digest in the manifest.
        expected: String,
    },
}

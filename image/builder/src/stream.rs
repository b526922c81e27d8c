//! Copying the model into the image and hashing it, side by side: one thread reads, encrypts where that is asked for, and writes;
//! one hashes.

use sha2::{Digest as _, Sha256};
use std::fs::File;
use std::io::{Read as _, Seek as _};
use std::os::unix::fs::FileExt as _;
use std::path::Path;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use vial_model::scan::Scan;
use vial_weights::cipher::Cipher;
use vial_weights::tree::TreeBuilder;
use vial_weights::{LEAF_BYTES, Lanes};

use crate::ImageError;
use crate::header::refused;

/// Bytes of a piece: whole leaves, and small enough to stay in cache between reading and hashing.
const PIECE_BYTES: usize = 1 << 20;
/// Pieces under way.
const PIECES: usize = 8;

/// What hashing gave.
#[derive(Debug)]
pub(crate) struct Hashed {
    pub(crate) tree: Vec<u8>,
    pub(crate) root: [u8; 32],
    /// Of what was read.
    pub(crate) sha256: [u8; 32],
    pub(crate) plaintext_root: [u8; 32],
    /// Of encrypted leaves; empty where they are not.
    pub(crate) tags: Vec<u8>,
}

/// A file copied to a place of another.
pub(crate) struct Copy<'a> {
    pub(crate) from: (&'a Path, &'a File),
    pub(crate) bytes: u64,
    pub(crate) scan: Scan,
    pub(crate) to: (&'a Path, &'a File),
    pub(crate) offset: u64,
    pub(crate) cipher: Option<&'a Cipher>,
}

type Piece = Arc<Vec<u8>>;

/// What was read, and what became of it where it is encrypted.
struct Taken {
    plain: Piece,
    encrypted: Option<Vec<u8>>,
}

/// BLAKE3 of a file of so many bytes; tells `progress` the bytes done so far.
pub(crate) fn root(
    path: &Path,
    file: &File,
    bytes: u64,
    progress: &mut dyn FnMut(u64),
) -> Result<[u8; 32], ImageError> {
    let read_error = |error| ImageError::Read { path: path.to_owned(), error };
    let (mut file, mut hasher, mut piece) = (file, blake3::Hasher::new(), vec![0; PIECE_BYTES]);
    file.rewind().map_err(read_error)?;
    loop {
        match file.read(&mut piece).map_err(read_error)? {
            0 => break,
            read => hasher.update(&piece[..read]),
        };
        progress(hasher.count());
    }
    file.rewind().map_err(read_error)?;
    let found = hasher.count();
    if found != bytes {
        return Err(ImageError::Changed { path: path.to_owned(), found, expected: bytes });
    }
    Ok(*hasher.finalize().as_bytes())
}

impl Copy<'_> {
    /// Copies and hashes; tells `progress` the bytes done so far.
    pub(crate) fn run(mut self, progress: &mut dyn FnMut(u64)) -> Result<Hashed, ImageError> {
        let (sender, receiver) = sync_channel(PIECES);
        let bytes = self.bytes;
        std::thread::scope(|scope| {
            let hasher = scope.spawn(move || hash(&receiver, bytes));
            let copied = self.copy(sender, progress);
            let hashed = hasher.join();
            let tags = copied?;
            // Only a panic of ours ends the hasher without a result.
            let hashed = hashed.ok().flatten().ok_or_else(|| self.changed(0))?;
            Ok(Hashed { tags, ..hashed })
        })
    }

    fn copy(
        &mut self,
        sender: SyncSender<Taken>,
        progress: &mut dyn FnMut(u64),
    ) -> Result<Vec<u8>, ImageError> {
        let mut pool: Vec<Piece> = (0..=PIECES + 1).map(|_| Arc::new(Vec::new())).collect();
        let (mut done, mut tags) = (0, Vec::new());
        for at in (0..pool.len()).cycle() {
            let piece = self.read(&mut pool[at])?;
            if piece.is_empty() {
                break;
            }
            self.scan.add(&piece).map_err(|error| refused(self.from.0, &error))?;
            let encrypted = self.cipher.map(|cipher| encrypted(cipher, done, &piece, &mut tags));
            self.write(done, encrypted.as_deref().unwrap_or(&piece))?;
            done += piece.len() as u64;
            // The receiver is gone only after a panic, which `run` reports.
            let _gone = sender.send(Taken { plain: piece, encrypted });
            progress(done);
        }
        if done == self.bytes { Ok(tags) } else { Err(self.changed(done)) }
    }

    /// Fills a piece that the hasher has done with, or a new one.
    fn read(&self, slot: &mut Piece) -> Result<Piece, ImageError> {
        if Arc::get_mut(slot).is_none() {
            *slot = Arc::new(Vec::new());
        }
        if let Some(bytes) = Arc::get_mut(slot) {
            bytes.clear();
            let (path, file) = self.from;
            let read = file.take(PIECE_BYTES as u64).read_to_end(bytes);
            read.map_err(|error| ImageError::Read { path: path.to_owned(), error })?;
        }
        Ok(Arc::clone(slot))
    }

    fn write(&self, at: u64, piece: &[u8]) -> Result<(), ImageError> {
        let (path, file) = self.to;
        let written = file.write_all_at(piece, self.offset + at);
        written.map_err(|error| ImageError::Write { path: path.to_owned(), error })
    }

    fn changed(&self, found: u64) -> ImageError {
        ImageError::Changed { path: self.from.0.to_owned(), found, expected: self.bytes }
    }
}

/// Pieces are of whole leaves, but for the file's last. The plaintext stays where it was read.
fn encrypted(cipher: &Cipher, start: u64, piece: &[u8], tags: &mut Vec<u8>) -> Vec<u8> {
    let mut bytes = piece.to_vec();
    let leaves = bytes.chunks_mut(usize::try_from(LEAF_BYTES).unwrap_or(usize::MAX));
    // No leaf is longer than AES-GCM encrypts.
    let of_leaves =
        (start / LEAF_BYTES..).zip(leaves).filter_map(|(leaf, bytes)| cipher.encrypt(leaf, bytes));
    tags.extend(of_leaves.flatten());
    bytes
}

fn hash(pieces: &Receiver<Taken>, bytes: u64) -> Option<Hashed> {
    let (mut sha256, mut tree) = (Sha256::new(), TreeBuilder::new(Lanes::Baseline, bytes));
    let mut plaintext = None;
    for Taken { plain, encrypted } in pieces {
        if encrypted.is_some() {
            plaintext.get_or_insert_with(blake3::Hasher::new).update(&plain);
        }
        tree.add(encrypted.as_deref().unwrap_or(&plain));
        sha256.update(plain.as_slice());
    }
    let (tree, root) = tree.finish()?;
    let plaintext_root = plaintext.map_or(root, |hasher| *hasher.finalize().as_bytes());
    Some(Hashed { tree, root, sha256: sha256.finalize().into(), plaintext_root, tags: Vec::new() })
}

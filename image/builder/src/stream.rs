//! Copying the model into the image and hashing it, side by side: one thread reads and writes, one hashes.

use sha2::{Digest as _, Sha256};
use std::fs::File;
use std::io::Read as _;
use std::os::unix::fs::FileExt as _;
use std::path::Path;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use vial_model::scan::Scan;
use vial_weights::Lanes;
use vial_weights::tree::TreeBuilder;

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
    pub(crate) sha256: [u8; 32],
}

/// A file copied to a place of another.
pub(crate) struct Copy<'a> {
    pub(crate) from: (&'a Path, &'a File),
    pub(crate) bytes: u64,
    pub(crate) scan: Scan,
    pub(crate) to: (&'a Path, &'a File),
    pub(crate) offset: u64,
}

type Piece = Arc<Vec<u8>>;

impl Copy<'_> {
    /// Copies and hashes; tells `progress` the bytes done so far.
    pub(crate) fn run(mut self, progress: &mut dyn FnMut(u64)) -> Result<Hashed, ImageError> {
        let (sender, receiver) = sync_channel(PIECES);
        let bytes = self.bytes;
        std::thread::scope(|scope| {
            let hasher = scope.spawn(move || hash(&receiver, bytes));
            let copied = self.copy(sender, progress);
            let hashed = hasher.join();
            copied?;
            // Only a panic of ours ends the hasher without a result.
            hashed.ok().flatten().ok_or_else(|| self.changed(0))
        })
    }

    fn copy(&mut self, sender: SyncSender<Piece>, progress: &mut dyn FnMut(u64)) -> Result<(), ImageError> {
        let mut pool: Vec<Piece> = (0..=PIECES + 1).map(|_| Arc::new(Vec::new())).collect();
        let mut done = 0;
        for at in (0..pool.len()).cycle() {
            let piece = self.read(&mut pool[at])?;
            if piece.is_empty() {
                break;
            }
            // The receiver is gone only after a panic, which `run` reports.
            let _gone = sender.send(Arc::clone(&piece));
            self.scan.add(&piece).map_err(|error| refused(self.from.0, &error))?;
            self.write(done, &piece)?;
            done += piece.len() as u64;
            progress(done);
        }
        if done == self.bytes { Ok(()) } else { Err(self.changed(done)) }
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

fn hash(pieces: &Receiver<Piece>, bytes: u64) -> Option<Hashed> {
    let (mut sha256, mut tree) = (Sha256::new(), TreeBuilder::new(Lanes::Baseline, bytes));
    for piece in pieces {
        tree.add(&piece);
        sha256.update(piece.as_slice());
    }
    let (tree, root) = tree.finish()?;
    Some(Hashed { tree, root, sha256: sha256.finalize().into() })
}

//! Reading a run of bytes in order with every slot of the disk in flight.

use super::DeviceError;
use super::block::{Block, Piece, SECTOR_BYTES};
use crate::width::word;
use alloc::collections::VecDeque;
use alloc::vec;
use alloc::vec::Vec;
use core::hint::spin_loop;

/// A run being read. Nothing else is in flight on its disk.
#[derive(Debug)]
pub(super) struct Run {
    /// Reads in flight, in order of their offsets.
    order: VecDeque<(usize, Piece)>,
    /// Whether each slot is filled.
    is_filled: Vec<bool>,
    at: u64,
    end: u64,
}

impl Run {
    pub(super) fn new(disk: &Block, offset: u64, len: u64) -> Result<Self, DeviceError> {
        let end = offset.checked_add(len).filter(|&end| end <= disk.bytes()).ok_or(DeviceError::Range)?;
        let slots = disk.free_slots();
        Ok(Self { order: VecDeque::with_capacity(slots), is_filled: vec![false; slots], at: offset, end })
    }

    /// The next piece in its slot, once it is filled; `None` at the end.
    pub(super) fn next(&mut self, disk: &mut Block) -> Result<Option<(usize, Piece)>, DeviceError> {
        self.start_reads(disk)?;
        let Some(&(slot, piece)) = self.order.front() else { return Ok(None) };
        while !self.take_mark(slot) {
            self.poll(disk)?;
        }
        self.order.pop_front();
        Ok(Some((slot, piece)))
    }

    /// Waits for reads in flight and gives their slots back, whatever they bring.
    pub(super) fn abandon(mut self, disk: &mut Block) -> Result<(), DeviceError> {
        while let Some((slot, _)) = self.order.pop_front() {
            while !self.take_mark(slot) {
                // A read that fails here is one nobody wants any more.
                match self.poll(disk) {
                    Ok(()) | Err(DeviceError::Failed { .. }) => {}
                    Err(misbehaves) => return Err(misbehaves),
                }
            }
            disk.release(slot);
        }
        Ok(())
    }

    fn start_reads(&mut self, disk: &mut Block) -> Result<(), DeviceError> {
        while self.at < self.end {
            let piece = piece(self.at, self.end, disk.slot_bytes());
            let sectors = (piece.skip + piece.len).next_multiple_of(word(SECTOR_BYTES));
            let Some(slot) = disk.start(piece.offset - piece.skip as u64, sectors)? else { break };
            self.order.push_back((slot, piece));
            self.at += piece.len as u64;
        }
        disk.notify();
        Ok(())
    }

    fn poll(&mut self, disk: &mut Block) -> Result<(), DeviceError> {
        let Some(filled) = disk.poll()? else {
            spin_loop();
            return Ok(());
        };
        if let Some(is_filled) = self.is_filled.get_mut(filled.slot) {
            *is_filled = true;
        }
        filled.result
    }

    fn take_mark(&mut self, slot: usize) -> bool {
        self.is_filled.get_mut(slot).is_some_and(core::mem::take)
    }
}

/// What one slot can hold of the bytes from `at` to `end`.
fn piece(at: u64, end: u64, slot_bytes: usize) -> Piece {
    let skip = word(at % SECTOR_BYTES);
    let len = (slot_bytes - skip).min(usize::try_from(end - at).unwrap_or(usize::MAX));
    Piece { offset: at, skip, len }
}

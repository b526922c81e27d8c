//! Brings leaves into private memory, checked.

use alloc::vec::Vec;
use core::hint::spin_loop;
use core::ops::Range;
use core::sync::atomic::{AtomicU64, Ordering};
use vial_model::weights::WeightsError;
use vial_plan::{Leaves, Streaming};
use vial_tensor::{Team, for_each_chunk};
use vial_weights::{LEAF_BYTES, Lanes};

use super::announced::Announced;
use super::disk::{CopyOut as _, Disk};
use super::order::Order;
use super::reads::{ReadError, Reads, When};
use super::sealed::Sealed;
use super::timing::{Spent, Timing};
use crate::checked::Checked;

/// A file on a disk that is read ahead. Once a leaf differs or cannot be read, nothing comes any more.
#[derive(Debug)]
pub(super) struct Intake<D> {
    pub(super) disk: D,
    pub(super) lanes: Lanes,
    pub(super) file: Sealed,
    pub(super) order: Order,
    pub(super) announced: Announced,
    pub(super) reads: Reads,
    pub(super) timing: Timing,
    pub(super) checked: Checked,
    pub(super) spent: Spent,
    pub(super) failure: Option<WeightsError>,
}

impl<D: Disk> Intake<D> {
    /// The file on a disk, of which nothing is read yet.
    pub(super) fn new(
        (disk, timing): (D, Timing),
        lanes: Lanes,
        file: Sealed,
        streaming: &Streaming,
    ) -> Self {
        Self {
            reads: Reads::new(kept_free(&disk, streaming)),
            disk,
            lanes,
            file,
            order: Order::new(streaming),
            announced: Announced::default(),
            timing,
            checked: Checked::default(),
            spent: Spent::default(),
            failure: None,
        }
    }

    /// Takes in what has arrived and reads on ahead, as far as slots go.
    pub(super) fn poll(&mut self) {
        if self.failure.is_none() {
            let polled = self.read_ahead();
            self.note(polled);
        }
    }

    /// A device that misbehaves is taken for one that cannot read.
    fn note(&mut self, result: Result<(), ReadError>) {
        let leaf = match result {
            Ok(()) => return,
            Err(ReadError::Failed(leaves)) => leaves.first(),
            Err(ReadError::Device(_)) => self.reads.front(When::Ahead).map_or(0, |leaves| leaves.first()),
        };
        self.failure = Some(WeightsError::Read { leaf });
    }

    /// Asks for what was announced, and for what comes after.
    fn read_ahead(&mut self) -> Result<(), ReadError> {
        while let Some(leaves) = self.announced.next(self.disk.slot_bytes()) {
            if !self.reads.start(&mut self.disk, &self.file, self.timing, (When::Now, leaves))? {
                break;
            }
            self.announced.advance(leaves.len);
        }
        while let Some(leaves) = self.order.next(self.disk.slot_bytes()) {
            if !self.reads.start(&mut self.disk, &self.file, self.timing, (When::Ahead, leaves))? {
                break;
            }
            self.order.advance(leaves.len);
        }
        self.disk.notify();
        self.reads.poll(&mut self.disk, &self.file, self.timing)
    }

    /// Lets leaves that will be wanted next, and of which no order tells, be read at once.
    pub(super) fn announce(&mut self, leaves: impl Iterator<Item = Leaves>) {
        self.reads.forget(&mut self.disk, When::Now);
        self.announced = Announced::new(leaves);
        self.poll();
    }

    /// Why nothing comes any more.
    pub(super) fn check(&self) -> Result<(), WeightsError> {
        self.failure.clone().map_or(Ok(()), Err)
    }

    /// The leaves around a range.
    pub(super) fn leaves(&self, range: &Range<u64>) -> Result<Leaves, WeightsError> {
        let file_bytes = self.file.tree.file_bytes();
        let is_inside = range.start < range.end && range.end <= file_bytes;
        let outside = || WeightsError::Outside { range: range.clone(), file_bytes };
        if is_inside { Ok(Leaves::of(range, file_bytes)) } else { Err(outside()) }
    }

    /// Brings the leaves around a range to `to`, checked.
    ///
    /// # Errors
    /// `to` then holds what nobody may use.
    pub(super) fn bring(
        &mut self,
        team: &Team<'_>,
        range: &Range<u64>,
        to: &mut [u8],
    ) -> Result<(), WeightsError> {
        self.check()?;
        let leaves = self.leaves(range)?;
        let when = match self.order.number(range.start, leaves) {
            Some(number) => {
                self.seek(number, leaves);
                When::Ahead
            }
            None => {
                if !self.announced.is_first(leaves) {
                    self.announce(core::iter::once(leaves));
                }
                When::Now
            }
        };
        let mut done = 0;
        while done < to.len() {
            let (left, before) = (leaves.part(done, to.len()), (self.timing.now)());
            let count = self.wait(when, left)?;
            let between = (self.timing.now)();
            let len = left.len.min(count * self.disk.slot_bytes());
            self.take(team, (when, count), left.part(0, len), &mut to[done..done + len])?;
            self.spent.disk += between.saturating_sub(before);
            self.spent.check += (self.timing.now)().saturating_sub(between);
            done += len;
        }
        if when == When::Now {
            self.announced.pop();
        }
        Ok(())
    }

    /// Waits until some of the reads that `left` begins with are filled; how many.
    fn wait(&mut self, when: When, left: Leaves) -> Result<usize, WeightsError> {
        let started = (self.timing.now)();
        loop {
            let read = self.read_ahead();
            self.note(read.and_then(|()| self.has_slots(when, left, started)));
            self.check()?;
            let count = self.reads.ready(when, left.len.div_ceil(self.disk.slot_bytes()));
            if count > 0 {
                return Ok(count);
            }
            spin_loop();
        }
    }

    /// Refuses to wait for ever for a slot, where the disk gives none back.
    fn has_slots(&self, when: When, left: Leaves, started: u64) -> Result<(), ReadError> {
        let is_lost = self.reads.front(when).is_none() && self.timing.is_over(started);
        if is_lost { Err(ReadError::Failed(left)) } else { Ok(()) }
    }

    /// Lets reads ahead begin with `leaves`, those of number `number`, if they do not. Tensors do not overlap, so two ranges with
    /// the same first read are of the same single leaf.
    fn seek(&mut self, number: usize, leaves: Leaves) {
        let is_first = match self.reads.front(When::Ahead) {
            Some(front) => front == leaves.part(0, self.disk.slot_bytes()),
            None => self.order.is_next(number),
        };
        if !is_first {
            self.reads.forget(&mut self.disk, When::Ahead);
            self.order.go_to(number);
        }
    }

    /// Copies the first `count` reads to `to`, and checks and opens the copies.
    fn take(
        &mut self,
        team: &Team<'_>,
        (when, count): (When, usize),
        leaves: Leaves,
        to: &mut [u8],
    ) -> Result<(), WeightsError> {
        let leaf_bytes = usize::try_from(LEAF_BYTES).unwrap_or(usize::MAX);
        let (each, first, differs) =
            (self.disk.slot_bytes() / leaf_bytes, leaves.first(), AtomicU64::new(u64::MAX));
        let slots: Vec<usize> = self.reads.slots(when, count).collect();
        let (disk, file, lanes) = (self.disk.slots(), &self.file, self.lanes);
        for_each_chunk(
            team,
            to,
            leaf_bytes,
            || (),
            |number, bytes, ()| {
                let leaf = first + number as u64;
                disk.copy_out(slots[number / each], number % each * leaf_bytes, bytes);
                if file.open(lanes, leaf, bytes).is_err() {
                    differs.fetch_min(leaf, Ordering::Relaxed);
                }
            },
        );
        drop(disk);
        self.reads.release(&mut self.disk, when, count);
        let leaf = differs.into_inner();
        if leaf == u64::MAX {
            let (bytes, leaves) = (to.len() as u64, to.len().div_ceil(leaf_bytes) as u64);
            self.checked = self.checked + Checked { bytes, leaves };
            return Ok(());
        }
        self.failure = Some(WeightsError::Differs { leaf });
        self.check()
    }
}

/// Slots that reads ahead leave free: half of them where experts come between, which are known only when they are wanted.
fn kept_free(disk: &impl Disk, streaming: &Streaming) -> usize {
    match streaming.experts().layers().is_empty() {
        true => 2,
        false => usize::try_from(disk.window_bytes()).unwrap_or(0) / disk.slot_bytes() / 2,
    }
}

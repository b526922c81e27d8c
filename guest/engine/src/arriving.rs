//! Weights on their way into memory: read ahead with several requests in flight, copied out of the DMA window, and
//! checked leaf by leaf on the private copy. The model's come first, then the draft model's.

use alloc::collections::VecDeque;
use core::hint::spin_loop;
use core::ops::Range;
use vial_model::weights::{Resident, Weights, WeightsError};
use vial_tensor::Team;
use vial_user::virtio::{Block, DeviceError};
use vial_weights::Lanes;

use crate::checked::Checked;
use crate::front::Front;
use crate::streamed::{TRIES, Timing};

/// Bytes of the unit disks are read in.
const SECTOR: usize = 512;

/// Which of the files.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum File {
    /// The model's.
    Model,
    /// The draft model's.
    Draft,
}

/// Why no more of a file will come.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failure {
    file: File,
    error: WeightsError,
}

impl core::fmt::Display for Failure {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        let who = if self.file == File::Draft { "draft model: " } else { "" };
        write!(f, "{who}{}", self.error)
    }
}

/// Files of weights of which the fronts are in memory and checked. As [`Weights`] it is the model's file.
#[derive(Debug)]
pub struct Arriving {
    disk: Block,
    timing: Timing,
    /// When the disk last gave something, or was asked while nothing was in flight, in ticks.
    heard: u64,
    lanes: Lanes,
    fronts: Fronts,
    /// What is asked for first.
    wanted: File,
    /// Reads in flight in order.
    in_flight: VecDeque<Read>,
    failure: Option<Failure>,
}

/// Both files.
#[derive(Debug)]
struct Fronts {
    model: Front,
    draft: Option<Front>,
}

impl Fronts {
    fn get(&self, file: File) -> Option<&Front> {
        match file {
            File::Model => Some(&self.model),
            File::Draft => self.draft.as_ref(),
        }
    }

    fn get_mut(&mut self, file: File) -> Option<&mut Front> {
        match file {
            File::Model => Some(&mut self.model),
            File::Draft => self.draft.as_mut(),
        }
    }
}

/// A read in flight.
#[derive(Clone, Copy, Debug)]
struct Read {
    file: File,
    slot: usize,
    /// Where it begins on the disk.
    offset: u64,
    len: usize,
    is_filled: bool,
    failed: u32,
}

impl Read {
    /// Takes note of what the disk says; asks again where it failed.
    ///
    /// # Errors
    /// It failed too often.
    fn answered(&mut self, disk: &mut Block, result: Result<(), DeviceError>) -> Result<(), DeviceError> {
        let Err(error) = result else {
            self.is_filled = true;
            return Ok(());
        };
        self.failed += 1;
        if self.failed >= TRIES {
            return Err(error);
        }
        disk.release(self.slot);
        self.slot = disk.start(self.offset, self.len.next_multiple_of(SECTOR))?.ok_or(error)?;
        disk.notify();
        Ok(())
    }
}

impl Arriving {
    /// Files of `disk`.
    #[must_use]
    pub fn new((disk, timing): (Block, Timing), lanes: Lanes, model: Front, draft: Option<Front>) -> Self {
        let (fronts, in_flight) = (Fronts { model, draft }, VecDeque::new());
        Self { disk, timing, heard: 0, lanes, fronts, wanted: File::Model, in_flight, failure: None }
    }

    /// What was checked of both files.
    #[must_use]
    pub fn checked(&self) -> Checked {
        let Fronts { model, draft } = &self.fronts;
        model.checked() + draft.as_ref().map(Front::checked).unwrap_or_default()
    }

    /// Whether both files are in memory and checked.
    #[must_use]
    pub fn is_whole(&self) -> bool {
        let Fronts { model, draft } = &self.fronts;
        model.is_whole() && draft.as_ref().is_none_or(Front::is_whole)
    }

    /// The model and its draft model, once both are whole.
    #[must_use]
    pub fn with_draft(&self) -> Option<(Resident<'_>, Resident<'_>)> {
        let Fronts { model, draft } = &self.fronts;
        model.whole().zip(draft.as_ref()?.whole())
    }

    /// Why no more will come.
    #[must_use]
    pub fn failure(&self) -> Option<&Failure> {
        self.failure.as_ref()
    }

    /// Takes in what has arrived and asks for more; `true` if there is still something to come.
    pub fn poll(&mut self) -> bool {
        if self.has_more() {
            // A device that misbehaves is taken for one that cannot read.
            let _told: Result<(), DeviceError> = self.advance().inspect_err(|_| self.fail_to_read());
        }
        self.has_more()
    }

    fn has_more(&self) -> bool {
        self.failure.is_none() && !self.is_whole()
    }

    fn fail_to_read(&mut self) {
        let file = self.in_flight.front().map_or(self.wanted, |read| read.file);
        let leaf = self.fronts.get(file).map_or(0, Front::next_leaf);
        self.failure = Some(Failure { file, error: WeightsError::Read { leaf } });
    }

    fn advance(&mut self) -> Result<(), DeviceError> {
        self.ask()?;
        while let Some(filled) = self.disk.poll()? {
            self.heard = (self.timing.now)();
            if let Some(read) = self.in_flight.iter_mut().find(|read| read.slot == filled.slot) {
                read.answered(&mut self.disk, filled.result)?;
            }
        }
        if !self.in_flight.is_empty() && self.timing.is_over(self.heard) {
            self.fail_to_read();
            return Ok(());
        }
        while let Some(read) = self.in_flight.pop_front_if(|read| read.is_filled) {
            self.take(read);
            self.disk.release(read.slot);
            if self.failure.is_some() {
                return Ok(());
            }
        }
        Ok(())
    }

    fn ask(&mut self) -> Result<(), DeviceError> {
        if self.in_flight.is_empty() {
            self.heard = (self.timing.now)();
        }
        while let Some((file, offset, len)) = self.next_read() {
            let Some(slot) = self.disk.start(offset, len.next_multiple_of(SECTOR))? else { break };
            self.in_flight.push_back(Read { file, slot, offset, len, is_filled: false, failed: 0 });
            self.fronts.get_mut(file).into_iter().for_each(|front| front.asked(len));
        }
        self.disk.notify();
        Ok(())
    }

    /// File, place and length of what is asked for next.
    fn next_read(&self) -> Option<(File, u64, usize)> {
        [self.wanted, File::Model, File::Draft].into_iter().find_map(|file| {
            let (offset, len) = self.fronts.get(file)?.next_read(self.disk.slot_bytes())?;
            Some((file, offset, len))
        })
    }

    /// Copies a filled slot to its place and checks the copy.
    fn take(&mut self, Read { file, slot, len, .. }: Read) {
        let (disk, lanes) = (&self.disk, self.lanes);
        let front = self.fronts.get_mut(file);
        let taken = front.map_or(Ok(()), |front| front.take(lanes, len, |to| disk.copy_out(slot, 0, to)));
        self.failure = taken.err().map(|error| Failure { file, error });
    }

    /// Takes memory for all that is to come. `None` if there is not so much.
    #[must_use]
    pub fn reserve(&mut self) -> Option<()> {
        let Fronts { model, draft } = &mut self.fronts;
        model.reserve()?;
        draft.as_mut().map_or(Some(()), Front::reserve)
    }

    /// Brings all of the draft model into memory, which is taken at once, and nothing more of the model: beside a file that grows
    /// the other could not grow where it lies, and to move it there may be no room.
    ///
    /// # Errors
    /// As [`Self::require_of`]; `None` within if there is no memory.
    pub fn bring_draft(&mut self) -> Result<Option<()>, WeightsError> {
        self.fronts.model.ask_no_more();
        let Some(draft) = &mut self.fronts.draft else { return Ok(Some(())) };
        if draft.reserve().is_none() {
            return Ok(None);
        }
        let bytes = draft.file_bytes();
        self.require_of(File::Draft, 0..bytes).map(Some)
    }

    /// Waits for what is in flight, drops it, and gives the disk and the files back.
    ///
    /// # Errors
    /// The device misbehaves.
    pub fn stop(mut self) -> Result<(Block, Front, Option<Front>), DeviceError> {
        while self.in_flight.iter().any(|read| !read.is_filled) {
            let Some(filled) = self.disk.poll()? else { continue };
            let read = self.in_flight.iter_mut().find(|read| read.slot == filled.slot);
            read.into_iter().for_each(|read| read.is_filled = true);
        }
        self.in_flight.drain(..).for_each(|read| self.disk.release(read.slot));
        Ok((self.disk, self.fronts.model, self.fronts.draft))
    }

    /// Brings a range of a file into memory, before what else is to come.
    ///
    /// # Errors
    /// The leaf that cannot be read or differs, of whatever file: what else the disk changed is not known.
    pub fn require_of(&mut self, file: File, range: Range<u64>) -> Result<(), WeightsError> {
        let Some(front) = self.fronts.get(file) else {
            return Err(WeightsError::Outside { range, file_bytes: 0 });
        };
        front.has(&range)?;
        let lacks = |front: &Front| front.checked_bytes() < range.end;
        self.wanted = file;
        while self.failure.is_none() && self.fronts.get(file).is_some_and(lacks) {
            self.poll();
            spin_loop();
        }
        self.wanted = File::Model;
        self.failure.as_ref().map_or(Ok(()), |failure| Err(failure.error.clone()))
    }

    /// The bytes of a range of a file that has been required.
    #[must_use]
    pub fn bytes_of(&self, file: File, range: Range<u64>) -> &[u8] {
        self.fronts.get(file).map(|front| front.bytes(range)).unwrap_or_default()
    }
}

impl Weights for Arriving {
    fn require(&mut self, _: &Team<'_>, ranges: &[Range<u64>]) -> Result<(), WeightsError> {
        ranges.iter().try_for_each(|range| self.keep(range.clone()))
    }

    fn keep(&mut self, range: Range<u64>) -> Result<(), WeightsError> {
        self.require_of(File::Model, range)
    }

    fn most(&self) -> u64 {
        u64::MAX
    }

    fn bytes(&self, range: Range<u64>) -> &[u8] {
        self.fronts.model.bytes(range)
    }
}

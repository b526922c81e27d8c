//! Weights larger than memory: every pass reads them again, and each leaf is checked each time.
//!
//! The disk reads ahead into the slots of the DMA window, in the order in which passes require weights, through all layers and
//! on into the next pass; rows of the embedding and experts are read when a pass knows which. What is required is copied out of the slots by all cpus, each leaf is hashed while it is in that
//! cpu's cache, and only then is anything computed on it. Memory that is left holds the first of them for good.

mod announced;
mod cursor;
mod disk;
mod experts;
mod intake;
mod order;
mod reads;
mod sealed;
#[cfg(test)]
mod tests;
mod timing;

use alloc::collections::BTreeMap;
use alloc::vec::Vec;
use core::ops::Range;
use vial_model::weights::{Weights, WeightsError};
use vial_plan::{Leaves, Streaming};
use vial_tensor::{Alone, Team};
use vial_weights::Lanes;

pub use self::disk::{CopyOut, Disk};
use self::experts::Experts;
pub use self::experts::Hits;
use self::intake::Intake;
pub use self::sealed::Sealed;
pub(crate) use self::timing::TRIES;
pub use self::timing::{Spent, Timing, Window};
use crate::checked::Checked;

/// Where a range lies whose leaves are in memory.
#[derive(Clone, Copy, Debug)]
struct Place {
    /// Where it begins in the file, and in memory.
    start: u64,
    at: usize,
}

/// Weights of a file on a disk. Every byte that it gives was compared with the tree after it was copied into memory that
/// nobody else can write.
#[derive(Debug)]
pub struct Streamed<D> {
    intake: Intake<D>,
    most: u64,
    /// What was required last, how far it reaches, and where it lies.
    set: Vec<u8>,
    used: usize,
    places: Vec<Place>,
    /// Ranges that stay, by where they start: their leaves, and where in those they begin.
    staying: BTreeMap<u64, (Vec<u8>, usize)>,
    /// Those that stay for a while.
    experts: Experts,
}

impl<D: Disk> Streamed<D> {
    /// The file on a disk, kept as was planned. `None` if there is no memory for the set.
    #[must_use]
    pub fn new(
        (disk, timing): (D, Timing),
        lanes: Lanes,
        file: Sealed,
        streaming: &Streaming,
    ) -> Option<Self> {
        let most = streaming.most();
        let (mut set, len) = (Vec::new(), usize::try_from(Streaming::set_bytes(most)).ok()?);
        set.try_reserve_exact(len).ok()?;
        set.resize(len, 0);
        let intake = Intake::new((disk, timing), lanes, file, streaming);
        let (places, experts) =
            (Vec::with_capacity(vial_tensor::PRODUCTS_MAX), Experts::new(streaming.experts()));
        Some(Self { intake, most, set, used: 0, places, staying: BTreeMap::new(), experts })
    }

    /// What was read and checked since the start, each time anew.
    #[must_use]
    pub fn checked(&self) -> Checked {
        self.intake.checked
    }

    /// What passes waited for.
    #[must_use]
    pub fn spent(&self) -> Spent {
        self.intake.spent
    }

    /// Whence experts came.
    #[must_use]
    pub fn hits(&self) -> Hits {
        self.experts.hits
    }

    /// What the disk reads into.
    #[must_use]
    pub fn window(&self) -> Window {
        let Intake { disk, reads, .. } = &self.intake;
        Window { bytes: disk.window_bytes(), filled_bytes: reads.filled_bytes() }
    }

    /// Why no more will come.
    #[must_use]
    pub fn failure(&self) -> Option<&WeightsError> {
        self.intake.failure.as_ref()
    }

    /// Takes in what has arrived and reads on ahead, as far as slots go.
    pub fn poll(&mut self) {
        self.intake.poll();
    }

    /// Brings a range into memory of its own.
    fn stay(&mut self, team: &Team<'_>, range: &Range<u64>) -> Result<(), WeightsError> {
        if self.staying.contains_key(&range.start) {
            return self.intake.check();
        }
        let leaves = self.intake.leaves(range)?;
        let mut bytes = alloc::vec![0; leaves.len];
        self.intake.bring(team, range, &mut bytes)?;
        self.staying.insert(range.start, (bytes, leaves.place(range.start)));
        Ok(())
    }

    /// Brings a range to the end of the set.
    fn add(&mut self, team: &Team<'_>, range: &Range<u64>) -> Result<(), WeightsError> {
        let leaves = self.intake.leaves(range)?;
        let (from, end, room) = (self.used, self.used + leaves.len, self.set.len() as u64);
        let no_room = || WeightsError::Room { range: range.clone(), room_bytes: room };
        self.intake.bring(team, range, self.set.get_mut(from..end).ok_or_else(no_room)?)?;
        self.used = end;
        let at = from + leaves.place(range.start);
        self.experts.fill(range, &self.set[at..][..leaves.place(range.end) - leaves.place(range.start)]);
        self.places.push(Place { start: range.start, at });
        Ok(())
    }
}

impl<D> core::fmt::Display for Streamed<D> {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        let Intake { order, file, .. } = &self.intake;
        let (stays, all) = (order.staying_bytes(), file.tree.file_bytes());
        write!(f, "streamed, {stays} of {all} bytes stay in memory, {} at once", self.most)
    }
}

impl<D: Disk> Weights for Streamed<D> {
    fn require(&mut self, team: &Team<'_>, ranges: &[Range<u64>]) -> Result<(), WeightsError> {
        self.used = 0;
        self.places.clear();
        for range in ranges {
            let (leaves, order) = (self.intake.leaves(range)?, &self.intake.order);
            match order.number(range.start, leaves) {
                Some(number) if order.stays(number) => self.stay(team, range)?,
                None if self.experts.bytes(range).is_some() => self.intake.check()?,
                _ => self.add(team, range)?,
            }
        }
        Ok(())
    }

    fn announce(&mut self, ranges: &[Range<u64>]) {
        self.experts.announce(ranges);
        let is_wanted = |range: &&Range<u64>| self.experts.bytes(range).is_none();
        let known = |range: &Range<u64>| self.intake.leaves(range).ok().map(|leaves| (range.start, leaves));
        let is_of_no_order =
            |(start, leaves): &(u64, Leaves)| self.intake.order.number(*start, *leaves).is_none();
        let wanted = ranges.iter().filter(is_wanted).filter_map(known).filter(is_of_no_order);
        let leaves: Vec<_> = wanted.map(|(_, leaves)| leaves).collect();
        self.intake.announce(leaves.into_iter());
    }

    /// Of the leaves that a vector lies in only its own bytes stay.
    fn keep(&mut self, range: Range<u64>) -> Result<(), WeightsError> {
        if self.staying.contains_key(&range.start) {
            return self.intake.check();
        }
        let leaves = self.intake.leaves(&range)?;
        let mut bytes = alloc::vec![0; leaves.len];
        self.intake.bring(&Team::new(1, &Alone), &range, &mut bytes)?;
        let place = leaves.place(range.start)..leaves.place(range.end);
        self.staying.insert(range.start, (bytes[place].to_vec(), 0));
        Ok(())
    }

    fn most(&self) -> u64 {
        self.most
    }

    fn bytes(&self, range: Range<u64>) -> &[u8] {
        let len = usize::try_from(range.end - range.start).unwrap_or(usize::MAX);
        let place = self.places.iter().find(|place| place.start == range.start);
        let (bytes, at) = match (place, self.staying.get(&range.start)) {
            (Some(place), _) => (&self.set, place.at),
            (None, Some((bytes, at))) => (bytes, *at),
            (None, None) => return self.experts.bytes(&range).unwrap_or_default(),
        };
        bytes.get(at..at + len).unwrap_or_default()
    }
}

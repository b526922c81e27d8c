//! Experts that stay in memory until others of their layer are wanted instead.

use alloc::vec::Vec;
use core::ops::Range;
use vial_plan::ExpertRoom;

/// How often an expert was chosen that was in memory, and that had to be read.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Hits {
    /// From memory.
    pub memory: u64,
    /// From the disk.
    pub disk: u64,
}

/// Room for one expert.
#[derive(Clone, Debug, Default)]
struct Slot {
    expert: Option<u64>,
    /// Its bytes, in the order in which it requires them; as many have come.
    bytes: Vec<u8>,
    /// The announcement that named it last.
    used: u64,
}

/// Experts of every layer, in memory of their own. Those that were chosen last stay.
#[derive(Debug)]
pub(super) struct Experts {
    room: ExpertRoom,
    /// `each` of every layer.
    slots: Vec<Slot>,
    each: usize,
    announcements: u64,
    pub(super) hits: Hits,
}

/// An expert's bytes: its layer and number, and where they are among those of the expert.
#[derive(Clone, Copy)]
struct Place {
    layer: usize,
    expert: u64,
    at: usize,
}

impl Experts {
    pub(super) fn new(room: &ExpertRoom) -> Self {
        let each = usize::try_from(room.each()).unwrap_or(usize::MAX);
        let slots = alloc::vec![Slot::default(); room.layers().len() * each];
        Self { room: room.clone(), slots, each, announcements: 0, hits: Hits::default() }
    }

    fn place(&self, range: &Range<u64>) -> Option<Place> {
        let mut layers = self.room.layers().iter().enumerate();
        let (layer, (expert, at)) =
            layers.find_map(|(layer, stacks)| Some((layer, stacks.place(range.start)?)))?;
        Some(Place { layer, expert, at: usize::try_from(at).ok()? })
    }

    fn slots_of(&mut self, layer: usize) -> &mut [Slot] {
        &mut self.slots[layer * self.each..][..self.each]
    }

    fn slot(&self, place: Place) -> Option<&Slot> {
        self.slots[place.layer * self.each..][..self.each]
            .iter()
            .find(|slot| slot.expert == Some(place.expert))
    }

    /// Gives the experts of these ranges room, as far as there is some: in place of those that were chosen longest ago, and of none
    /// that is among them.
    pub(super) fn announce(&mut self, ranges: &[Range<u64>]) {
        self.announcements += 1;
        let now = self.announcements;
        // The first bytes of each expert stand for it.
        let firsts = ranges.iter().filter_map(|range| self.place(range).filter(|place| place.at == 0));
        let chosen: Vec<Place> = firsts.collect();
        let (count, mut missing) = (chosen.len(), Vec::with_capacity(chosen.len()));
        for place in chosen {
            let mut slots = self.slots_of(place.layer).iter_mut();
            match slots.find(|slot| slot.expert == Some(place.expert)) {
                Some(slot) => slot.used = now,
                None => missing.push(place),
            }
        }
        self.hits.memory += (count - missing.len()) as u64;
        self.hits.disk += missing.len() as u64;
        for place in missing {
            let slots = self.slots_of(place.layer).iter_mut();
            if let Some(slot) = slots.filter(|slot| slot.used < now).min_by_key(|slot| slot.used) {
                (slot.expert, slot.used) = (Some(place.expert), now);
                slot.bytes.clear();
            }
        }
    }

    /// The bytes of a range, if they are here.
    pub(super) fn bytes(&self, range: &Range<u64>) -> Option<&[u8]> {
        let place = self.place(range)?;
        let len = usize::try_from(range.end - range.start).ok()?;
        self.slot(place)?.bytes.get(place.at..place.at + len)
    }

    /// Keeps the bytes of a range that has come, if there is room for its expert and all before them are here.
    pub(super) fn fill(&mut self, range: &Range<u64>, bytes: &[u8]) {
        let Some(place) = self.place(range) else { return };
        let most = usize::try_from(self.room.slot_bytes()).unwrap_or(usize::MAX);
        let mut slots = self.slots_of(place.layer).iter_mut();
        let slot = slots.find(|slot| slot.expert == Some(place.expert) && slot.bytes.len() == place.at);
        if let Some(slot) = slot {
            // All at once, so that no growing takes more than was planned.
            slot.bytes.reserve_exact(most - slot.bytes.len());
            slot.bytes.extend_from_slice(bytes);
        }
    }
}

//! Who takes part in the next pass, with how many rows and on which pages.
//!
//! - Decoding streams have a row each, and drafts where they pay; prompts share what room is left, evenly between clients
//!   and between the streams of one.
//! - Pages are taken as tokens need them. Where none is left the stream that came last loses its own and is computed again
//!   when there are some: no answer changes or is lost, and the first to come always goes on.
//! - Of two prompts that begin alike one is computed; the other waits and takes its pages.
//! - A deterministic stream has passes of its own, in turn with those of all others.

use alloc::collections::BTreeMap;
use alloc::vec;
use alloc::vec::Vec;

use super::pace::Pace;
use super::stream::Stream;
use crate::kv::{KvCache, PAGE_TOKENS};

/// Rows of a deterministic prompt's pass: few, since decoding streams wait for it; a divisor of [`PAGE_TOKENS`], so that pages
/// are made of whole chunks.
const CHUNK: usize = 32;

/// A stream's part in a pass.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Share {
    /// Which stream.
    pub(super) at: usize,
    /// Known tokens; its draft follows where these are all.
    pub(super) known: usize,
}

/// What a pass may have.
#[derive(Clone, Copy, Debug)]
pub(super) struct Room {
    /// Rows.
    pub(super) rows: usize,
    /// Drafted tokens among them.
    pub(super) drafts: usize,
}

/// Plans one pass. Streams are in the order they got their places.
#[derive(Debug)]
pub(super) struct Turn<'a> {
    pub(super) streams: &'a mut [Stream],
    pub(super) cache: &'a mut KvCache,
    pub(super) pace: &'a Pace,
    pub(super) room: Room,
}

impl Turn<'_> {
    /// The parts of all streams that share passes.
    pub(super) fn shared(mut self) -> Vec<Share> {
        let able = self.able(|stream| !stream.is_deterministic);
        let (decoding, prompts): (Vec<_>, Vec<_>) =
            able.into_iter().partition(|&at| self.streams[at].is_decoding());
        let mut shares: Vec<Share> = decoding.iter().map(|&at| Share { at, known: 1 }).collect();
        // What the draft model has said is checked beside prompts too.
        let rows = shares.len() + self.modelled(&decoding);
        let left = self.room.rows.saturating_sub(rows);
        let room = if shares.is_empty() { left } else { left.min(self.pace.prefill_rows(rows)) };
        shares.extend(self.share_out(&prompts, room));
        if prompts.is_empty() {
            self.draft(&decoding);
        }
        self.take_pages(shares)
    }

    /// The part of one deterministic stream.
    pub(super) fn alone(mut self, at: usize) -> Vec<Share> {
        if !self.able(Stream::is_active).contains(&at) {
            return Vec::new();
        }
        let chunk = 1 << CHUNK.min(self.room.rows).ilog2();
        let known = self.streams[at].fixed_rows(chunk);
        self.take_pages(vec![Share { at, known }])
    }

    /// Active streams of a kind that can go on. Those that begin a page take what is known of it.
    fn able(&mut self, is_wanted: impl Fn(&Stream) -> bool) -> Vec<usize> {
        let first = self.streams.iter().position(Stream::is_active);
        let mut able = Vec::new();
        for at in 0..self.streams.len() {
            let stream = &self.streams[at];
            if !stream.is_active() || !is_wanted(stream) || !self.begin(at, first) {
                continue;
            }
            if !able.iter().any(|&other| self.computes_for(other, at)) {
                able.push(at);
            }
        }
        able
    }

    /// Whether a stream has begun, or may now: the first active one always, others where pages are plenty.
    fn begin(&mut self, at: usize, first: Option<usize>) -> bool {
        self.streams[at].adopt(self.cache);
        let may_begin = self.streams[at].has_begun() || first == Some(at) || self.has_pages_for(at);
        if may_begin {
            self.streams[at].begin();
        } else {
            self.give_up(at);
        }
        may_begin
    }

    /// Whether a stream that has not begun finds pages for all its tokens, and one more for each of the others.
    fn has_pages_for(&self, at: usize) -> bool {
        let stream = &self.streams[at];
        let missing = (stream.tokens().len() / PAGE_TOKENS + 1).saturating_sub(stream.sequence.pages());
        let others = self.streams.iter().filter(|other| other.sequence.pages() > 0).count();
        missing + others <= self.cache.free_pages()
    }

    /// Whether stream `one` is about to compute the page that stream `other` needs next.
    fn computes_for(&self, one: usize, other: usize) -> bool {
        let (one, other) = (&self.streams[one], &self.streams[other]);
        let (page, end) = (other.done() / PAGE_TOKENS, other.done() + PAGE_TOKENS);
        let is_beginning = other.done().is_multiple_of(PAGE_TOKENS) && end < other.tokens().len();
        let is_coming = (other.done()..end).contains(&one.done()) && !one.is_decoding();
        is_beginning
            && is_coming
            && one.sharing.joins(other.sharing, page)
            && one.tokens().get(..end) == other.tokens().get(..end)
    }

    /// Divides rows among prompts.
    fn share_out(&self, prompts: &[usize], room: usize) -> Vec<Share> {
        let mut clients: BTreeMap<u64, Vec<usize>> = BTreeMap::new();
        for &at in prompts {
            clients.entry(self.streams[at].client).or_default().push(at);
        }
        let wants =
            |streams: &[usize]| streams.iter().map(|&at| self.streams[at].pending()).collect::<Vec<_>>();
        let of_clients: Vec<usize> = clients.values().map(|streams| wants(streams).iter().sum()).collect();
        let rooms = divide(room, &of_clients);
        let shares = clients.values().zip(rooms).flat_map(|(streams, room)| {
            let parts = divide(room, &wants(streams));
            streams.iter().zip(parts).map(|(&at, known)| Share { at, known }).collect::<Vec<_>>()
        });
        shares.filter(|share| share.known > 0).collect()
    }

    /// Tokens that the draft model has said; none stay where there is no room for all.
    fn modelled(&mut self, decoding: &[usize]) -> usize {
        let drafted = decoding.iter().map(|&at| self.streams[at].drafted(1)).sum();
        if decoding.len() + drafted <= self.room.rows {
            return drafted;
        }
        decoding.iter().for_each(|&at| self.streams[at].guess.keep(0));
        0
    }

    /// Looks up what pays, the likeliest first, beside what the draft model has said.
    #[expect(clippy::cast_precision_loss, reason = "small counts")]
    fn draft(&mut self, decoding: &[usize]) {
        let modelled = decoding.iter().map(|&at| self.streams[at].guess.modelled().len()).sum::<usize>();
        let mut rows = decoding.len() + modelled;
        let mut tokens = decoding.len() as f32;
        let most = self.room.drafts.saturating_sub(modelled).min(self.room.rows.saturating_sub(rows));
        // What each stream may draft, and how likely it is that one more drafted token is chosen.
        let mut drafted = vec![0; decoding.len()];
        let mut right = vec![0.0; decoding.len()];
        for (slot, &at) in decoding.iter().enumerate() {
            let stream = &mut self.streams[at];
            if stream.guess.is_modelled() {
                tokens += stream.guess.expected();
            } else {
                right[slot] = stream.look_up(most);
            }
        }
        for _ in 0..most {
            let best = (0..decoding.len()).max_by(|&a, &b| f32::total_cmp(&right[a], &right[b]));
            let pays = |&slot: &usize| right[slot] > 0.0 && self.pace.pays(rows, tokens, right[slot]);
            let Some(slot) = best.filter(pays) else { break };
            (rows, tokens, drafted[slot]) = (rows + 1, tokens + right[slot], drafted[slot] + 1);
            let guess = &self.streams[decoding[slot]].guess;
            let has_more = drafted[slot] < guess.draft().len();
            right[slot] *= if has_more { guess.likely(drafted[slot]) } else { 0.0 };
        }
        for (&at, drafted) in decoding.iter().zip(drafted) {
            let guess = &mut self.streams[at].guess;
            guess.keep(guess.modelled().len().max(drafted));
        }
    }

    /// Takes the pages that the rows need, first for the first to come; leaves out who gets none.
    fn take_pages(&mut self, mut shares: Vec<Share>) -> Vec<Share> {
        shares.sort_unstable_by_key(|share| share.at);
        // Who loses its pages to one before it has not begun any more.
        shares.retain(|&share| self.streams[share.at].has_begun() && self.take_pages_of(share));
        shares
    }

    fn take_pages_of(&mut self, Share { at, known }: Share) -> bool {
        loop {
            let stream = &mut self.streams[at];
            let needed = stream.done() + known + stream.drafted(known);
            if self.cache.extend(&mut stream.sequence, needed) {
                return true;
            }
            let Some(victim) = self.victim(at) else {
                self.streams[at].guess.keep(0);
                return false;
            };
            self.give_up(victim);
        }
    }

    /// Who loses its pages for stream `at`: one that is paused, or else the last that came after it.
    fn victim(&self, at: usize) -> Option<usize> {
        let holds = |&other: &usize| other != at && self.streams[other].sequence.pages() > 0;
        let paused = (0..self.streams.len()).rev().filter(holds).find(|&other| self.streams[other].is_paused);
        paused.or_else(|| (at + 1..self.streams.len()).rev().find(holds))
    }

    fn give_up(&mut self, at: usize) {
        let stream = &mut self.streams[at];
        self.cache.truncate(&mut stream.sequence, 0);
        stream.restart();
    }
}

/// Divides `room` evenly: nobody gets more than it wants, and what one leaves goes to the others.
fn divide(room: usize, wants: &[usize]) -> Vec<usize> {
    let mut order: Vec<usize> = (0..wants.len()).collect();
    order.sort_by_key(|&at| wants[at]);
    let (mut room, mut parts) = (room, vec![0; wants.len()]);
    for (done, &at) in order.iter().enumerate() {
        parts[at] = wants[at].min(room.div_ceil(wants.len() - done));
        room -= parts[at];
    }
    parts
}

#[cfg(test)]
mod tests {
    use super::divide;

    #[test]
    fn rooms_are_divided_evenly_and_to_the_last_row() {
        assert_eq!(divide(30, &[100, 100, 100]), [10, 10, 10]);
        assert_eq!(divide(32, &[100, 100, 100]), [11, 11, 10]);
        assert_eq!(divide(30, &[100, 2, 100]), [14, 2, 14]);
        assert_eq!(divide(2, &[5, 5, 5]), [1, 1, 0]);
        assert_eq!(divide(100, &[5, 0, 7]), [5, 0, 7]);
        assert_eq!(divide(0, &[5]), [0]);
        assert!(divide(4, &[]).is_empty());
    }
}

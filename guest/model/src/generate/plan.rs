//! When the draft model has a pass, and for whom.
//!
//! - It drafts for streams that decode, while nobody waits for a prompt, one token of each in a pass.
//! - One more token is drafted where its expected part of the tokens is more than its part of the time: that of the draft
//!   model's pass and of one more row in the model's.
//! - A stream that it has not seen is caught up with in chunks, one between two passes of the model, so that all others keep
//!   their pace.
//! - [`Ledger`] holds down what all of that may cost.

use alloc::vec::Vec;

use super::drafter::{Drafter, Part};
use super::guess::Guess;
use super::ledger::Ledger;
use super::pace::{MARGIN, Pace};
use super::stream::Stream;
use super::turn::Room;

/// Tokens behind which a stream is not caught up with by and by: these are seen in the pass that drafts.
const READY: usize = 8;
/// A looked-up token takes no pass to draft. Where it is right at least this often, of how often the draft model's is, it is taken.
const LOOKED_UP: f32 = 0.75;
/// Tokens of a stream, the last, that the draft model begins with where seeing all of them costs too much.
const WINDOW: usize = 32;
/// Part of the balance that seeing all of a stream may cost.
const WHOLE: f32 = 0.5;
/// Rows of a chunk while nothing is known of costs.
const CHUNK_UNKNOWN: usize = 32;

/// Plans one pass of the draft model.
#[derive(Debug)]
pub(super) struct Planner<'a> {
    pub(super) streams: &'a mut [Stream],
    pub(super) drafter: &'a mut Drafter,
    pub(super) pace: &'a Pace,
    pub(super) ledger: &'a Ledger,
    pub(super) room: Room,
    /// Bytes of weights that one row of the model reads.
    pub(super) bytes_per_token: u64,
}

/// The model's next pass as it stands: rows, expected tokens, and streams among the rows.
#[derive(Clone, Copy, Debug)]
struct Round {
    rows: usize,
    tokens: f32,
    streams: usize,
}

/// A stream that may be drafted.
#[derive(Clone, Copy, Debug)]
struct Odds {
    at: usize,
    /// Tokens that the draft model has to see first.
    behind: usize,
    /// Probability that the next drafted token is chosen, and each after it.
    likely: f32,
    mean: f32,
}

impl Odds {
    fn is_ready(&self) -> bool {
        self.behind <= READY
    }
}

impl Planner<'_> {
    /// The parts of the draft model's next pass; none if the model's turn has come.
    pub(super) fn plan(mut self) -> Vec<Part> {
        let Some(decoding) = self.decoding() else { return Vec::new() };
        let round = self.round(&decoding);
        if self.pace.has_clock() && self.pace.known(round.streams).is_none() {
            // What passes take without drafts has to be known.
            return Vec::new();
        }
        let able: Vec<Odds> = decoding.iter().filter_map(|&at| self.odds(at)).collect();
        let ready = able.iter().copied().filter(Odds::is_ready).collect();
        let parts = self.extend(ready, round);
        if parts.is_empty() { self.catch_up(able, round) } else { parts }
    }

    /// The streams that share the next pass of the model, if each needs one row.
    fn decoding(&self) -> Option<Vec<usize>> {
        let shares = |&at: &usize| self.streams[at].is_active() && !self.streams[at].is_deterministic;
        let sharing: Vec<usize> = (0..self.streams.len()).filter(shares).collect();
        let decodes = |&at: &usize| self.streams[at].has_begun() && self.streams[at].is_decoding();
        (!sharing.is_empty() && sharing.iter().all(decodes)).then_some(sharing)
    }

    #[expect(clippy::cast_precision_loss, reason = "a small count")]
    fn round(&self, decoding: &[usize]) -> Round {
        let said = || decoding.iter().map(|&at| &self.streams[at].guess).filter(|guess| guess.is_modelled());
        let streams = decoding.len();
        let rows = streams + said().map(|guess| guess.draft().len()).sum::<usize>();
        Round { rows, tokens: streams as f32 + said().map(Guess::expected).sum::<f32>(), streams }
    }

    /// What a stream's next drafted token promises, where the draft model may draft it and lookup does not do as well.
    fn odds(&mut self, at: usize) -> Option<Odds> {
        let stream = &mut self.streams[at];
        if stream.draft_room() <= stream.guess.modelled().len() {
            return None;
        }
        let mean = stream.guess.trust.mean();
        if !stream.guess.is_modelled() && stream.look_up(self.room.drafts) >= LOOKED_UP * mean {
            return None;
        }
        let drafted = stream.guess.modelled().len();
        let likely = (0..drafted).map(|place| stream.guess.likely(place)).product::<f32>() * mean;
        let mut behind = self.drafter.behind(stream)?;
        if drafted == 0 && behind > WINDOW && !self.affords(behind) {
            let stream = &self.streams[at];
            self.drafter.restart(stream, WINDOW);
            behind = self.drafter.behind(stream)?;
        }
        Some(Odds { at, behind, likely, mean })
    }

    /// One more token of each of the streams of which it pays.
    fn extend(&self, ready: Vec<Odds>, round: Round) -> Vec<Part> {
        let paying = self.paying(ready, round);
        let mut parts: Vec<Part> =
            paying.iter().map(|odds| Part { at: odds.at, rows: odds.behind }).collect();
        let mut rows = 0;
        parts.retain(|part| {
            rows += part.rows;
            rows <= self.drafter.max_rows()
        });
        parts
    }

    /// The streams that pay together: all without the least likely ones.
    fn paying(&self, mut able: Vec<Odds>, round: Round) -> Vec<Odds> {
        able.sort_by(|one, other| other.likely.total_cmp(&one.likely));
        able.truncate(self.most_rows(round).saturating_sub(round.rows));
        while !able.is_empty() && !self.pays(&able, round) {
            able.pop();
        }
        able
    }

    /// Most rows of the model's next pass.
    fn most_rows(&self, round: Round) -> usize {
        (round.streams + self.room.drafts).min(self.room.rows)
    }

    /// Whether it pays to draft one more token of each of these streams, or several, before the model has its pass.
    fn pays(&self, next: &[Odds], round: Round) -> bool {
        let Some(before) = self.pace.estimate(round.rows) else {
            return next.iter().all(|odds| odds.likely > 0.5);
        };
        // Those that are caught up with are seen token by token then.
        let seen = next.iter().map(|odds| if odds.is_ready() { odds.behind } else { 1 }).sum();
        let Some(one) = self.estimate(seen) else { return false };
        let now = self.ledger.sunk() + before;
        let mut likely: Vec<f32> = next.iter().map(|odds| odds.likely).collect();
        let (mut rows, mut more, mut spent) = (round.rows, 0.0, 0.0);
        while rows + next.len() <= self.most_rows(round) {
            rows += next.len();
            more += likely.iter().sum::<f32>();
            spent += one;
            let cost = spent + (self.pace.estimate(rows).unwrap_or(before) - before).max(0.0);
            if cost > self.ledger.balance() {
                return false;
            }
            if more * now > MARGIN * round.tokens * cost {
                return true;
            }
            likely.iter_mut().zip(next).for_each(|(likely, odds)| *likely *= odds.mean);
        }
        false
    }

    /// A chunk of the likeliest stream that is worth it, of those that would pay if all were caught up with.
    fn catch_up(&mut self, able: Vec<Odds>, round: Round) -> Vec<Part> {
        if self.drafter.has_caught_up {
            return Vec::new();
        }
        let paying = self.paying(able, round);
        let chunk = self.chunk(round);
        let part = paying.iter().filter(|odds| !odds.is_ready()).find(|odds| self.is_worth(**odds, round));
        self.drafter.has_caught_up = part.is_some();
        part.map(|odds| Part { at: odds.at, rows: odds.behind.min(chunk) }).into_iter().collect()
    }

    /// Rows of a chunk that takes no longer than a pass that decodes; one at least.
    fn chunk(&self, round: Round) -> usize {
        let most = self.drafter.max_rows();
        let Some(plain) = self.pace.estimate(round.streams) else { return most.min(CHUNK_UNKNOWN) };
        let is_short = |&rows: &usize| self.estimate(rows).is_some_and(|ns| ns <= plain);
        let halves = core::iter::successors(Some(most), |rows| Some(rows / 2).filter(|&rows| rows > 0));
        halves.clone().find(is_short).unwrap_or(1)
    }

    /// Whether what a stream is behind is paid for with what its first draft takes, and takes at most half as long as what may
    /// be left of the answer.
    #[expect(clippy::cast_precision_loss, reason = "a count of tokens")]
    fn is_worth(&self, odds: Odds, round: Round) -> bool {
        let (Some(plain), Some(all)) = (self.pace.estimate(round.streams), self.all(odds.behind)) else {
            return !self.pace.has_clock();
        };
        let first = self.estimate(1).unwrap_or(plain);
        all + 2.0 * first <= self.ledger.balance() && 2.0 * all <= self.streams[odds.at].left() as f32 * plain
    }

    /// Whether seeing that many tokens costs a small part of the balance; where nothing is known of costs it does.
    fn affords(&self, tokens: usize) -> bool {
        let is_small = |ns: f32| ns <= WHOLE * self.ledger.balance();
        !self.pace.has_clock() || self.all(tokens).is_some_and(is_small)
    }

    /// What it takes to see that many tokens, in ns.
    #[expect(clippy::cast_precision_loss, reason = "a count of tokens")]
    fn all(&self, tokens: usize) -> Option<f32> {
        let rows = tokens.min(self.drafter.max_rows()).max(1);
        Some(self.estimate(rows)? * tokens as f32 / rows as f32)
    }

    /// What a pass of the draft model takes, in ns.
    fn estimate(&self, rows: usize) -> Option<f32> {
        self.drafter.estimate(rows, self.pace, self.bytes_per_token)
    }
}

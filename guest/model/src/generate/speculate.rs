//! Steps that may be passes of a draft model, what passes take, and how drafts do.

use alloc::vec::Vec;

use super::batcher::Batcher;
use super::drafter::{Drafter, Part};
use super::plan::Planner;
use super::request::{Event, Vocabulary};
use super::turn::Share;
use crate::transformer::Engine;
use crate::weights::Weights;

/// Drafted tokens that were checked, and those that were chosen.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct DraftCounts {
    /// Checked.
    pub drafted: u64,
    /// Chosen.
    pub right: u64,
}

/// How drafts did so far.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Speculation {
    /// Passes of the model.
    pub passes: u64,
    /// Rows of those: tokens of prompts and of answers, and what was drafted.
    pub rows: u64,
    /// Passes of the draft model.
    pub draft_passes: u64,
    /// Tokens of answers.
    pub tokens: u64,
    /// Tokens that were looked up.
    pub looked_up: DraftCounts,
    /// Tokens that the draft model said.
    pub modelled: DraftCounts,
}

/// What the last step was.
#[derive(Clone, Copy, Debug)]
pub(super) enum Last {
    /// A pass of the draft model.
    Draft,
    /// A pass of the model, in which no draft of the draft model was checked.
    Plain {
        /// Whether it read no prompt.
        is_decoding: bool,
    },
    /// One in which some were. What its tokens had taken without is known at its end, by the streams it decoded.
    Checked {
        /// Streams.
        streams: usize,
        /// Tokens.
        tokens: usize,
    },
}

impl Default for Last {
    fn default() -> Self {
        Self::Plain { is_decoding: false }
    }
}

impl<V: Vocabulary> Batcher<V> {
    /// Lets a draft model draft what cannot be looked up, in steps of [`Self::step_with_draft`].
    pub fn set_drafter(&mut self, drafter: Drafter) {
        self.drafter = Some(drafter);
    }

    /// The draft model, if there is one.
    #[must_use]
    pub fn drafter(&self) -> Option<&Drafter> {
        self.drafter.as_ref()
    }

    /// Whether the last step was a pass of the draft model.
    #[must_use]
    pub fn is_draft(&self) -> bool {
        matches!(self.last, Last::Draft)
    }

    /// How drafts did so far.
    #[must_use]
    pub fn speculation(&self) -> Speculation {
        self.speculation
    }

    /// As [`Self::step`], or one pass of the draft model, which tells nothing. Where a pass of the draft model fails it has no
    /// other, and [`Drafter::error`] says why.
    pub fn step_with_draft(
        &mut self,
        weights: &mut impl Weights,
        draft: &mut impl Weights,
        engine: Engine<'_>,
    ) -> Vec<Event> {
        self.admit();
        let parts = self.plan();
        if self.draft(&parts, draft, engine) { Vec::new() } else { self.step(weights, engine) }
    }

    fn plan(&mut self) -> Vec<Part> {
        let room = self.room();
        if self.next_is_alone().is_some() || room.drafts == 0 {
            return Vec::new();
        }
        let Some(drafter) = self.drafter.as_mut().filter(|drafter| drafter.error().is_none()) else {
            return Vec::new();
        };
        let bytes_per_token = self.model.bytes_per_token();
        let (streams, pace, ledger) = (&mut self.streams[..], &self.pace, &self.ledger);
        Planner { streams, drafter, pace, ledger, room, bytes_per_token }.plan()
    }

    /// Runs a pass of the draft model; `false` if there was none.
    fn draft(&mut self, parts: &[Part], weights: &mut impl Weights, engine: Engine<'_>) -> bool {
        let Some(drafter) = self.drafter.as_mut().filter(|_| !parts.is_empty()) else { return false };
        let vocabulary = (&self.vocabulary, self.model.config.vocabulary);
        let rows = drafter.run(&mut self.streams, parts, vocabulary, weights, engine);
        if rows > 0 {
            (self.rows, self.last) = (rows, Last::Draft);
            self.speculation.draft_passes += 1;
        }
        rows > 0
    }

    /// Tells how long the last step took: what rows cost decides how many rows of prompts run beside decoding streams, how
    /// much is drafted, and whether the draft model is of use. Without it all of them go by fixed counts.
    #[expect(clippy::cast_precision_loss, reason = "estimates")]
    pub fn note_pass(&mut self, ns: u64) {
        if self.rows == 0 {
            return;
        }
        let spent = ns as f32;
        match self.last {
            Last::Draft => {
                self.ledger.spend(spent);
                if let Some(drafter) = &mut self.drafter {
                    drafter.note(self.rows, ns, &self.pace);
                }
                return;
            }
            Last::Plain { is_decoding } => {
                self.ledger.earn(spent, spent, spent);
                if is_decoding {
                    self.ledger.lend(spent);
                }
            }
            Last::Checked { streams, tokens } => {
                let one = self.pace.estimate(streams).unwrap_or(spent);
                self.ledger.earn(spent, one * tokens as f32 / streams.max(1) as f32, one);
            }
        }
        self.pace.note(self.rows, ns);
    }

    /// What a pass of these parts is.
    pub(super) fn last_of(&mut self, shares: &[Share]) -> Last {
        if let Some(drafter) = &mut self.drafter {
            drafter.wait();
        }
        let stream = |share: &Share| &self.streams[share.at];
        let is_decoding = shares.iter().all(|share| stream(share).is_decoding());
        let is_checked = shares.iter().any(|share| stream(share).guess.is_modelled());
        let streams = shares.len();
        if is_decoding && is_checked {
            Last::Checked { streams, tokens: 0 }
        } else {
            Last::Plain { is_decoding }
        }
    }

    /// Takes note of what a pass gave.
    pub(super) fn count(&mut self, shares: &[Share], events: &[Event]) {
        let told = events.iter().filter(|event| matches!(event, Event::Token { .. })).count();
        self.speculation.passes += 1;
        self.speculation.rows += self.rows as u64;
        self.speculation.tokens += told as u64;
        if let Last::Checked { tokens, .. } = &mut self.last {
            *tokens = told;
        }
        for share in shares {
            let checked = self.streams[share.at].guess.checked();
            let Speculation { modelled, looked_up, .. } = &mut self.speculation;
            let counts = if checked.is_modelled { modelled } else { looked_up };
            counts.drafted += checked.drafted as u64;
            counts.right += checked.right as u64;
        }
    }
}

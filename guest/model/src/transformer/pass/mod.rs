//! One pass: all layers for one batch of rows.

mod attend;
mod experts;
mod feed_forward;
mod head;
pub(super) mod products;
mod room;
mod step;

use vial_tensor::{Isa, Team, dequantize_row};

use self::room::Room;
use self::step::Step;
use super::angles::Angles;
use super::scales::{Scales, require_finite};
use super::{PassError, Transformer};
use crate::kv::{KvCache, Sequence};
use crate::weights::Weights;

/// One token of one sequence in a pass.
#[derive(Clone, Copy, Debug)]
pub struct Row<'a> {
    /// The token.
    pub token: u32,
    /// Its place in the sequence, from 0; all places before it are in the cache or in this pass before it.
    pub position: usize,
    /// Its sequence; must have room for `position`.
    pub sequence: &'a Sequence,
    /// Whether the logits behind it are wanted.
    pub wants_logits: bool,
}

/// What computes.
#[derive(Clone, Copy, Debug)]
pub struct Engine<'a> {
    /// The cpus.
    pub team: &'a Team<'a>,
    /// Their instruction set.
    pub isa: Isa,
}

impl Engine<'_> {
    /// The same, in the way in which the bits of a row of up to 32 do not hang on their number.
    pub(crate) fn steady(self) -> Self {
        Self { isa: self.isa.steady(), ..self }
    }
}

/// Activation memory of passes of up to a fixed number of rows.
#[derive(Debug)]
pub struct Pass {
    max_rows: usize,
    angles: Option<Angles>,
    scales: Scales,
    room: Room,
}

impl Pass {
    /// Memory for passes of up to `max_rows` rows.
    #[must_use]
    pub fn new(model: &Transformer, max_rows: usize) -> Self {
        let room = Room::new(&model.config, max_rows);
        Self { max_rows, angles: None, scales: Scales::default(), room }
    }

    /// Most rows of a pass.
    #[must_use]
    pub fn max_rows(&self) -> usize {
        self.max_rows
    }

    /// Bytes of activations that [`Self::new`] takes.
    #[must_use]
    pub fn bytes(model: &Transformer, max_rows: usize) -> u64 {
        Room::bytes(&model.config, max_rows)
    }

    /// Runs all layers; gives the logits `[wanted, vocabulary]` of the rows that want them, in order.
    ///
    /// # Errors
    /// Weights that cannot be read, differ or are no numbers, a token outside the vocabulary, logits that are no numbers. The rows'
    /// places in the cache are then undefined, and no logits leave.
    ///
    /// # Panics
    /// If there are no rows or more than [`Self::max_rows`].
    pub fn run(
        &mut self,
        model: &Transformer,
        weights: &mut impl Weights,
        cache: &mut KvCache,
        engine: Engine<'_>,
        rows: &[Row<'_>],
    ) -> Result<&[f32], PassError> {
        let mut step = self.layers(model, weights, cache, engine, rows)?;
        let wanted = step.last_norm()?;
        step.logits(wanted)?;
        Ok(&self.room.logits)
    }

    /// Runs all layers; gives the states `[wanted, width]` behind the last norm, of the rows that want them, in order:
    /// what the output matrix would be multiplied with.
    ///
    /// # Errors
    /// As [`Self::run`].
    ///
    /// # Panics
    /// As [`Self::run`].
    pub fn states(
        &mut self,
        model: &Transformer,
        weights: &mut impl Weights,
        cache: &mut KvCache,
        engine: Engine<'_>,
        rows: &[Row<'_>],
    ) -> Result<&[f32], PassError> {
        let wanted = self.layers(model, weights, cache, engine, rows)?.last_norm()?;
        let states = &self.room.branch[..wanted * model.config.width];
        let is_finite = states.iter().all(|element| element.is_finite());
        if is_finite { Ok(states) } else { Err(PassError::StateNotFinite) }
    }

    fn layers<'a, W: Weights>(
        &'a mut self,
        model: &'a Transformer,
        weights: &'a mut W,
        cache: &mut KvCache,
        engine: Engine<'a>,
        rows: &'a [Row<'a>],
    ) -> Result<Step<'a, W>, PassError> {
        assert!((1..=self.max_rows).contains(&rows.len()), "{} rows", rows.len());
        let is_long = cache.plan().context > model.config.rope.original_context;
        self.set_angles(model, weights, is_long, rows)?;
        let mut step = Step { pass: self, model, weights, engine, rows };
        step.embed()?;
        for (at, layer) in model.layout.layers.iter().enumerate() {
            step.keep(layer.vectors())?;
            step.attend(at, &layer.attention, cache)?;
            step.feed_forward(layer)?;
        }
        Ok(step)
    }

    fn set_angles(
        &mut self,
        model: &Transformer,
        weights: &mut impl Weights,
        is_long: bool,
        rows: &[Row<'_>],
    ) -> Result<(), PassError> {
        let positions = rows.iter().map(|row| row.position);
        if let Some(angles) = &mut self.angles {
            angles.set(positions);
            return Ok(());
        }
        let divisors = &model.layout.divisors;
        let divisors = if is_long { &divisors.long } else { &divisors.short };
        let mut numbers = alloc::vec![0.0; divisors.as_ref().map_or(0, |divisors| divisors.columns)];
        if let Some(divisors) = divisors {
            self.scales.keep(Isa::PORTABLE, weights, divisors)?;
            dequantize_row(Isa::PORTABLE, divisors.kind, weights.bytes(divisors.range.clone()), &mut numbers);
        }
        let mut angles = Angles::new(&model.config.rope, divisors.as_ref().map(|_| &*numbers));
        angles.set(positions);
        self.angles = Some(angles);
        Ok(())
    }
}

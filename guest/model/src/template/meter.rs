//! What a rendering may still use, and text that is written within it.

use alloc::string::String;
use core::cell::Cell;

use super::value::{Text, Value, Written};
use super::{Fault, Limit};

/// Most nodes, expressions and elements that one rendering visits.
const STEPS_MAX: usize = 1 << 22;
/// Most bytes that one rendering allocates, all in all. A conversation that fills a long context takes a small part.
const BYTES_MAX: usize = 128 << 20;

/// Counts down.
#[derive(Debug)]
pub(super) struct Meter {
    steps: Cell<usize>,
    bytes: Cell<usize>,
}

impl Meter {
    pub(super) fn new() -> Self {
        Self { steps: Cell::new(STEPS_MAX), bytes: Cell::new(BYTES_MAX) }
    }

    /// Takes steps.
    pub(super) fn steps(&self, count: usize) -> Result<(), Fault> {
        take(&self.steps, count, Limit::Steps)
    }

    /// Takes bytes.
    pub(super) fn bytes(&self, count: usize) -> Result<(), Fault> {
        take(&self.bytes, count, Limit::Memory)
    }

    /// Takes what another copy of a text takes.
    pub(super) fn text(&self, text: &Text) -> Result<(), Fault> {
        self.bytes(taken(text))
    }

    /// What was made of all of a text, as upper case.
    pub(super) fn changed(&self, text: &Text, into: String) -> Result<Value, Fault> {
        self.bytes(into.len())?;
        Ok(Value::Text(text.changed(into)))
    }

    /// A part of a text, as cut out by the methods of `str`.
    pub(super) fn part(&self, text: &Text, part: &str) -> Result<Value, Fault> {
        let mut out = self.writer();
        out.push_part(text, part)?;
        Ok(out.done())
    }

    /// A text to write.
    pub(super) fn writer(&self) -> Writer<'_> {
        Writer { meter: self, out: Written::default() }
    }
}

fn take(left: &Cell<usize>, count: usize, limit: Limit) -> Result<(), Fault> {
    left.set(left.get().checked_sub(count).ok_or(Fault::Limit { limit })?);
    Ok(())
}

/// A text that grows within the meter.
#[derive(Debug)]
pub(super) struct Writer<'a> {
    meter: &'a Meter,
    out: Written,
}

/// Bytes that a range of a text takes.
const RANGE_BYTES: usize = 16;

impl Writer<'_> {
    /// Appends what is neither the template's nor a part of a text, as the comma of a list.
    pub(super) fn push(&mut self, text: &str) -> Result<(), Fault> {
        self.push_as(text, false)
    }

    /// Appends what the template wrote (`is_own`) or was given.
    pub(super) fn push_as(&mut self, text: &str, is_own: bool) -> Result<(), Fault> {
        self.meter.bytes(text.len())?;
        self.out.push(text, is_own);
        Ok(())
    }

    /// Appends a text.
    pub(super) fn push_text(&mut self, text: &Text) -> Result<(), Fault> {
        self.meter.text(text)?;
        self.out.push_text(text);
        Ok(())
    }

    /// Appends a part of a text, as cut out by the methods of `str`.
    pub(super) fn push_part(&mut self, text: &Text, part: &str) -> Result<(), Fault> {
        let ranges = text.ranges().min(part.len());
        self.meter.bytes(part.len().saturating_add(ranges.saturating_mul(RANGE_BYTES)))?;
        self.out.push_part(text, part);
        Ok(())
    }

    /// Appends `text` `count` times.
    pub(super) fn repeat(&mut self, text: &Text, count: usize) -> Result<(), Fault> {
        let is_own = text.is_own();
        if is_own || text.ranges() == 0 {
            self.meter.bytes(text.len().saturating_mul(count))?;
            self.out.push(&text.repeat(count), is_own);
        } else {
            self.meter.bytes(taken(text).saturating_mul(count))?;
            (0..count).for_each(|_| self.out.push_text(text));
        }
        Ok(())
    }

    /// Appends `count` times what is neither the template's nor a part of a text.
    pub(super) fn fill(&mut self, with: &str, count: usize) -> Result<(), Fault> {
        self.meter.bytes(with.len().saturating_mul(count))?;
        self.out.push(&with.repeat(count), false);
        Ok(())
    }

    /// Another text of the same meter.
    pub(super) fn beside(&self) -> Self {
        Writer { meter: self.meter, out: Written::default() }
    }

    pub(super) fn text(self) -> Text {
        self.out.done()
    }

    pub(super) fn done(self) -> Value {
        Value::Text(self.text())
    }
}

fn taken(text: &Text) -> usize {
    text.len().saturating_add(text.ranges().saturating_mul(RANGE_BYTES))
}

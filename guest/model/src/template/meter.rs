//! What a rendering may still use, and text that is written within it.

use alloc::string::String;
use core::cell::Cell;

use super::value::Value;
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

    /// A text that was made already, no longer than one that it was made from.
    pub(super) fn text(&self, text: String) -> Result<Value, Fault> {
        self.bytes(text.len())?;
        Ok(Value::Text(text.into()))
    }

    /// A text to write.
    pub(super) fn writer(&self) -> Writer<'_> {
        Writer { meter: self, out: String::new() }
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
    pub(super) out: String,
}

impl Writer<'_> {
    pub(super) fn push(&mut self, text: &str) -> Result<(), Fault> {
        self.meter.bytes(text.len())?;
        self.out.push_str(text);
        Ok(())
    }

    /// Pushes `text` `count` times.
    pub(super) fn repeat(&mut self, text: &str, count: usize) -> Result<(), Fault> {
        self.meter.bytes(text.len().saturating_mul(count))?;
        (0..count).for_each(|_| self.out.push_str(text));
        Ok(())
    }

    /// Another text of the same meter.
    pub(super) fn beside(&self) -> Self {
        Writer { meter: self.meter, out: String::new() }
    }

    pub(super) fn done(self) -> Value {
        Value::Text(self.out.into())
    }
}

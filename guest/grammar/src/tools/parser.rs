//! What an answer is while it comes: text, and calls of tools.

use alloc::string::String;
use alloc::vec::Vec;

use super::format::CallFormat;
use super::header::{Met, held_from, meet};
use super::scan::{Scan, Scanned};

/// Longest name that is waited for, in bytes.
const MAX_NAME: usize = 256;

/// Something that became certain. Content: never to be logged.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Delta {
    /// Text outside of calls.
    Text(String),
    /// A call begins.
    Call {
        /// Which of the answer's calls, from 0.
        index: usize,
        /// The tool's name.
        name: String,
    },
    /// More of a call's arguments, as JSON.
    Arguments {
        /// Which of the answer's calls.
        index: usize,
        /// The next piece; all pieces together are the arguments.
        fragment: String,
    },
}

/// Where the parser is.
#[derive(Clone, Copy, Debug)]
enum State {
    /// At the start of the answer, of a format whose calls come only there.
    Start,
    /// In text that may yet hold the trigger.
    Text,
    /// In front of the first call.
    Open,
    Name,
    Arguments(Scan),
    /// Behind a call's arguments.
    After,
    /// Behind a call: another, or the end.
    Next,
    /// In text that holds no more calls.
    Rest,
}

/// Turns an answer's text into text and calls, as it comes.
///
/// Marks of the format are never given out, not in part either: a text that may become one is held until it is certain.
/// A text that turns out to be no call is given as text. From the model: untrusted.
#[derive(Clone, Debug)]
pub struct CallParser {
    format: &'static CallFormat,
    state: State,
    pending: String,
    calls: usize,
}

impl CallParser {
    /// A parser at the start of an answer.
    #[must_use]
    pub const fn new(format: &'static CallFormat) -> Self {
        let state = if format.is_only_at_start { State::Start } else { State::Text };
        Self { format, state, pending: String::new(), calls: 0 }
    }

    /// Calls that have begun.
    #[must_use]
    pub const fn calls(&self) -> usize {
        self.calls
    }

    /// Takes the next piece of the answer; gives what became certain.
    pub fn push(&mut self, text: &str) -> Vec<Delta> {
        self.pending.push_str(text);
        let mut deltas = Vec::new();
        while self.step(&mut deltas) {}
        deltas
    }

    /// Ends the answer; gives text that was held. Marks of a call that was cut short are dropped.
    pub fn finish(&mut self) -> Vec<Delta> {
        let mut deltas = Vec::new();
        match self.state {
            State::Start | State::Text | State::Rest => self.give_text(self.pending.len(), &mut deltas),
            State::Open | State::Name | State::Arguments(_) | State::After | State::Next => {
                self.pending.clear()
            }
        }
        deltas
    }

    /// One step; `false` if nothing more can be said of what is pending.
    fn step(&mut self, deltas: &mut Vec<Delta>) -> bool {
        if self.pending.is_empty() {
            return false;
        }
        match self.state {
            State::Start => self.start(),
            State::Text => self.text(deltas),
            State::Open => self.head(self.format.open),
            State::Name => self.name(deltas),
            State::Arguments(scan) => self.arguments(scan, deltas),
            State::After => self.expect([self.format.after, ""], State::Next),
            State::Next => self.next(),
            State::Rest => {
                self.give_text(self.pending.len(), deltas);
                false
            }
        }
    }

    fn start(&mut self) -> bool {
        let (met, _) = meet(&self.pending, [self.format.trigger, ""]);
        match met {
            Met::Whole => self.state = State::Open,
            Met::Other => self.state = State::Rest,
            Met::Part => return false,
        }
        true
    }

    fn text(&mut self, deltas: &mut Vec<Delta>) -> bool {
        let found = self.pending.find(self.format.trigger);
        let end = found.unwrap_or_else(|| held_from(&self.pending, self.format.trigger));
        self.give_text(end, deltas);
        if found.is_some() {
            self.state = State::Open;
        }
        found.is_some()
    }

    /// What stands between `before` and a name.
    fn head(&mut self, before: &str) -> bool {
        self.expect([before, self.format.before_name], State::Name)
    }

    fn name(&mut self, deltas: &mut Vec<Delta>) -> bool {
        let Some(end) = self.pending.find(self.format.before_arguments) else {
            let is_lost = self.pending.len() > MAX_NAME + self.format.before_arguments.len();
            if is_lost {
                self.state = State::Rest;
            }
            return is_lost;
        };
        let name = self.take(end);
        self.take(self.format.before_arguments.len());
        deltas.push(Delta::Call { index: self.calls, name });
        self.calls += 1;
        self.state = State::Arguments(Scan::default());
        true
    }

    fn arguments(&mut self, mut scan: Scan, deltas: &mut Vec<Delta>) -> bool {
        let end = match scan.push(&self.pending) {
            Scanned::Other => {
                self.state = State::Rest;
                return true;
            }
            Scanned::Inside => {
                self.state = State::Arguments(scan);
                self.pending.len()
            }
            Scanned::Ends(end) => {
                self.state = if self.format.after.is_empty() { State::Next } else { State::After };
                end
            }
        };
        let fragment = self.take(end);
        deltas.push(Delta::Arguments { index: self.calls.saturating_sub(1), fragment });
        true
    }

    /// Another call, the end of all, or a text behind them.
    fn next(&mut self) -> bool {
        let close = self.format.close;
        if let Some(between) = self.format.between {
            match meet(&self.pending, [between, self.format.before_name]).0 {
                Met::Whole => return self.head(between),
                Met::Part => return false,
                Met::Other => {}
            }
        }
        if close.is_empty() {
            self.state = State::Rest;
            return true;
        }
        self.expect([close, ""], State::Rest)
    }

    /// Goes past a text that must come next; anything else is text.
    fn expect(&mut self, expected: [&str; 2], then: State) -> bool {
        let (met, length) = meet(&self.pending, expected);
        match met {
            Met::Whole => {
                self.take(length);
                self.state = then;
            }
            Met::Other => self.state = State::Rest,
            Met::Part => return false,
        }
        true
    }

    fn give_text(&mut self, end: usize, deltas: &mut Vec<Delta>) {
        if end > 0 {
            let text = self.take(end);
            deltas.push(Delta::Text(text));
        }
    }

    /// The first bytes of what is pending, which end between characters.
    fn take(&mut self, end: usize) -> String {
        self.pending.drain(..end).collect()
    }
}

//! What an agent bundle says: `agent.toml` as a typed [`Agent`].
//!
//! Read twice: by `vial build`, which refuses a bundle that no appliance would take, and by the engine, from measured
//! bytes. Keys that are not known are refused by name: a typing error must not silently change an agent.
#![no_std]
#![forbid(unsafe_code)]

extern crate alloc;

use alloc::format;
use alloc::string::{String, ToString as _};
use serde::Deserialize;
use vial_weights::bundle::{self, BundleError};

/// Name of the file in the bundle.
pub const FILE: &str = "agent.toml";

/// What the agent is.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Agent {
    /// Its name, for people.
    pub name: String,
    /// System message in front of every conversation that has none; empty for none.
    pub prompt: String,
    /// Sampling where a request says nothing.
    pub sampling: Defaults,
    /// What others than a request's client may learn of it.
    pub privacy: Privacy,
}

/// What others than a request's client may learn of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Privacy {
    /// Counts of tokens in `/metrics`, which everybody may ask for, are rounded down to multiples of this.
    pub round_tokens: u32,
}

impl Default for Privacy {
    fn default() -> Self {
        Self { round_tokens: 1 }
    }
}

impl Privacy {
    fn check(self) -> Result<(), AgentError> {
        let (key, expected) = ("round_tokens", "1 to 65536");
        #[expect(clippy::cast_precision_loss, reason = "shown to people")]
        let found = self.round_tokens as f32;
        let is_right = (1..=65_536).contains(&self.round_tokens);
        if is_right { Ok(()) } else { Err(AgentError::Range { key, found, expected }) }
    }
}

/// Sampling where a request says nothing.
#[derive(Clone, Copy, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Defaults {
    /// 0 takes the likeliest token always.
    pub temperature: f32,
    /// Only the k likeliest tokens; 0 for all.
    pub top_k: u32,
    /// Only the likeliest tokens that together have this probability.
    pub top_p: f32,
    /// Only tokens at least this fraction as likely as the likeliest.
    pub min_p: f32,
    /// Divides the logits of tokens seen before; 1 for none.
    pub repetition_penalty: f32,
    /// Most tokens of an answer; 0 for what the context holds.
    pub max_tokens: u32,
}

impl Default for Defaults {
    fn default() -> Self {
        Self { temperature: 0.7, top_k: 0, top_p: 0.95, min_p: 0.0, repetition_penalty: 1.0, max_tokens: 0 }
    }
}

/// Why a bundle is no agent.
#[derive(Clone, Debug, PartialEq)]
pub enum AgentError {
    /// The bundle's blob.
    Bundle(BundleError),
    /// `agent.toml` is not UTF-8.
    Text,
    /// A line of `agent.toml`.
    Toml {
        /// The line, from 1.
        line: usize,
        /// What is wrong with it.
        message: String,
    },
    /// A number out of range.
    Range {
        /// Its key.
        key: &'static str,
        /// What was found.
        found: f32,
        /// What is expected.
        expected: &'static str,
    },
}

impl core::fmt::Display for AgentError {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        match self {
            Self::Bundle(error) => error.fmt(f),
            Self::Text => write!(f, "{FILE}: found other bytes, expected UTF-8 text"),
            Self::Toml { line, message } => write!(f, "{FILE} line {line}: {message}"),
            Self::Range { key, found, expected } => {
                write!(f, "{FILE} {key}: found {found}, expected {expected}")
            }
        }
    }
}

impl core::error::Error for AgentError {}

impl Agent {
    /// The agent of a bundle's blob; the default one where the bundle has no [`FILE`].
    ///
    /// # Errors
    /// The blob or the file is malformed.
    pub fn from_bundle(blob: &[u8]) -> Result<Self, AgentError> {
        let files = bundle::decode(blob).map_err(AgentError::Bundle)?;
        match files.iter().find(|file| file.path == FILE) {
            Some(file) => Self::parse(core::str::from_utf8(&file.bytes).map_err(|_| AgentError::Text)?),
            None => Ok(Self::default()),
        }
    }

    /// Reads `agent.toml`.
    ///
    /// # Errors
    /// The line that is not understood, or the number out of range.
    pub fn parse(text: &str) -> Result<Self, AgentError> {
        let agent: Self = toml::from_str(text).map_err(|error| {
            let start = error.span().map_or(0, |span| span.start);
            let line = text.bytes().take(start).filter(|&byte| byte == b'\n').count() + 1;
            AgentError::Toml { line, message: one_line(error.message()) }
        })?;
        agent.sampling.check()?;
        agent.privacy.check()?;
        Ok(agent)
    }
}

impl Defaults {
    fn check(&self) -> Result<(), AgentError> {
        let range = |key, found, is_right: bool, expected| {
            if is_right { Ok(()) } else { Err(AgentError::Range { key, found, expected }) }
        };
        range("temperature", self.temperature, (0.0..=2.0).contains(&self.temperature), "0 to 2")?;
        range("top_p", self.top_p, self.top_p > 0.0 && self.top_p <= 1.0, "above 0, at most 1")?;
        range("min_p", self.min_p, (0.0..=1.0).contains(&self.min_p), "0 to 1")?;
        let penalty = self.repetition_penalty;
        range("repetition_penalty", penalty, penalty > 0.0 && penalty <= 2.0, "above 0, at most 2")
    }
}

fn one_line(message: &str) -> String {
    let mut lines = message.lines();
    let first = lines.next().unwrap_or_default().to_string();
    lines.fold(first, |all, line| format!("{all}; {line}"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::vec;
    use vial_weights::bundle::{File, encode};

    #[test]
    fn a_bundle_with_and_without_a_file_gives_an_agent() {
        assert_eq!(Agent::from_bundle(&encode(vec![]).unwrap()), Ok(Agent::default()));
        let bytes = b"name = \"a\"\nprompt = \"Be brief.\"\n[sampling]\ntemperature = 0.0\n".to_vec();
        let blob = encode(vec![File { path: FILE.to_string(), bytes }]).unwrap();
        let agent = Agent::from_bundle(&blob).unwrap();
        assert_eq!((agent.name.as_str(), agent.prompt.as_str()), ("a", "Be brief."));
        assert_eq!(agent.sampling, Defaults { temperature: 0.0, ..Defaults::default() });
    }

    #[test]
    fn unknown_keys_wrong_types_and_ranges_are_named_with_their_line() {
        let line = |text| match Agent::parse(text) {
            Err(AgentError::Toml { line, message }) => (line, message),
            other => panic!("{other:?}"),
        };
        let (at, message) = line("name = \"a\"\npromt = \"b\"\n");
        assert_eq!(at, 2);
        assert!(message.contains("unknown field `promt`"), "{message}");
        assert_eq!(line("\n\nname = 1\n").0, 3);
        assert_eq!(line("name = \n").0, 1);
        let range = Agent::parse("[sampling]\ntop_p = 0.0\n").unwrap_err().to_string();
        assert_eq!(range, "agent.toml top_p: found 0, expected above 0, at most 1");
        let range = Agent::parse("[privacy]\nround_tokens = 0\n").unwrap_err().to_string();
        assert_eq!(range, "agent.toml round_tokens: found 0, expected 1 to 65536");
    }
}

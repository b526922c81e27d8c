//! The file's own chat template: the part of Jinja that published templates use.
//!
//! Known: text, output, `if`, `for` (with `loop`, filter and `else`), `set` (names and namespace fields), comments,
//! white-space control with `trim_blocks` and `lstrip_blocks` as model hubs set them, the filters of [`filter`], tests,
//! slices and string methods. Anything else is refused by name with its line: when the image is built, not in a request.
//!
//! Trust: templates are measured, and still bounded in steps and output.

mod eval;
mod expression;
mod filter;
mod lex;
mod parse;
#[cfg(test)]
mod tests;
mod value;

use alloc::string::String;
use alloc::vec::Vec;

pub use value::Value;

/// Why a template cannot be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("chat template line {line}: {what}")]
pub struct TemplateError {
    /// The line, from 1.
    pub line: usize,
    /// What is wrong. From the template, or what it raised; never from messages.
    pub what: String,
}

/// One message of a conversation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Message {
    /// `system`, `user`, `assistant`.
    pub role: String,
    /// Its text.
    pub content: String,
}

/// A template that was understood.
#[derive(Clone, Debug)]
pub struct Template {
    body: Vec<parse::Node>,
}

impl Template {
    /// Reads a template.
    ///
    /// # Errors
    /// The construct that is not known, with its line.
    pub fn parse(source: &str) -> Result<Self, TemplateError> {
        Ok(Self { body: parse::template(lex::pieces(source)?)? })
    }

    /// The prompt for these messages, up to where the answer begins. `marks` are the texts of the model's beginning and
    /// end tokens.
    ///
    /// # Errors
    /// What the template raised, or a value it could not use.
    pub fn render(&self, messages: &[Message], marks: (&str, &str)) -> Result<String, TemplateError> {
        let message = |message: &Message| {
            Value::map([("role", Value::text(&message.role)), ("content", Value::text(&message.content))])
        };
        let variables = [
            ("messages", Value::list(messages.iter().map(message).collect())),
            ("add_generation_prompt", Value::Bool(true)),
            ("bos_token", Value::text(marks.0)),
            ("eos_token", Value::text(marks.1)),
        ];
        eval::render(&self.body, variables)
    }
}

pub(crate) fn error(line: usize, what: impl Into<String>) -> TemplateError {
    TemplateError { line, what: what.into() }
}

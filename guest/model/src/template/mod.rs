//! The file's own chat template: Jinja as published templates use it, compared with Python's jinja2 3.1.
//!
//! Known: text, output, `if`, `for` (with filter, `else`, tuples, `break` and `continue`), `set` (names, tuples, fields of
//! namespaces, blocks), `macro`, `call`, `filter`, `with`, `raw`, `generation`; and the filters, tests, functions and
//! methods of [`known`]. Anything else is refused by name with its line: when the image is built, not in a request.
//! Everything runs as in the sandbox of the `transformers` library: `trim_blocks`, `lstrip_blocks`, nothing is changed in
//! place, `tojson` is Python's `json.dumps`.
//!
//! Trust: templates are measured, and still hostile: bounded in nesting, steps, memory and output. Messages and tools come
//! from clients.

mod error;
mod eval;
mod json;
mod known;
mod meter;
#[cfg(test)]
mod own_tests;
mod syntax;
#[cfg(test)]
mod tests;
mod text;
mod value;

use alloc::collections::BTreeSet;
use alloc::rc::Rc;
use alloc::string::String;
use alloc::vec::Vec;
use core::ops::Range;

use crate::tokenizer::Tokenizer;
pub use error::{Construct, Fault, Limit, TemplateError};
pub use value::{List, Map, Object, Text, Value};

/// One plain message of a conversation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Message {
    /// `system`, `user`, `assistant`. Templates make control tokens of it: never a client's own text.
    pub role: String,
    /// Its text.
    pub content: String,
}

impl From<&Message> for Value {
    fn from(message: &Message) -> Self {
        Self::map([("role", Self::trusted(&message.role)), ("content", Self::text(&message.content))])
    }
}

/// What a prompt is made from. Values are JSON; they are content, and stay out of errors.
#[derive(Clone, Debug)]
pub struct Conversation<'a> {
    /// Messages with `role` ([`Value::trusted`], since templates make control tokens of it), `content` (text, null or parts), `tool_calls`, `tool_call_id`, `name`, `reasoning_content`, as
    /// the API has them. Arguments of calls are a map.
    pub messages: Vec<Value>,
    /// Tools as the API has them; `none` where there are no tools.
    pub tools: Option<Vec<Value>>,
    /// Whether the prompt ends where an answer begins.
    pub add_generation_prompt: bool,
    /// Texts of the model's beginning and end tokens.
    pub marks: (&'a str, &'a str),
    /// Further variables, as `enable_thinking`.
    pub variables: Vec<(&'a str, Value)>,
    /// Seconds since 1970 in UTC for `strftime_now`, which is not defined without them.
    pub now_s: Option<i64>,
}

impl<'a> Conversation<'a> {
    /// Plain messages, to be answered.
    #[must_use]
    pub fn plain(messages: &[Message], marks: (&'a str, &'a str)) -> Self {
        let messages = messages.iter().map(Value::from).collect();
        Self { messages, tools: None, add_generation_prompt: true, marks, variables: Vec::new(), now_s: None }
    }

    /// The variables of a template.
    fn names(&self) -> Vec<(Rc<str>, Value)> {
        let list = |values: &[Value]| Value::list(values.to_vec());
        let own = [
            ("messages", list(&self.messages)),
            ("tools", self.tools.as_deref().map_or(Value::None, list)),
            ("documents", Value::None),
            ("add_generation_prompt", Value::Bool(self.add_generation_prompt)),
            ("bos_token", Value::trusted(self.marks.0)),
            ("eos_token", Value::trusted(self.marks.1)),
        ];
        let given = self.variables.iter().cloned();
        let own = own.into_iter().filter(|(name, _)| !self.variables.iter().any(|(given, _)| given == name));
        own.chain(given).map(|(name, value)| (Rc::from(name), value)).collect()
    }
}

/// A prompt, and which of it the template wrote. Content.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rendered {
    /// The prompt.
    pub text: String,
    /// Bytes that the template itself wrote: ranges in order, none empty, none touching the next. Only there may control
    /// tokens stand.
    pub own: Vec<Range<usize>>,
}

impl Rendered {
    /// The prompt's tokens, with the model's first mark in front of them. A template that writes that mark itself does not
    /// get it twice.
    #[must_use]
    pub fn tokens(&self, tokenizer: &Tokenizer) -> Vec<u32> {
        let tokens = tokenizer.encode_rendered(&self.text, &self.own);
        let prefix = tokenizer.prefix().filter(|mark| tokens.first() != Some(mark));
        prefix.into_iter().chain(tokens).collect()
    }
}

/// A template that was understood.
#[derive(Clone, Debug)]
pub struct Template {
    body: Vec<syntax::Node>,
    /// The words that its source is made of.
    words: BTreeSet<String>,
}

impl Template {
    /// Reads a template.
    ///
    /// # Errors
    /// The construct that is not known, with its line.
    pub fn parse(source: &str) -> Result<Self, TemplateError> {
        let is_part = |character: char| character.is_alphanumeric() || character == '_';
        let words = source.split(|character| !is_part(character)).map(String::from).collect();
        Ok(Self { body: syntax::parse(source)?, words })
    }

    /// Whether the template may use the variable `name`: its source has that word.
    #[must_use]
    pub fn takes(&self, name: &str) -> bool {
        self.words.contains(name)
    }

    /// The prompt for a conversation.
    ///
    /// # Errors
    /// What the template raised, or a value it could not use.
    pub fn render(&self, conversation: &Conversation<'_>) -> Result<Rendered, TemplateError> {
        let written = eval::render(&self.body, conversation.names(), conversation.now_s)?;
        let (text, own) = written.into_parts();
        Ok(Rendered { text, own })
    }
}

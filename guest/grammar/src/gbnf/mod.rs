//! Grammars in llama.cpp's GBNF.
//!
//! Rules `name ::= …`, one of which is `root`; texts in quotes; classes `[a-z]` and `[^"\\]`; `.` for any character;
//! groups; `|`; `*`, `+`, `?`, `{m}`, `{m,}`, `{m,n}`; comments from `#`. Escapes are `\n \r \t \\ \" \[ \] \x41
//! \u0041 \U00000041`. Inside a group, and after `::=` and `|`, a rule may go on on the next line.
//!
//! Not supported, and refused: left recursion, tokens by name (`<…>`).
//! Source: llama.cpp, `grammars/README.md`.

mod cursor;
mod parser;
#[cfg(test)]
mod tests;

use crate::error::GrammarError;
use crate::grammar::Grammar;

/// Longest text in bytes.
pub const MAX_BYTES: usize = 1 << 18;

impl Grammar {
    /// Reads GBNF. From a client: untrusted.
    ///
    /// # Errors
    /// What is wrong, with its line and column; a rule that is left-recursive or never ends; a grammar too large.
    pub fn from_gbnf(text: &str) -> Result<Self, GrammarError> {
        if text.len() > MAX_BYTES {
            return Err(GrammarError::TooLarge { what: "bytes of a grammar", most: MAX_BYTES });
        }
        Self::compile(&parser::parse(text)?)
    }
}

//! Calls of tools: how model families write them, a grammar that keeps to it, and a parser of what is streamed.

mod constrain;
mod format;
mod header;
mod parser;
mod scan;
#[cfg(test)]
mod tests;

pub use constrain::{Choice, MAX_CALLS, MAX_TOOLS, Tool};
pub use format::CallFormat;
pub use parser::{CallParser, Delta};

//! Why a template cannot be used.

use alloc::string::String;
use core::fmt;

/// Why a template cannot be used, and where.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("chat template line {line}: {fault}")]
pub struct TemplateError {
    /// The line, from 1.
    pub line: usize,
    /// What is wrong.
    pub fault: Fault,
}

/// What is wrong. Texts are the template's own, never a message's.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Fault {
    /// A construct that this interpreter does not have.
    #[error("{kind} {name:?} is not known")]
    Unknown {
        /// Its kind.
        kind: Construct,
        /// Its name.
        name: String,
    },
    /// A token that does not fit.
    #[error("expected {expected}, found {found}")]
    Expected {
        /// What fits.
        expected: &'static str,
        /// What stands there.
        found: String,
    },
    /// A text, number or brace that is not well formed.
    #[error("{what} is not closed or not valid")]
    Malformed {
        /// Its kind.
        what: &'static str,
    },
    /// The template called `raise_exception`.
    #[error("{}", raised(says.as_deref()))]
    Raised {
        /// Its argument where that is a constant. A computed one may quote messages, and stays inside.
        says: Option<String>,
    },
    /// A name or field that nobody set was used.
    #[error("{operation} of something that is not defined")]
    Undefined {
        /// What was done with it.
        operation: &'static str,
    },
    /// Values of types that an operation does not take.
    #[error("{operation} does not suit its values")]
    Unsuited {
        /// The operator, filter, method or function.
        operation: &'static str,
    },
    /// Arguments that a filter, method, function or macro does not take.
    #[error("{callee} does not take these arguments")]
    Arguments {
        /// What was called.
        callee: String,
    },
    /// A method that changes a list or a map; the sandbox that templates are written for refuses it too.
    #[error("method {method:?} changes its value, which is refused")]
    Changes {
        /// The method.
        method: &'static str,
    },
    /// More than a template may use.
    #[error("it uses more than {limit}")]
    Limit {
        /// What there is too much of.
        limit: Limit,
    },
}

/// Kinds of constructs that are known by name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Construct {
    /// `{% name %}`.
    Statement,
    /// `value | name`.
    Filter,
    /// `value is name`.
    Test,
    /// `value.name()`.
    Method,
    /// `name()`.
    Function,
    /// A name with a meaning of its own.
    Name,
    /// Part of a call, loop or macro.
    Syntax,
    /// A directive of `strftime_now`.
    Directive,
    /// A conversion of `%` or `format`.
    Conversion,
}

impl fmt::Display for Construct {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(match self {
            Self::Statement => "statement",
            Self::Filter => "filter",
            Self::Test => "test",
            Self::Method => "method",
            Self::Function => "function",
            Self::Name => "name",
            Self::Syntax => "syntax",
            Self::Directive => "directive",
            Self::Conversion => "conversion",
        })
    }
}

/// What a template has only so much of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Limit {
    /// Levels of nesting, in its source, its calls or its values.
    Depth,
    /// Nodes, expressions and elements that one rendering may visit.
    Steps,
    /// Bytes that one rendering may allocate.
    Memory,
    /// Bytes of output.
    Output,
    /// Numbers of a `range`, or size of a number.
    Range,
}

impl fmt::Display for Limit {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(match self {
            Self::Depth => "the levels of nesting it may have",
            Self::Steps => "the steps it may take",
            Self::Memory => "the memory it may use",
            Self::Output => "the output it may write",
            Self::Range => "the numbers it may count",
        })
    }
}

fn raised(says: Option<&str>) -> String {
    match says {
        Some(says) => alloc::format!("it refused these messages: {says}"),
        None => "it refused these messages (roles must suit the model)".into(),
    }
}

//! Grammars of JSON values that follow a JSON Schema.
//!
//! Every text of the grammar is a valid value; not every valid value is one of its texts:
//! - Fields come in the order of the schema. Fields that `properties` does not name come last, and only if
//!   `additionalProperties` says `true` or a schema, or there is no `properties`.
//! - A schema without `type` that has keywords of some types gives values of these types.
//! - Listed values (`enum`, `const`) are written compactly; white space and numbers are those of [`crate::Json`] mode.
//! - Strings and arrays with a length have at most 10,000 characters and items.
//!
//! Supported: `type`, `properties`, `required`, `additionalProperties`, `minProperties` and `maxProperties` where they
//! say nothing new, `enum`, `const`, `anyOf`, `oneOf` of values that are apart (by type, by listed values, or by a required
//! field with listed values), `allOf`, `$ref` to a place in the same schema, `items`, `prefixItems`, `minItems`, `maxItems`,
//! `minLength` and `maxLength`, or `pattern`, or `format`, integers with `minimum`, `maximum`, `exclusiveMinimum`,
//! `exclusiveMaximum`, `multipleOf`, numbers with whole bounds, `nullable`. What else changes validity is refused with its
//! place; annotations and unknown words are ignored.
//! Source: JSON Schema 2020-12; `definitions`, lists in `items` and `additionalItems` as in draft 7.

mod array;
mod compiler;
mod facts;
mod format;
mod keywords;
mod number;
mod object;
mod one_of;
mod part;
mod path;
mod string;
#[cfg(test)]
mod tests;
mod types;

use crate::error::GrammarError;
use crate::expr::Rules;
use crate::grammar::Grammar;
use crate::json::Json;
use crate::value::Shared;

pub(crate) use compiler::{compile, compile_object};

impl Grammar {
    /// JSON that follows a schema. From a client: untrusted.
    ///
    /// # Errors
    /// What is not supported or no schema, with its place; a schema that no value follows; a grammar too large.
    pub fn from_schema(schema: &Json) -> Result<Self, GrammarError> {
        let mut rules = Rules::default();
        let shared = Shared::new(&mut rules);
        let body = compile(schema, &mut rules, shared)?;
        rules.root = rules.add("#".into(), body);
        Self::compile(&rules)
    }
}

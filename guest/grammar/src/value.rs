//! Rules of JSON that schemas share.
//!
//! **White space** is what models write and no more: none, one space, or a line's end with at most 20 spaces; only after
//! `{`, `[`, `,`, `:` and before `}` and `]`. There is none before and after the whole value, so that a model cannot stay
//! there and an answer ends with its last bracket.
//!
//! **Numbers** without bounds have at most 16 digits before and after the point and 2 of exponent; integers 18, so that
//! they fit 64 bits. **Strings** are as long as they like; escapes are all that JSON has, surrogates only in pairs.

use alloc::string::String;
use alloc::vec;
use alloc::vec::Vec;

use crate::error::GrammarError;
use crate::expr::{CharSet, Expr, Rules};
use crate::grammar::Grammar;
use crate::json::escape;

/// Spaces of a line's indentation.
const MAX_INDENT: u32 = 20;
/// Digits before the point, and after it, of a number without bounds.
const MAX_DIGITS: u32 = 16;

/// Numbers of the shared rules.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Shared {
    space: u32,
    character: u32,
    string: u32,
    number: u32,
    value: u32,
    object: u32,
    array: u32,
}

impl Shared {
    /// Adds the shared rules.
    pub(crate) fn new(rules: &mut Rules) -> Self {
        let mut reserve = |name: &str| rules.reserve(String::from(name));
        let shared = Self {
            space: reserve("space"),
            character: reserve("character"),
            string: reserve("string"),
            number: reserve("number"),
            value: reserve("value"),
            object: reserve("object"),
            array: reserve("array"),
        };
        rules.set(shared.space, space());
        rules.set(shared.character, character());
        rules.set(shared.string, quoted(shared.character().times(0, None)));
        rules.set(shared.number, number());
        rules.set(shared.value, shared.any_value());
        rules.set(shared.object, shared.object_of(shared.string(), shared.value()));
        rules.set(shared.array, shared.array_of(shared.value()));
        shared
    }

    pub(crate) const fn space(self) -> Expr {
        Expr::Rule(self.space)
    }

    /// One character of a string, as JSON writes it.
    pub(crate) const fn character(self) -> Expr {
        Expr::Rule(self.character)
    }

    pub(crate) const fn string(self) -> Expr {
        Expr::Rule(self.string)
    }

    pub(crate) const fn number(self) -> Expr {
        Expr::Rule(self.number)
    }

    pub(crate) const fn value(self) -> Expr {
        Expr::Rule(self.value)
    }

    pub(crate) const fn object(self) -> Expr {
        Expr::Rule(self.object)
    }

    pub(crate) const fn array(self) -> Expr {
        Expr::Rule(self.array)
    }

    /// `key: value`.
    pub(crate) fn pair(self, key: Expr, value: Expr) -> Expr {
        Expr::Seq(vec![key, Expr::text(":"), self.space(), value])
    }

    /// A comma and what comes after it.
    pub(crate) fn next(self, item: Expr) -> Expr {
        Expr::Seq(vec![Expr::text(","), self.space(), item])
    }

    /// Brackets around a body that may be empty.
    pub(crate) fn enclosed(self, open: &str, body: Expr, close: &str) -> Expr {
        Expr::Seq(vec![Expr::text(open), self.space(), body, self.space(), Expr::text(close)])
    }

    fn any_value(self) -> Expr {
        let words = ["true", "false", "null"].map(Expr::text);
        let mut choices = vec![self.object(), self.array(), self.string(), self.number()];
        choices.extend(words);
        Expr::Any(choices)
    }

    fn object_of(self, key: Expr, value: Expr) -> Expr {
        let pair = self.pair(key, value);
        let more = self.next(pair.clone()).times(0, None);
        self.enclosed("{", Expr::Seq(vec![pair, more]).optional(), "}")
    }

    fn array_of(self, item: Expr) -> Expr {
        let more = self.next(item.clone()).times(0, None);
        self.enclosed("[", Expr::Seq(vec![item, more]).optional(), "]")
    }
}

impl Grammar {
    /// Any JSON object.
    ///
    /// # Errors
    /// None: the grammar is fixed and within its bounds.
    pub fn json_object() -> Result<Self, GrammarError> {
        let mut rules = Rules::default();
        rules.root = Shared::new(&mut rules).object;
        Self::compile(&rules)
    }

    /// Any JSON value.
    ///
    /// # Errors
    /// None: the grammar is fixed and within its bounds.
    pub fn json_value() -> Result<Self, GrammarError> {
        let mut rules = Rules::default();
        rules.root = Shared::new(&mut rules).value;
        Self::compile(&rules)
    }
}

/// What stands between quotes.
pub(crate) fn quoted(content: Expr) -> Expr {
    Expr::Seq(vec![Expr::text("\""), content, Expr::text("\"")])
}

/// Decimal digits.
pub(crate) fn digits(min: u32, max: u32) -> Expr {
    Expr::chars(&[('0', '9')]).times(min, Some(max))
}

/// A number without leading zeros, of at most so many digits.
pub(crate) fn natural(most_digits: u32) -> Expr {
    let several = Expr::Seq(vec![Expr::chars(&[('1', '9')]), digits(0, most_digits - 1)]);
    Expr::Any(vec![Expr::text("0"), several])
}

/// Characters that stand for themselves in a JSON string.
pub(crate) fn plain() -> CharSet {
    CharSet::new(vec![(0, 0x1F), ('"'.into(), '"'.into()), ('\\'.into(), '\\'.into())]).complement()
}

/// One character of a set, as JSON writes it: itself, or its shortest escape.
pub(crate) fn encoded(set: &CharSet) -> Expr {
    let specials = ('\0'..='\u{1f}').chain(['"', '\\']);
    let escapes = specials.filter(|&special| set.has(special.into())).filter_map(escape);
    let escapes: Vec<_> = escapes.map(String::into_bytes).collect();
    let plain = Expr::Char(set.intersection(&plain()));
    if escapes.is_empty() { plain } else { Expr::Any(vec![plain, Expr::one_of(&escapes)]) }
}

fn space() -> Expr {
    let line = Expr::Seq(vec![Expr::text("\n"), Expr::text(" ").times(0, Some(MAX_INDENT))]);
    Expr::Any(vec![Expr::text(" "), line]).optional()
}

fn number() -> Expr {
    let sign = Expr::text("-").optional();
    let fraction = Expr::Seq(vec![Expr::text("."), digits(1, MAX_DIGITS)]).optional();
    let exponent_sign = Expr::Any(vec![Expr::text("+"), Expr::text("-")]).optional();
    let exponent = Expr::Seq(vec![Expr::chars(&[('e', 'e'), ('E', 'E')]), exponent_sign, digits(1, 2)]);
    Expr::Seq(vec![sign, natural(MAX_DIGITS), fraction, exponent.optional()])
}

/// A character of a string: itself or an escape. Surrogates come in pairs, so that each is one code point.
fn character() -> Expr {
    let hex = || Expr::chars(&[('0', '9'), ('a', 'f'), ('A', 'F')]);
    let d = || Expr::chars(&[('d', 'd'), ('D', 'D')]);
    let short =
        Expr::one_of(&["\"", "\\", "/", "b", "f", "n", "r", "t"].map(|text| text.as_bytes().to_vec()));
    let not_d = Expr::chars(&[('0', '9'), ('a', 'c'), ('A', 'C'), ('e', 'f'), ('E', 'F')]);
    let low =
        Expr::Any(vec![Expr::Seq(vec![not_d, hex()]), Expr::Seq(vec![d(), Expr::chars(&[('0', '7')])])]);
    let pair = Expr::Seq(vec![
        d(),
        Expr::chars(&[('8', '9'), ('a', 'b'), ('A', 'B')]),
        hex().times(2, Some(2)),
        Expr::text("\\u"),
        d(),
        Expr::chars(&[('c', 'f'), ('C', 'F')]),
    ]);
    let first = Expr::Any(vec![low, pair]);
    let unicode = Expr::Seq(vec![Expr::text("u"), first, hex().times(2, Some(2))]);
    let escape = Expr::Seq(vec![Expr::text("\\"), Expr::Any(vec![short, unicode])]);
    Expr::Any(vec![Expr::Char(plain()), escape])
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tests::accepts;
    use alloc::format;

    #[test]
    fn json_values_are_those_that_serde_reads_with_bounded_space() {
        let value = Grammar::json_value().unwrap();
        let good = [
            "{}",
            "[]",
            "null",
            "true",
            "-0.5e+10",
            "\"\"",
            "{\"a\": [1,\n    2], \"b\":{}}",
            "{\n}",
            "\"\\u00e9\\ud83d\\ude00\\n\\/é😀\u{7f}\"",
            "[[],[{}]]",
            "0",
            "1234567890123456",
        ];
        for text in good {
            assert!(accepts(&value, text), "{text}");
            serde_json::from_str::<serde_json::Value>(text).unwrap();
        }
        let bad = [
            "",
            " {}",
            "{} ",
            "{a:1}",
            "[1,]",
            "{\"a\":1,}",
            "01",
            "1.",
            "-",
            "\"\n\"",
            "\"\\ud83d\"",
            "\"\\ude00\"",
            "\"\\x\"",
            "[1  ,2]",
            "[1,  2]",
            "{\"a\" :1}",
            "12345678901234567",
            "[1,\n\n2]",
            "tru",
            "\"a",
        ];
        bad.iter().for_each(|text| assert!(!accepts(&value, text), "{text}"));
        assert!(!accepts(&value, &format!("[\n{}]", " ".repeat(42))));
    }

    #[test]
    fn json_mode_wants_an_object() {
        let object = Grammar::json_object().unwrap();
        assert!(accepts(&object, "{\"a\":[true,{\"b\":null}]}"));
        ["[]", "1", "\"a\"", ""].iter().for_each(|text| assert!(!accepts(&object, text), "{text}"));
    }

    #[test]
    fn characters_of_a_set_are_written_as_json_writes_them() {
        let set = CharSet::new(vec![(0, 0x22), ('\\'.into(), '\\'.into()), (0xE9, 0xE9)]);
        let mut rules = Rules::default();
        rules.root = rules.add("root".into(), encoded(&set));
        let grammar = Grammar::compile(&rules).unwrap();
        ["\\n", "\\\"", "\\\\", "\\u0001", " ", "é"].iter().for_each(|text| assert!(accepts(&grammar, text)));
        ["\n", "\"", "\\", "a", "\\u000a", "\\a"]
            .iter()
            .for_each(|text| assert!(!accepts(&grammar, text), "{text}"));
    }
}

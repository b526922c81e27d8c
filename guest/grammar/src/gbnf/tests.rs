//! GBNF: what it allows, and what is refused where.

use alloc::format;
use alloc::string::ToString as _;

use crate::grammar::Grammar;
use crate::tests::{accepts, grammar};

#[test]
fn every_construct_allows_its_texts_and_no_others() {
    let cases: &[(&str, &[&str], &[&str])] = &[
        ("root ::= \"ab\" | \"c\"", &["ab", "c"], &["", "a", "abc", "cc"]),
        ("root ::= [a-c]+ [^x-z\\]]", &["ab", "ccc!", "aé"], &["a", "ax", "a]", "é"]),
        ("root ::= .", &["a", "é", "😀", "\n"], &["", "ab"]),
        ("root ::= (\"a\" | b){2,3}\nb ::= \"b\" # two\n", &["ab", "bbb"], &["a", "abab"]),
        ("root ::= \"x\"{2} \"y\"{1,} \"z\"?", &["xxy", "xxyyyz"], &["xy", "xx", "xxyzz"]),
        ("root ::=\n  a (\n \"-\" # minus\n a )*\na ::= [0-9]", &["1", "1-2-3"], &["1-", "-1"]),
        ("root ::= \"\\\"\\x41\\u00e9\\U0001F600\\\\\\n\"", &["\"Aé😀\\\n"], &["\"Aé😀\\n"]),
        ("root ::= [-a] [a-] [\\u0400-\\u04ff]", &["-aж", "a-ж"], &["bax", "-bж", "aaa"]),
        ("root ::= \"a\" root \"b\" | \"\"", &["", "ab", "aaabbb"], &["aab", "ba"]),
        ("root ::= \"a\"** \"b\"", &["b", "aab"], &["a", "ba"]),
        ("root ::= [] | \"a\" | [^]", &["a", "b"], &["", "aa"]),
    ];
    for (text, allowed, refused) in cases {
        let grammar = grammar(text);
        allowed.iter().for_each(|good| assert!(accepts(&grammar, good), "{text}: {good:?}"));
        refused.iter().for_each(|bad| assert!(!accepts(&grammar, bad), "{text}: {bad:?}"));
    }
}

#[test]
fn what_is_wrong_is_refused_with_its_place() {
    let cases = [
        ("root ::= \"a", "line 1, column 12: expected \" at"),
        ("root ::= \"a\"\nnext = \"b\"", "line 2, column 6: expected ::="),
        ("root ::= ( \"a\"\n", "line 2, column 1: expected ) at"),
        ("root ::= [a-", "line 1, column 13: expected ] at"),
        ("root ::= [z-a]", "line 1, column 12: expected a range"),
        ("root ::= \"\\q\"", "line 1, column 11: expected an escape"),
        ("root ::= \"\\ud800\"", "line 1, column 11: expected the number of a character"),
        ("root ::= \"\\x4\"", "line 1, column 13: expected hexadecimal digits"),
        ("root ::= \"a\"{3,2}", "line 1, column 17: expected a repeat"),
        ("root ::= \"a\"{10001}", "line 1, column 19: expected a repeat"),
        ("root ::= \"a\"{123456}", "line 1, column 14: expected a number of at most 5"),
        ("root ::= \"a\"{1", "line 1, column 15: expected }"),
        ("root ::= \"a\" <tok>", "line 1, column 14: expected a text"),
        ("root ::= * \"a\"", "line 1, column 10: expected a text"),
        ("root ::= \"a\" other\n", "line 1, column 14: rule other is not defined"),
        ("root ::= \"a\"\nroot ::= \"b\"", "line 2: rule root is defined twice"),
        ("top ::= \"a\"", "found no rule named root"),
        ("", "found no rule named root"),
        ("root ::= root \"a\" | \"b\"", "rule root starts with itself"),
        ("root ::= \"a\" x\nx ::= y? z\ny ::= \"y\"\nz ::= x \"z\" | \"\"", "starts with itself"),
        ("root ::= \"a\" | x\nx ::= \"x\" x", "rule x never ends"),
        ("root ::= []", "rule root never ends"),
    ];
    for (text, expected) in cases {
        let error = Grammar::from_gbnf(text).expect_err(text).to_string();
        assert!(error.contains(expected), "{text:?}: {error}");
    }
}

#[test]
fn size_and_depth_are_bounded() {
    let nested = format!("root ::= {}\"a\"{}", "(".repeat(65), ")".repeat(65));
    let repeats = format!("root ::= \"a\"{}", "*".repeat(65));
    let large = "root ::= (((\"a\"{9999} \"b\"){9999} \"c\"){9999} \"e\")[a-z]{9999}\n".to_string();
    let many = (0..30).map(|rule| format!("r{rule} ::= (\"ab\" [^a]){{9999}}\n"));
    let many: alloc::string::String = many.collect();
    let empty = format!("root ::= {}\"\"{}", "(".repeat(20), "){9999}".repeat(20));
    assert!(Grammar::from_gbnf(&nested).unwrap_err().to_string().contains("fewer groups"));
    assert!(Grammar::from_gbnf(&repeats).unwrap_err().to_string().contains("fewer repeats"));
    assert!(grammar(&large).states() > 30_000);
    assert!(Grammar::from_gbnf(&format!("root ::= r0\n{many}")).unwrap_err().to_string().contains("states"));
    assert!(grammar(&empty).states() < 250_000);
    assert!(Grammar::from_gbnf(&" ".repeat(super::MAX_BYTES + 1)).unwrap_err().to_string().contains("bytes"));
}

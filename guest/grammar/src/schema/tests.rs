//! Schemas: the values that follow, and what is refused where.

use alloc::format;
use alloc::string::{String, ToString as _};

use crate::grammar::Grammar;
use crate::json::Json;
use crate::tests::accepts;

fn parse(text: &str) -> Json {
    serde_json::from_str(text).unwrap_or_else(|error| panic!("{text}: {error}"))
}

fn schema(text: &str) -> Grammar {
    Grammar::from_schema(&parse(text)).unwrap_or_else(|error| panic!("{text}: {error}"))
}

fn check(cases: &[(&str, &[&str], &[&str])]) {
    for (text, good, bad) in cases {
        let grammar = schema(text);
        good.iter().for_each(|value| assert!(accepts(&grammar, value), "{text}: {value}"));
        bad.iter().for_each(|value| assert!(!accepts(&grammar, value), "{text}: {value}"));
    }
}

#[test]
fn objects_have_their_fields_in_order() {
    check(&[
        (
            r#"{"type":"object","properties":{"b":{"type":"boolean"},"a":{"type":"null"}},"required":["b","a"],
                "additionalProperties":false}"#,
            &[r#"{"b":true,"a":null}"#, "{\"b\": true,\n  \"a\": null\n}"],
            &[r#"{"a":null,"b":true}"#, r#"{"b":true}"#, "{}", r#"{"b":true,"a":null,"c":1}"#],
        ),
        (
            r#"{"properties":{"a":{"const":1},"b":{"const":2},"c":{"const":3}},"required":["b"]}"#,
            &[r#"{"b":2}"#, r#"{"a":1,"b":2}"#, r#"{"b":2,"c":3}"#, r#"{"a":1,"b":2,"c":3}"#],
            &["{}", r#"{"a":1}"#, r#"{"b":2,}"#, r#"{"a":1,"c":3}"#, r#"{"b":2,"d":4}"#],
        ),
        (
            r#"{"type":"object","properties":{"a":{"const":1},"b":{"const":2}}}"#,
            &["{}", r#"{"a":1}"#, r#"{"b":2}"#, r#"{"a":1,"b":2}"#],
            &[r#"{"a":1"b":2}"#, r#"{"b":2,"a":1}"#, "{,}"],
        ),
        (
            r#"{"type":"object","properties":{"ab":{"const":1},"a\"":true},"additionalProperties":{"type":"integer"}}"#,
            &["{}", r#"{"ab":1}"#, r#"{"a":5,"abc":6}"#, r#"{"ab":1,"":7,"x":8}"#, r#"{"a\"":"x"}"#],
            &[r#"{"ab":2}"#, r#"{"x":1,"ab":1}"#, r#"{"\u0061b":2}"#, r#"{"x":"y"}"#, r#"{"y":1,"a\"":2}"#],
        ),
        (r#"{"type":"object"}"#, &["{}", r#"{"x":[1]}"#], &["[]", "1"]),
        (r#"{"type":"object","additionalProperties":false}"#, &["{}"], &[r#"{"a":1}"#]),
        (
            r#"{"type":"object","additionalProperties":{"type":"null"},"minProperties":1,"maxProperties":2}"#,
            &[r#"{"a":null}"#, r#"{"a":null,"b":null}"#],
            &["{}", r#"{"a":null,"b":null,"c":null}"#, r#"{"a":1}"#],
        ),
        (
            r#"{"required":["x"],"additionalProperties":{"type":"boolean"}}"#,
            &[r#"{"x":true}"#, r#"{"x":true,"y":false}"#],
            &["{}", r#"{"x":1}"#, r#"{"y":true}"#],
        ),
        (
            r#"{"type":"object","properties":{"a":false,"b":{"const":1}}}"#,
            &["{}", r#"{"b":1}"#],
            &[r#"{"a":1}"#],
        ),
    ]);
}

#[test]
fn arrays_have_their_items_and_counts() {
    check(&[
        (r#"{"type":"array","items":{"const":1}}"#, &["[]", "[1]", "[1, 1]"], &["[2]", "[1,]", "[1 1]"]),
        (
            r#"{"items":{"const":1},"minItems":2,"maxItems":3}"#,
            &["[1,1]", "[1,1,1]"],
            &["[]", "[1]", "[1,1,1,1]"],
        ),
        (r#"{"type":"array","maxItems":0}"#, &["[]"], &["[1]"]),
        (r#"{"type":"array","minItems":1}"#, &["[1]", "[[],{}]"], &["[]"]),
        (
            r#"{"type":"array","prefixItems":[{"const":1},{"const":2}],"minItems":1}"#,
            &["[1]", "[1,2]"],
            &["[]", "[2]", "[1,2,3]"],
        ),
        (
            r#"{"prefixItems":[{"const":1}],"items":{"const":2},"minItems":2,"maxItems":3}"#,
            &["[1,2]", "[1,2,2]"],
            &["[1]", "[1,1]", "[1,2,2,2]"],
        ),
        (r#"{"items":[{"const":1}],"additionalItems":false}"#, &["[]", "[1]"], &["[1,1]"]),
        (r#"{"prefixItems":[{"const":1}],"minItems":2}"#, &["[1,\"x\"]"], &["[1]"]),
        (r#"{"type":"array","items":false}"#, &["[]"], &["[1]"]),
    ]);
}

#[test]
fn strings_have_lengths_patterns_and_formats() {
    check(&[
        (
            r#"{"type":"string","minLength":2,"maxLength":3}"#,
            &[r#""ab""#, r#""é😀\n""#, r#""\ud83d\ude00a""#],
            &[r#""a""#, r#""abcd""#],
        ),
        (r#"{"minLength":1}"#, &[r#""a""#, r#""abc""#], &[r#""""#]),
        (r#"{"pattern":"^a\"+$"}"#, &[r#""a\"""#], &[r#""a"""#, r#""a""#]),
        (
            r#"{"format":"date"}"#,
            &[r#""2024-02-29""#, r#""2023-12-31""#],
            &[r#""2023-02-29""#, r#""2023-13-01""#, r#""2023-04-31""#],
        ),
        (
            r#"{"format":"date-time"}"#,
            &[r#""2024-01-01T10:00:59.5Z""#, r#""2024-01-01T23:00:00+02:30""#],
            &[r#""2024-01-01""#, r#""2024-01-01T24:00:00Z""#],
        ),
        (r#"{"format":"time"}"#, &[r#""23:59:59Z""#], &[r#""23:59""#]),
        (r#"{"format":"uuid"}"#, &[r#""123e4567-e89b-12d3-a456-426614174000""#], &[r#""123e4567""#]),
        (r#"{"format":"email"}"#, &[r#""a.b@example.org""#], &[r#""a@b""#, r#""@b.org""#]),
        (r#"{"format":"ipv4"}"#, &[r#""10.0.255.1""#], &[r#""256.0.0.1""#, r#""1.2.3""#]),
        (r#"{"format":"ipv6"}"#, &[r#""2001:db8:0:0:0:0:0:1""#], &[r#""2001:db8""#]),
        (r#"{"format":"uri"}"#, &[r#""https://a.org/x/y""#], &[r#""a.org""#]),
        (r#"{"format":"hostname"}"#, &[r#""a-b.org""#], &[r#""-a""#]),
        (r#"{"format":"duration"}"#, &[r#""P3D""#, r#""P1DT2H""#], &[r#""P""#, r#""3D""#]),
    ]);
}

#[test]
fn numbers_keep_their_bounds() {
    check(&[
        (
            r#"{"type":"integer"}"#,
            &["0", "-5", "123456789012345678"],
            &["1.0", "01", "-0", "1e5", "1234567890123456789"],
        ),
        (
            r#"{"type":"integer","minimum":-12,"maximum":105}"#,
            &["-12", "-1", "0", "105"],
            &["-13", "106", "-0"],
        ),
        (r#"{"type":"integer","exclusiveMinimum":0,"exclusiveMaximum":3}"#, &["1", "2"], &["0", "3"]),
        (r#"{"type":"integer","minimum":0.5,"maximum":2.5}"#, &["1", "2"], &["0", "3"]),
        (r#"{"type":"integer","minimum":-2.5,"maximum":-1}"#, &["-2", "-1"], &["-3", "0"]),
        (
            r#"{"type":"integer","minimum":0,"maximum":100,"multipleOf":25}"#,
            &["0", "25", "100"],
            &["5", "125"],
        ),
        (r#"{"type":"integer","minimum":1}"#, &["1", "99"], &["0", "-1"]),
        (r#"{"type":"number"}"#, &["0", "-1.5", "2e10"], &[".5", "+1"]),
        (r#"{"type":"number","minimum":0,"maximum":1}"#, &["0", "1", "0.25"], &["1.5", "-0.5", "1.1"]),
        (
            r#"{"type":"number","exclusiveMinimum":0,"exclusiveMaximum":2}"#,
            &["0.001", "1", "1.999999"],
            &["0", "0.0", "2", "2.0", "-1"],
        ),
        (r#"{"type":"number","minimum":-2,"exclusiveMaximum":-1}"#, &["-2", "-1.5"], &["-1", "-2.5", "0"]),
        (r#"{"type":"number","minimum":-1}"#, &["-1", "-0.5", "7.25", "0"], &["-1.5", "-2"]),
        (r#"{"type":"number","multipleOf":1,"minimum":0}"#, &["3"], &["3.5", "-1"]),
    ]);
}

#[test]
fn choices_and_references_combine() {
    check(&[
        (r#"{"enum":["a",1,null,{"x":[1.5]}]}"#, &["\"a\"", "1", "null", r#"{"x":[1.5]}"#], &["\"b\"", "2"]),
        (r#"{"type":"string","enum":["a",1]}"#, &["\"a\""], &["1"]),
        (r#"{"type":["string","null"]}"#, &["\"\"", "null"], &["1"]),
        (r#"{"type":"boolean","nullable":true}"#, &["true", "null"], &["1"]),
        (
            r#"{"anyOf":[{"type":"integer"},{"const":"x"}],"description":"either"}"#,
            &["5", "\"x\""],
            &["\"y\""],
        ),
        (r#"{"type":"integer","anyOf":[{"maximum":3},{"minimum":8}]}"#, &["3", "8"], &["5"]),
        (
            r#"{"oneOf":[{"type":"integer"},{"type":"string"},{"const":null}]}"#,
            &["1", "\"\"", "null"],
            &["[]"],
        ),
        (
            r#"{"oneOf":[{"type":"object","properties":{"k":{"const":1},"v":{"type":"null"}},"required":["k","v"]},
                {"type":"object","properties":{"k":{"enum":[2,3]}},"required":["k"]}]}"#,
            &[r#"{"k":1,"v":null}"#, r#"{"k":3}"#],
            &[r#"{"k":1}"#, r#"{"k":2,"v":null}"#],
        ),
        (
            r#"{"allOf":[{"properties":{"a":{"type":"integer"}},"required":["a"]},{"properties":{"a":{"minimum":3},"b":{"const":0}}}]}"#,
            &[r#"{"a":3}"#, r#"{"a":4,"b":0}"#],
            &[r#"{"a":2}"#, "{}"],
        ),
        (
            r##"{"$ref":"#/$defs/node","$defs":{"node":{"type":"object","properties":{"next":{"anyOf":[{"$ref":"#/$defs/node"},{"type":"null"}]}},
                "required":["next"],"additionalProperties":false}}}"##,
            &[r#"{"next":null}"#, r#"{"next":{"next":null}}"#],
            &["{}", r#"{"next":{}}"#],
        ),
        (r##"{"type":"array","items":{"$ref":"#"}}"##, &["[]", "[[],[[]]]"], &["[1]"]),
        (
            r##"{"definitions":{"a/b":{"type":"string"}},"properties":{"x":{"$ref":"#/definitions/a~1b","maxLength":1}}}"##,
            &[r#"{"x":"a"}"#],
            &[r#"{"x":"ab"}"#],
        ),
        ("true", &["1", "{}"], &[""]),
        (r#"{"title":"anything","x-own":1}"#, &["[1]"], &["x"]),
    ]);
}

#[test]
fn what_is_not_supported_or_wrong_is_refused_with_its_place() {
    let cases = [
        (r#"{"properties":{"a":{"not":{}}}}"#, "#/properties/a/not: not is not"),
        (r#"{"if":{},"then":{}}"#, "#/if:"),
        (r#"{"patternProperties":{}}"#, "#/patternProperties"),
        (r#"{"items":{"uniqueItems":true}}"#, "#/items/uniqueItems"),
        (r#"{"anyOf":[{"contains":{}}]}"#, "#/anyOf/0/contains"),
        (r#"{"dependentSchemas":{}}"#, "#/dependentSchemas"),
        (r##"{"$ref":"#/$defs/x"}"##, "#/$ref: the schema it refers to does not exist"),
        (r#"{"$ref":"other.json"}"#, "#/$ref: only references"),
        (r#"{"type":"thing"}"#, "#/type: expected a type of JSON"),
        (r#"{"type":["string",1]}"#, "#/type/1: expected a string"),
        (r#"{"properties":[]}"#, "#/properties: expected an object"),
        (r#"{"properties":{"a~/b":7}}"#, "#/properties/a~0~1b: expected a schema"),
        (r#"{"required":["a"],"additionalProperties":false}"#, "#/required/0"),
        (r#"{"type":"string","format":"colour"}"#, "#/format: expected a supported format: date,"),
        (r#"{"type":"string","pattern":"(?=a)"}"#, "#/pattern: pattern: look-around"),
        (r#"{"pattern":"a","maxLength":3}"#, "#/pattern: pattern or format together"),
        (r#"{"pattern":"a","format":"date"}"#, "#/format: a second"),
        (r#"{"type":"number","minimum":0.5}"#, "#/minimum: for numbers"),
        (r#"{"type":"number","multipleOf":0.1}"#, "#/multipleOf"),
        (r#"{"type":"integer","multipleOf":7}"#, "at most 4096 multiples"),
        (r#"{"type":"integer","minimum":5,"maximum":4}"#, "#: no number lies within"),
        (r#"{"type":"array","minItems":3,"maxItems":2}"#, "#: no array"),
        (r#"{"minLength":3,"maxLength":2}"#, "#/minLength: no string"),
        (r#"{"minLength":-1}"#, "#/minLength: expected a whole number"),
        (r#"{"oneOf":[{"type":"integer"},{"type":"number"}]}"#, "#/oneOf/0: oneOf is supported"),
        (r#"{"oneOf":[{"properties":{"a":{}}},{"type":"string"}]}"#, "#/oneOf/0"),
        (r#"{"enum":["a"],"maxLength":3}"#, "enum or const together with maxLength"),
        (r#"{"enum":[1],"type":"string"}"#, "no value follows"),
        (r#"{"anyOf":[]}"#, "#/anyOf: expected a choice"),
        (r#"{"minProperties":2}"#, "#: minProperties and maxProperties"),
        ("false", "#: false"),
        ("3", "#: expected a schema"),
    ];
    for (text, expected) in cases {
        let error = Grammar::from_schema(&parse(text)).expect_err(text).to_string();
        assert!(error.contains(expected), "{text}: {error}");
    }
    let endless = r##"{"type":"object","properties":{"a":{"$ref":"#"}},"required":["a"]}"##;
    assert!(Grammar::from_schema(&parse(endless)).unwrap_err().to_string().contains("never ends"));
}

#[test]
fn size_depth_and_expansion_are_bounded() {
    let nested = |levels: usize| {
        let (open, close) = (r#"{"items":"#.repeat(levels), "}".repeat(levels));
        Grammar::from_schema(&parse(&format!("{open}true{close}")))
    };
    assert!(nested(50).is_ok_and(|grammar| accepts(&grammar, "[[]]")));
    assert!(nested(70).unwrap_err().to_string().contains("too deep"));
    // Each level asks for the one below it twice.
    let doubling: String = (1..40)
        .map(|level| {
            format!(
                r##""l{level}":{{"allOf":[{{"$ref":"#/$defs/l{0}"}},{{"$ref":"#/$defs/l{0}"}}]}},"##,
                level - 1
            )
        })
        .collect();
    let text = format!(r##"{{"$defs":{{{doubling}"l0":{{}}}},"$ref":"#/$defs/l39"}}"##);
    assert!(Grammar::from_schema(&parse(&text)).unwrap_err().to_string().contains("too many schemas"));
    let listed = |count: usize| {
        let values: String = (0..count).map(|at| format!("{at},")).collect();
        format!(r#"{{"enum":[{values}0]}}"#)
    };
    let refused = |text: &str| Grammar::from_schema(&parse(text)).unwrap_err().to_string();
    assert!(accepts(&schema(&listed(19_000)), "18999"));
    assert!(refused(&listed(20_000)).contains("values in a schema"));
    assert!(refused(&format!(r#"{{"allOf":[{{"const":1}},{}]}}"#, listed(600))).contains("listed twice"));
    assert!(
        refused(&format!(r#"{{"anyOf":[{}true]}}"#, "true,".repeat(128))).contains("at most 128 choices")
    );
    let long = format!(r#"{{"properties":{{"{}":{{"not":{{}}}}}}}}"#, "é".repeat(10_000));
    assert!(Grammar::from_schema(&parse(&long)).unwrap_err().to_string().len() < 700);
    let many: String =
        (0..3000).map(|at| format!(r#""{}":true,"#, "a".repeat(at % 60 + 1) + &at.to_string())).collect();
    let many = format!(r#"{{"properties":{{{many}"z":true}},"additionalProperties":true}}"#);
    assert!(Grammar::from_schema(&parse(&many)).unwrap_err().to_string().contains("16 KiB"));
}

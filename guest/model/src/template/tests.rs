//! Constructs one by one, with what jinja2 3.1 gives for each. Whole prompts: `tests/templates.rs`.

use alloc::format;
use alloc::string::{String, ToString as _};
use alloc::vec;
use alloc::vec::Vec;

use super::{Conversation, Fault, Limit, Message, Template, TemplateError, Value};

fn message(role: &str, content: &str) -> Message {
    Message { role: role.to_string(), content: content.to_string() }
}

fn render(source: &str, messages: &[Message]) -> Result<String, TemplateError> {
    Template::parse(source)?
        .render(&Conversation::plain(messages, ("<s>", "</s>")))
        .map(|rendered| rendered.text)
}

fn one(source: &str) -> String {
    render(source, &[message("user", " Hi ")]).unwrap()
}

fn fault(source: &str) -> Fault {
    render(source, &[message("user", "secret")]).unwrap_err().fault
}

fn refused(source: &str) -> String {
    Template::parse(source).unwrap_err().to_string()
}

/// Each source gives its text.
fn give(cases: &[(&str, &str)]) {
    for (source, expected) in cases {
        assert_eq!(one(source), *expected, "{source}");
    }
}

#[test]
fn white_space_follows_blocks_dashes_and_pluses() {
    give(&[
        ("a\n  {% if true %}\nb\n  {% endif %}\nc\n", "a\nb\nc"),
        ("a {{- 'b' -}} c {# note #} d", "abc  d"),
        ("{{ 1 }} {% if true %}x{% endif %}", "1 x"),
        ("  {%+ if true %}x{% endif +%}\n", "  x"),
        ("a{# one\n two -#}  \n b", "ab"),
        ("{%- raw -%} {{ x }} {%- endraw %}\n\ny", "{{ x }}\ny"),
        ("a\r\nb\rc\n\n", "a\nb\nc\n"),
    ]);
}

#[test]
fn literals_are_those_of_python() {
    give(&[
        (r#"{{ 'a\n\'\x41\u00e9\d' "b" }}"#, "a\n'Aé\\db"),
        ("{{ 0x1F + 1_000 }} {{ 1.50 }} {{ 1e3 }}", "1031 1.5 1000.0"),
        (
            "{{ [1, none, 'a\"b\\'', ('x',), {'k': True, 2: []}] }}",
            "[1, None, 'a\"b\\'', ('x',), {'k': True, 2: []}]",
        ),
        ("{{ {'a': 1}.a }}{{ {'items': 1}['items'] }}{{ ('a', 'b')[1] }}", "11b"),
    ]);
}

#[test]
fn operators_bind_and_count_as_in_python() {
    give(&[
        ("{{ 1 + 2 * 3 ** 2 % 4 }} {{ -7 // 2 }} {{ -7 % 3 }} {{ 7 / 2 }}", "3 -4 2 3.5"),
        ("{{ 'a' ~ 1 ~ none }} {{ 'ab' * 2 }} {{ [1] + [2] }}", "a1None abab [1, 2]"),
        (
            "{{ 1 < 2 < 3 }} {{ 1 == 1.0 }} {{ 'a' not in ['b'] }} {{ not 'b' in 'abc' }}",
            "True True True False",
        ),
        ("{{ 'x' if false }}{{ 'y' if 0 else 'z' if 1 else 'w' }}", "z"),
        ("{{ 0 or 'a' and 'b' }} {{ '' or none }}", "b None"),
    ]);
}

#[test]
fn methods_come_before_fields_and_fields_before_methods_in_brackets() {
    let map = "{% set m = {'items': 5, 'x': 6} %}";
    give(&[
        (
            &format!(
                "{map}{{{{ m['items'] }}}} {{{{ m.items is callable }}}} {{{{ m.items().__class__ is defined }}}}"
            ),
            "5 True False",
        ),
        (
            &format!(
                "{map}{{{{ m.x }}}} {{{{ m.get('y') }}}} {{{{ m.get('y', 7) }}}} {{{{ m.y is undefined }}}}"
            ),
            "6 None 7 True",
        ),
        ("{{ 'a-b'.split('-')[-1].upper() }} {{ 'abc'.find('c') }} {{ 'x'.join(['1', '2']) }}", "B 2 1x2"),
        ("{{ messages[0]['content'].strip().startswith(('X', 'H')) }}", "True"),
        (
            "{{ 'aXbX'.rstrip('X') }} {{ 'a b  c'.split(none, 1) }} {{ 'abab'.replace('b', '-', 1) }}",
            "aXb ['a', 'b  c'] a-ab",
        ),
    ]);
}

#[test]
fn slices_count_from_both_ends_in_characters() {
    give(&[
        ("{{ 'äbcd'[1:] }} {{ 'äbcd'[:-1] }} {{ 'äbcd'[::-1] }} {{ 'äbcd'[-3:9] }}", "bcd äbc dcbä bcd"),
        (
            "{{ [1, 2, 3][::-1] }} {{ [1, 2, 3][5:] }} {{ [1, 2, 3][-1] }} {{ [1][3] is defined }}",
            "[3, 2, 1] [] 3 False",
        ),
        ("{{ none[1:] is defined }}", "False"),
    ]);
}

#[test]
fn scopes_of_loops_end_and_namespaces_stay() {
    give(&[
        ("{% set x = 1 %}{% for i in [1, 2] %}{{ x }}{% set x = 5 %}{{ x }}{% endfor %}{{ x }}", "15151"),
        (
            "{% set n = namespace(x=1) %}{% for i in [1, 2] %}{% set n.x = n.x + i %}{% endfor %}{{ n.x }}",
            "4",
        ),
        ("{% for a, (b, c) in [(1, (2, 3))] %}{{ a }}{{ b }}{{ c }}{% endfor %}", "123"),
        (
            "{% for i in range(9) if i is odd %}{% if i == 5 %}{% break %}{% endif %}{{ i }}{{ loop.index }}{% endfor %}",
            "1132",
        ),
        ("{% for i in [1, 2, 3] %}{% if i == 2 %}{% continue %}{% endif %}{{ i }}{% endfor %}", "13"),
        ("{% for m in [] %}x{% else %}none{% endfor %}", "none"),
        ("{% set t %}a{{ 1 }}{% endset %}{{ t | length }}{% with a = 2 %}{{ a }}{% endwith %}{{ a }}", "22"),
    ]);
}

#[test]
fn macros_see_where_they_stand_and_take_defaults_names_and_callers() {
    let source = "{% macro f(a, b='B') %}{{ a }}{{ b }}{{ g }}{% endmacro %}{% set g = 'G' %}{% for g in [1] %}{{ f(b=2, a='A') }}{{ f() }}{% endfor %}";
    assert_eq!(one(source), "A2GBG");
    assert_eq!(
        one("{% macro r(n) %}{{ n }}{% if n %}{{ r(n - 1) }}{% endif %}{% endmacro %}{{ r(3) }}"),
        "3210"
    );
    assert_eq!(
        one("{% macro m() %}<{{ caller(1) }}>{% endmacro %}{% call(x) m() %}{{ x }}{% endcall %}"),
        "<1>"
    );
    assert!(matches!(fault("{% macro f(a) %}{% endmacro %}{{ f(1, 2) }}"), Fault::Arguments { .. }));
}

#[test]
fn generators_are_true_and_can_be_gone_through_once() {
    give(&[
        ("{{ 'x' if [] | map('upper') }}", "x"),
        ("{% set g = [1, 2] | select('odd') %}{{ g | list }}{{ g | list }}", "[1][]"),
        ("{{ none | selectattr('x') | list }}", "[]"),
        ("{{ [{'a': {'b': 1}}] | map(attribute='a.b') | list }}", "[1]"),
    ]);
}

#[test]
fn filters_give_what_jinja_gives() {
    give(&[
        ("{{ x | default('d') }} {{ '' | default('d') }}{{ '' | default('d', true) }}", "d d"),
        (
            "{{ {'b': 1, 'A': 2} | dictsort }} {{ ['b', 'A'] | sort }} {{ [1, 1, 2] | unique | list }}",
            "[('A', 2), ('b', 1)] ['A', 'b'] [1, 2]",
        ),
        ("{{ '12.9' | int }} {{ 'x' | int(3) }} {{ 2.5 | round }} {{ 3.14159 | round(2) }}", "12 3 2.0 3.14"),
        ("{{ 'a\n\nb' | indent(2) }}|{{ 'a\nb' | indent(1, first=true) }}", "a\n\n  b| a\n b"),
        (
            "{{ 'hello wORLD-x' | title }} {{ 'ABC' | capitalize }} {{ 'abc' | first }}{{ 'abc' | last }}",
            "Hello World-X Abc ac",
        ),
        ("{{ '%s=%03d' | format('a', 7) }} {{ '{1}{0}{k}'.format(1, 2, k=3) }}", "a=007 213"),
    ]);
}

#[test]
fn tojson_is_json_dumps() {
    let source = "{{ [1, 1.0, 1e22, 'a\"é\\u007f\\b</', none, true, {}] | tojson }}";
    assert_eq!(one(source), "[1, 1.0, 1e+22, \"a\\\"é\u{7f}\\b</\", null, true, {}]");
    give(&[
        ("{{ {'b': [1], 'a': {}} | tojson(indent=2) }}", "{\n  \"b\": [\n    1\n  ],\n  \"a\": {}\n}"),
        (
            "{{ {'b': 'é', 'a': 1} | tojson(ensure_ascii=true, sort_keys=true) }}",
            "{\"a\": 1, \"b\": \"\\u00e9\"}",
        ),
        ("{{ [1, {'a': 2}] | tojson(separators=(',', ':')) }}", "[1,{\"a\":2}]"),
    ]);
    assert!(matches!(fault("{{ x | tojson }}"), Fault::Unsuited { .. }));
}

#[test]
fn what_python_raises_is_an_error() {
    for source in [
        "{{ x.y }}",
        "{{ x + 1 }}",
        "{{ 1 + 'a' }}",
        "{% for a in 1 %}{% endfor %}",
        "{{ 1 // 0 }}",
        "{{ none | length }}",
        "{% set a.b = 1 %}",
        "{{ [1].append(2) }}",
        "{{ 'a' < 1 }}",
        "{{ range(1, 2, 0) }}",
        "{% set a, b = [1] %}",
        "{{ strftime_now('%Y') }}",
    ] {
        render(source, &[]).unwrap_err();
    }
}

#[test]
fn a_call_that_changes_a_value_is_named() {
    let fault = fault("{% set x = [1] %}{{ x.append(2) }}");
    assert_eq!(fault, Fault::Changes { method: "append" });
}

#[test]
fn what_is_not_known_is_refused_with_its_line() {
    let cases = [
        ("a\n{% include 'x' %}", "line 2: statement \"include\" is not known"),
        ("\n\n{{ x | frobnicate }}", "line 3: filter \"frobnicate\" is not known"),
        ("{{ x\n is odd_one }}", "line 2: test \"odd_one\" is not known"),
        ("{{ x.weird() }}", "line 1: method \"weird\" is not known"),
        ("\n{% if false %}{{ lipsum() }}{% endif %}", "line 2: function \"lipsum\" is not known"),
        ("{{ x | map('frob') }}", "line 1: filter \"frob\" is not known"),
        ("{{ x | selectattr('a', 'frob') }}", "line 1: test \"frob\" is not known"),
        ("{{ strftime_now('%Q') }}", "line 1: directive \"%Q\" is not known"),
        ("{% macro f() %}{{ varargs }}{% endmacro %}", "line 1: name \"varargs\" is not known"),
        ("{{ '{{}} {:>5}'.format(1) }}", "line 1: conversion \"{…} with a format\" is not known"),
        ("{{ f(*x) }}", "line 1: syntax \"*arguments\" is not known"),
        ("{% if a %}\n{{ b c }}{% endif %}", "line 2: expected \"}}\", found \"c\""),
    ];
    for (source, expected) in cases {
        assert_eq!(refused(source), format!("chat template {expected}"));
    }
}

#[test]
fn what_is_not_well_formed_is_refused() {
    for source in [
        "{{ a",
        "{% if a %}",
        "{% endif %}",
        "{{ 'a }}",
        "{{ a b }}",
        "{% for in x %}",
        "{{ }}",
        "{{ ( }}",
        "{{ ) }}",
        "{# a",
        "{% raw %}",
        "{{ '\\x4' }}",
        "{{ 1 + }}",
        "{% for x in y %}{% else %}",
        "{{ a.b. }}",
        "{{ [1 }}",
        "{% break %}",
        "{% macro %}{% endmacro %}",
        "{{ x[ }}",
        "{{ ! }}",
    ] {
        Template::parse(source).unwrap_err();
    }
}

#[test]
fn templates_that_raise_or_never_end_are_stopped_without_content() {
    let says = |source: &str| match fault(source) {
        Fault::Raised { says } => says,
        other => panic!("{other}"),
    };
    assert_eq!(says("{{ raise_exception('Take turns') }}").as_deref(), Some("Take turns"));
    assert_eq!(says("{{ raise_exception(messages[0].content) }}"), None);
    assert_eq!(says("{{ raise_exception('a' ~ messages[0].content) }}"), None);
    let inside = "{% macro f(x) %}{{ raise_exception(x) }}{% endmacro %}{{ f(messages[0].content) }}";
    assert_eq!(says(inside), None);
    let endless = "{% for a in range(9999) %}{{ messages[0].content * 999 }}{% endfor %}{{ messages[0].content.nope.x }}";
    let error = render(endless, &[message("user", "secret")]).unwrap_err();
    assert!(!format!("{error} {error:?}").contains("secret"));
    let error = render("\n{% if x %}\n{% endif %}\n{{ raise_exception(1) }}", &[]).unwrap_err();
    assert_eq!(error.line, 4);
}

#[test]
fn templates_that_never_end_or_grow_are_stopped() {
    let limit = |source: &str| match fault(source) {
        Fault::Limit { limit } => limit,
        other => panic!("{source}: {other}"),
    };
    let many = "{% for a in range(9999) %}".repeat(3) + "x" + &"{% endfor %}".repeat(3);
    assert!(matches!(limit(&many), Limit::Steps | Limit::Memory));
    let twice = "{% macro f(n) %}{% if n %}{% set x = f(n - 1) and f(n - 1) or f(n - 1) %}{% endif %}{% endmacro %}{{ f(25) }}";
    assert_eq!(limit(twice), Limit::Steps);
    assert_eq!(limit("{% macro f() %}{{ f() }}{% endmacro %}{{ f() }}"), Limit::Depth);
    let doubled =
        "{% set n = namespace(s='x') %}{% for i in range(99) %}{% set n.s = n.s ~ n.s %}{% endfor %}";
    assert_eq!(limit(doubled), Limit::Memory);
    assert_eq!(limit(&doubled.replace("'x'", "[1]").replace('~', "+")), Limit::Memory);
    assert_eq!(limit("{{ 'x' * 99999999999 }}"), Limit::Memory);
    assert_eq!(limit("{{ 'x'.ljust(99999999999) }}"), Limit::Memory);
    assert_eq!(limit("{{ '%999999999999d' % 1 }}"), Limit::Memory);
    assert_eq!(limit("{{ range(999999999) }}"), Limit::Range);
    assert_eq!(limit("{{ 9 ** 999 }}"), Limit::Range);
    assert_eq!(limit("{% for i in range(9999) %}{{ 'x' * 9999 }}{% endfor %}"), Limit::Output);
}

#[test]
fn nesting_is_bounded_in_sources_values_and_calls() {
    for (open, close) in
        [("{% if true %}", "{% endif %}"), ("{{ ((", ")) }}"), ("{{ [", "] }}"), ("{{ not ", "x }}")]
    {
        let (open, close) = (open.replace("{{ ", ""), close.replace(" }}", ""));
        let body = open.repeat(5000) + "1" + &close.repeat(5000);
        let source = if open.contains('%') { body } else { format!("{{{{ {body} }}}}") };
        Template::parse(&source).unwrap_err();
    }
    let nested = "{% set n = namespace(l=[]) %}{% for i in range(9999) %}{% set n.l = [n.l] %}{% endfor %}";
    assert_eq!(fault(nested), Fault::Limit { limit: Limit::Depth });
    let own = "{% set n = namespace() %}{% set n.n = n %}{{ n.n.n.n is defined }}";
    assert_eq!(one(own), "True");
}

#[test]
fn lists_that_share_their_parts_do_not_grow_when_compared_or_printed() {
    let shared = "{% set n = namespace(a=[1], b=[1]) %}{% for i in range(50) %}{% set n.a = [n.a, n.a] %}{% set n.b = [n.b, n.b] %}{% endfor %}";
    assert_eq!(fault(&format!("{shared}{{{{ n.a == n.b }}}}")), Fault::Limit { limit: Limit::Steps });
    assert_eq!(fault(&format!("{shared}{{{{ n.a }}}}")), Fault::Limit { limit: Limit::Memory });
}

#[test]
fn messages_carry_parts_calls_and_reasoning_and_dates_are_given() {
    let source = "{{ messages[0].content[0].text }}{{ messages[1].tool_calls[0].function.arguments | tojson }}{{ messages[1].content is none }}{{ tools | length }}{{ thinking }}{{ strftime_now('%d %b %Y %H:%M') }}{{ add_generation_prompt }}{{ bos_token }}";
    let part = Value::map([("type", "text".into()), ("text", "Hi".into())]);
    let arguments = Value::map([("z", Value::Int(1)), ("a", Value::Float(0.5))]);
    let call = Value::map([("function", Value::map([("name", "f".into()), ("arguments", arguments)]))]);
    let messages = vec![
        Value::map([("role", "user".into()), ("content", Value::list(vec![part]))]),
        Value::map([
            ("role", "assistant".into()),
            ("content", Value::None),
            ("tool_calls", Value::list(vec![call])),
        ]),
    ];
    let conversation = Conversation {
        messages,
        tools: Some(vec![Value::map([("name", "f".into())])]),
        add_generation_prompt: false,
        marks: ("<s>", "</s>"),
        variables: vec![("thinking", true.into())],
        now_s: Some(951_782_400),
    };
    let text = Template::parse(source).unwrap().render(&conversation).unwrap().text;
    assert_eq!(text, "Hi{\"z\": 1, \"a\": 0.5}True1True29 Feb 2000 00:00False<s>");
}

#[test]
fn json_keeps_its_order_and_has_a_bounded_depth() {
    let value: Value = serde_json::from_str("{\"b\": [1, 18446744073709551615, 0.5], \"a\": null}").unwrap();
    let mut conversation = Conversation::plain(&[], ("", ""));
    conversation.variables.push(("x", value));
    let text = Template::parse("{{ x | tojson }}").unwrap().render(&conversation).unwrap().text;
    assert_eq!(text, "{\"b\": [1, 18446744073709551615, 0.5], \"a\": null}");
    let deep = "[".repeat(100) + &"]".repeat(100);
    serde_json::from_str::<Value>(&deep).unwrap_err();
}

#[test]
fn sources_cut_anywhere_never_panic() {
    let source = "{%- macro f(a, b=1) -%}{{ a | map('upper') | list }}{%- endmacro -%}{% for x, y in {'k': -1.5e3}.items() if x is not none %}{{ f([x[::-1], \"\\u00e9\"]) ~ y // 2 }}{% else %}{# c #}{% endfor %}{% raw %}{{{% endraw %}ü";
    Template::parse(source).unwrap();
    let ends: Vec<usize> = source.char_indices().map(|(at, _)| at).collect();
    for &end in &ends {
        drop(Template::parse(&source[..end]).map(|_| ()));
        drop(Template::parse(&source[end..]).map(|_| ()));
    }
}

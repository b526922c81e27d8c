//! Templates as published, compared with what Python's jinja2 3.1 renders (`trim_blocks`, `lstrip_blocks`).

use alloc::string::{String, ToString as _};

use super::{Message, Template, TemplateError};

fn message(role: &str, content: &str) -> Message {
    Message { role: role.to_string(), content: content.to_string() }
}

fn render(source: &str, messages: &[Message]) -> Result<String, TemplateError> {
    Template::parse(source)?.render(messages, ("<s>", "</s>"))
}

fn one(source: &str) -> String {
    render(source, &[message("user", " Hi ")]).unwrap()
}

#[test]
fn chatml_with_a_default_system_message() {
    let source = "{% for message in messages %}{% if loop.first and messages[0]['role'] != 'system' %}{{ '<|im_start|>system\nBe kind.<|im_end|>\n' }}{% endif %}{{'<|im_start|>' + message['role'] + '\n' + message['content'] + '<|im_end|>' + '\n'}}{% endfor %}{% if add_generation_prompt %}{{ '<|im_start|>assistant\n' }}{% endif %}";
    let expected =
        "<|im_start|>system\nBe kind.<|im_end|>\n<|im_start|>user\n Hi <|im_end|>\n<|im_start|>assistant\n";
    assert_eq!(one(source), expected);
    let with_system = render(source, &[message("system", "S"), message("user", "U")]).unwrap();
    assert!(with_system.starts_with("<|im_start|>system\nS<|im_end|>\n<|im_start|>user\nU"));
}

#[test]
fn namespaces_slices_filters_and_choices() {
    let source = "{%- set ns = namespace(system='', n=0) -%}
{%- if messages[0].role == 'system' %}{% set ns.system = messages[0].content | trim %}{% set rest = messages[1:] %}
{%- else %}{% set rest = messages %}{% endif -%}
{{ bos_token }}{% for m in rest if m.role != 'tool' %}{% set ns.n = ns.n + 1 %}[{{ ns.n }}:{{ m.role | upper }}]{{ m['content'] | trim }}{{ ',' if not loop.last else '.' }}{% endfor %}{{ ns.system ~ (rest | length) }}";
    let messages =
        [message("system", " s "), message("user", " a"), message("tool", "x"), message("assistant", "b ")];
    assert_eq!(render(source, &messages).unwrap(), "<s>[1:USER]a,[2:ASSISTANT]b.s3");
}

#[test]
fn white_space_follows_blocks_and_dashes() {
    assert_eq!(one("a\n  {% if true %}\nb\n  {% endif %}\nc"), "a\nb\nc");
    assert_eq!(one("a {{- 'b' -}} c {# note #} d"), "abc  d");
    assert_eq!(one("{% for m in [] %}x{% else %}none{% endfor %}"), "none");
}

#[test]
fn methods_tests_and_operators() {
    assert_eq!(one("{{ messages[0]['content'].strip().startswith('H') }}"), "True");
    assert_eq!(one("{{ (1 + 2 * 3) % 4 }}{{ 'a' in 'cat' and 'x' not in ['y'] }}{{ -1 }}"), "3True-1");
    assert_eq!(one("{{ tools is defined }}{{ tools is not none }}{{ x | default('d') }}"), "FalseTrued");
    assert_eq!(
        one("{{ [1, 'a\"é', none] | tojson }}{{ 'a,b'.split(',')[-1] }}{{ messages | length }}"),
        "[1, \"a\\\"é\", null]b1"
    );
}

#[test]
fn what_is_not_known_is_refused_with_its_line() {
    let refused = |source: &str| Template::parse(source).unwrap_err().to_string();
    assert_eq!(
        refused("a\n{% macro x() %}{% endmacro %}"),
        "chat template line 2: statement \"macro\" is not known"
    );
    assert_eq!(
        refused("\n\n{{ x | frobnicate }}"),
        "chat template line 3: filter \"frobnicate\" is not known"
    );
    assert_eq!(refused("{{ x.weird() }}"), "chat template line 1: method \"weird\" is not known");
    assert_eq!(
        refused("{{ strftime_now('%Y') }}"),
        "chat template line 1: function \"strftime_now\" is not known"
    );
    for source in
        ["{{ a", "{% if a %}", "{% endif %}", "{{ 'a }}", "{{ a b }}", "{% for in x %}", "{{ }}", "{{ ( }}"]
    {
        assert!(Template::parse(source).is_err(), "{source}");
    }
}

#[test]
fn templates_that_raise_or_never_end_are_stopped_without_content() {
    let raised =
        render("{{ raise_exception(messages[0].content) }}", &[message("user", "secret")]).unwrap_err();
    assert!(!raised.what.contains("secret"));
    let many = "{% for a in range(9999) %}".repeat(3) + "x" + &"{% endfor %}".repeat(3);
    render(&many, &[]).unwrap_err();
    let deep = "{% if true %}".repeat(100) + &"{% endif %}".repeat(100);
    Template::parse(&deep).unwrap_err();
}

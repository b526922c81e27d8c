//! Which of a prompt the template wrote. Whole prompts: `tests/control_tokens.rs`.

use alloc::format;
use alloc::string::{String, ToString as _};
use alloc::vec::Vec;

use super::{Conversation, Message, Rendered, Template};
use crate::gguf::Gguf;
use crate::tiny;
use crate::tokenizer::Tokenizer;

fn tokenizer() -> Tokenizer {
    let file = tiny::vocabulary(&["<|im_start|>", "<|im_end|>", "<|user|>"]).finish();
    Tokenizer::from_gguf(&Gguf::parse(&file, file.len() as u64).unwrap()).unwrap()
}

/// What the template wrote of what `source` makes of one user's message.
fn own(source: &str, content: &str) -> Vec<String> {
    let message = Message { role: "user".to_string(), content: content.to_string() };
    let conversation = Conversation::plain(&[message], ("<s>", "</s>"));
    let Rendered { text, own } = Template::parse(source).unwrap().render(&conversation).unwrap();
    assert!(own.is_sorted_by(|one, other| one.end < other.start), "{own:?}");
    own.iter().map(|range| text[range.clone()].to_string()).collect()
}

#[test]
fn what_operations_cut_and_join_keeps_who_wrote_it() {
    let cases: &[(&str, &[&str])] = &[
        ("a{{ c }}b{{ '<' ~ m.role ~ '>' }}", &["a", "b<user>"]),
        ("{{ bos_token + c + eos_token }}", &["<s>", "</s>"]),
        ("{% set x %}[{{ c }}]{% endset %}{{ x | trim }}{{ x }}", &["[", "][", "]"]),
        ("{% macro f(x) %}({{ x }}){% endmacro %}{{ f(c) }}{{ f('y') }}", &["(", ")(y)"]),
        ("{{ (' <' ~ c ~ '> ').strip() }}", &["<", ">"]),
        ("{{ ('<' ~ c ~ '>')[1:] }}{{ ('<' ~ c)[0] }}", &["><"]),
        ("{{ ('<x>' ~ c).split('x') | join(c) }}", &["<", ">"]),
        ("{{ ['<', c, '>'] | join('|') }}", &["<|", "|>"]),
        ("{{ '|'.join(['<', c]) }}", &["<|"]),
        ("{{ c.replace('b', '<b>') }}", &["<b>"]),
        ("{{ '<b>'.replace('b', c) }}", &["<", ">"]),
        ("{{ '<%s>' % c }}{{ '({})'.format(c) }}", &["<", ">(", ")"]),
        ("{{ 'ab' | upper }}{{ c | upper }}{{ 'x' * 2 }}{{ c * 2 }}", &["AB", "xx"]),
        ("{{ ('a' ~ c) | upper }}{{ ('a' ~ c) | reverse }}", &[]),
        ("{{ c | tojson }}{{ [c] }}{{ {'k': c} | tojson }}{{ c | length }}", &[]),
        (
            "{% for x in 'ab' %}{{ x }}{% endfor %}{% for x in c %}{{ x }}{% endfor %}{{ 'yz' | first }}",
            &["ab", "y"],
        ),
        ("{{ ('x\n' ~ c) | indent(2) }}", &["x"]),
        ("{{ '<' | e }}{{ '[a]' | e }}{{ ('[' | safe) + c + ']' }}", &["[a][", "]"]),
        (
            "{{ '<a>b'.removeprefix('<') }}{{ c.partition('b')[1] }}{{ 'a=b'.partition('=')[2] }}",
            &["a>b", "b"],
        ),
        ("{% set n = namespace(t='<') %}{% set n.t = n.t ~ c ~ '>' %}{{ n.t }}", &["<", ">"]),
        ("{{ {'user': '<u>'}[m.role] }}{{ {'abc': 'x'}[c] }}", &["<u>x"]),
        ("{{ c if c else 'x' }}{{ d | default('y') }}{{ c or 'z' }}", &["y"]),
    ];
    for (source, expected) in cases {
        let source = format!("{{% set m = messages[0] %}}{{% set c = m.content %}}{source}");
        assert_eq!(own(&source, "abc"), *expected, "{source}");
    }
}

#[test]
fn a_control_token_needs_all_of_its_bytes_from_the_template() {
    let tokenizer = tokenizer();
    let controls = |source: &str, content: &str| {
        let message = Message { role: "user".to_string(), content: content.to_string() };
        let conversation = Conversation::plain(&[message.clone(), message], ("<s>", "</s>"));
        let rendered = Template::parse(source).unwrap().render(&conversation).unwrap();
        let tokens = tokenizer.encode_rendered(&rendered.text, &rendered.own);
        tokens.into_iter().filter(|&token| token >= 256).count()
    };
    let joined = "{% for m in messages %}{{ m.content }}{% endfor %}";
    assert_eq!(controls("<|{{ messages[0].role }}|>", ""), 1);
    assert_eq!(controls(joined, "<|im_end|>"), 0);
    // Halves of two messages, or of a message and the template, are no token either.
    assert_eq!(controls(joined, "end|><|im_"), 0);
    assert_eq!(controls("<|im_{{ messages[0].content }}", "end|>"), 0);
    assert_eq!(controls("{{ messages[0].content }}end|>", "<|im_"), 0);
    assert_eq!(controls("{{ '<|' ~ messages[0].content ~ '|>' }}", "im_end"), 0);
}

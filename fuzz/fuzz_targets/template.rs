//! Chat templates of model files, and conversations for them.
#![no_main]

use vial_model::template::{Conversation, Message, Template};

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    let Some((template, content)) = std::str::from_utf8(data).ok().and_then(|text| text.split_once('\0')) else { return };
    let Ok(template) = Template::parse(template) else { return };
    let message = |role: &str| Message { role: role.to_owned(), content: content.to_owned() };
    let messages = ["system", "user", "assistant"].map(message);
    let Ok(rendered) = template.render(&Conversation::plain(&messages, ("<s>", "</s>"))) else { return };
    assert!(rendered.own.is_sorted_by(|one, other| one.end < other.start));
    assert!(rendered.own.iter().all(|range| rendered.text.get(range.clone()).is_some_and(|own| !own.is_empty())));
});

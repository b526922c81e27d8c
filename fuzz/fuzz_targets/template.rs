//! Chat templates of model files, and conversations for them.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    let Some((template, content)) = std::str::from_utf8(data).ok().and_then(|text| text.split_once('\0')) else { return };
    let Ok(template) = vial_model::template::Template::parse(template) else { return };
    let message = |role: &str| vial_model::template::Message { role: role.to_owned(), content: content.to_owned() };
    let _any = template.render(&["system", "user", "assistant"].map(message), ("<s>", "</s>"));
});

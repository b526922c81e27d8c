//! Texts of prompts: what is encoded comes back whole.
#![no_main]

thread_local! {
    /// That of the tiny model.
    static TOKENIZER: vial_model::tokenizer::Tokenizer = {
        let file = vial_model::tiny::llama(1);
        let gguf = vial_model::gguf::Gguf::parse(&file, file.len() as u64).expect("a header of ours");
        vial_model::tokenizer::Tokenizer::from_gguf(&gguf).expect("a tokenizer of ours")
    };
}

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    let Ok(text) = std::str::from_utf8(data) else { return };
    TOKENIZER.with(|tokenizer| {
        let pieces = tokenizer.encode(text, false).into_iter().flat_map(|token| tokenizer.piece(token).to_vec());
        assert_eq!(pieces.collect::<Vec<u8>>(), data);
        let all = tokenizer.encode(text, true);
        assert_eq!(tokenizer.encode_rendered(text, &[0..text.len()]), all);
        assert_eq!(tokenizer.encode_rendered(text, &[]), tokenizer.encode(text, false));
    });
});

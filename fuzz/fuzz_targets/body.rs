//! Bodies of requests: chats, completions and embeddings, in OpenAI's words and Ollama's.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    for is_chat in [true, false] {
        let Ok(read) = vial_net::generation(data, is_chat, "model") else { continue };
        for tool in &read.tools.list {
            assert!((1..=64).contains(&tool.name.len()) && tool.name.is_ascii());
            assert!(tool.json.as_str().len() <= data.len());
        }
        let caching = &read.caching;
        assert!(caching.key.as_ref().is_none_or(|key| caching.is_allowed && (1..=512).contains(&key.len())));
        let names = [&caching.user, &caching.safety_identifier];
        assert!(names.into_iter().flatten().all(|name| name.len() <= 512));
        if let vial_net::ToolChoice::Named(name) = &read.tools.choice {
            assert!(read.tools.list.iter().any(|tool| tool.name == *name));
        }
    }
    for is_chat in [true, false] {
        let _read = vial_net::ollama(data, is_chat, "model");
    }
    if let Ok(read) = vial_net::embedding(data, "model", 64) {
        assert!((1..=2048).contains(&read.inputs.len()));
    }
});

//! What every conversation begins with.

use alloc::string::ToString as _;
use alloc::vec::Vec;
use vial_agent::Agent;
use vial_model::template::{Conversation, Message, Template};
use vial_model::tokenizer::Tokenizer;

/// Tokens that conversations begin with whatever the client says: the measured system message in the model's own form. Of two
/// conversations that differ from their first character on, what they have in common.
#[must_use]
pub fn beginning(agent: &Agent, tokenizer: &Tokenizer, template: Option<&Template>) -> Vec<u32> {
    let Some(template) = template else { return Vec::new() };
    let marks = tokenizer.marks();
    let tokens = |said: &str| {
        let message = |role: &str, content: &str| Message { role: role.into(), content: content.to_string() };
        let system = (!agent.prompt.is_empty()).then(|| message("system", &agent.prompt));
        let messages: Vec<Message> = system.into_iter().chain([message("user", said)]).collect();
        // A template that refuses has no beginning that is worth keeping.
        let rendered = template.render(&Conversation::plain(&messages, (&marks.0, &marks.1)));
        rendered.map_or_else(|_| Vec::new(), |rendered| rendered.tokens(tokenizer))
    };
    let (one, other) = (tokens("0"), tokens("~"));
    one.into_iter().zip(other).take_while(|(one, other)| one == other).map(|(token, _)| token).collect()
}

#[cfg(test)]
mod tests {
    use super::beginning;
    use vial_agent::Agent;
    use vial_model::gguf::Gguf;
    use vial_model::template::Template;
    use vial_model::tokenizer::Tokenizer;

    #[test]
    fn the_beginning_is_the_system_message_and_no_more() {
        let file = vial_model::tiny::llama(1);
        let gguf = Gguf::parse(&file, file.len() as u64).unwrap();
        let tokenizer = Tokenizer::from_gguf(&gguf).unwrap();
        let template = Template::parse(gguf.str("tokenizer.chat_template").unwrap()).unwrap();
        let agent = Agent { prompt: "be brief".into(), ..Agent::default() };
        let text = "<|im_start|>system\nbe brief<|im_end|>\n<|im_start|>user\n";
        assert_eq!(beginning(&agent, &tokenizer, Some(&template)), tokenizer.encode(text, true));
        assert!(beginning(&agent, &tokenizer, None).is_empty());
    }
}

//! A chat of the API as the template's conversation.
//!
//! Templates of most families want the arguments of a call as an object and some as text: they get an object first, and
//! text if they cannot use it.
//!
//! Trust: roles are the API's own words, and the only part of a request that templates make control tokens of. All else
//! stays text, whatever is written in it.

use alloc::string::{String, ToString as _};
use alloc::vec;
use alloc::vec::Vec;
use vial_agent::Agent;
use vial_model::template::{Conversation, Fault, Rendered, Template, TemplateError, Value};
use vial_net::{ApiError, Generation, JsonText, Message, Role, Tool, ToolCall};

/// How arguments of calls are given.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Arguments {
    Object,
    Text,
}

/// What a prompt is made of, beside the request.
#[derive(Clone, Copy, Debug)]
pub struct Surroundings<'a> {
    /// The file's template.
    pub template: &'a Template,
    /// Beginning and end token as text.
    pub marks: (&'a str, &'a str),
    /// Its prompt comes first where the conversation has no system message.
    pub agent: &'a Agent,
    /// Seconds since 1970, where the clock knows them.
    pub now_s: Option<i64>,
}

impl Surroundings<'_> {
    /// The prompt of a chat.
    ///
    /// # Errors
    /// JSON that the template cannot be given, tools that it has no place for, or what it refuses. None holds content.
    pub fn prompt(&self, messages: &[Message], generation: &Generation) -> Result<Rendered, ApiError> {
        let tools = tools(&generation.tools.list)?;
        if tools.is_some() && !self.template.takes("tools") {
            let message = "found tools, expected none: this model's chat template has no place for them";
            return Err(ApiError::invalid("tools", message));
        }
        let mut conversation = Conversation {
            messages: self.messages(messages, Arguments::Object),
            tools,
            add_generation_prompt: true,
            marks: self.marks,
            variables: variables(&generation.template_variables)?,
            now_s: self.now_s,
        };
        let mut rendered = self.template.render(&conversation);
        let has_calls = messages.iter().any(|message| !message.tool_calls.is_empty());
        if has_calls && matches!(rendered, Err(TemplateError { fault: Fault::Unsuited { .. }, .. })) {
            conversation.messages = self.messages(messages, Arguments::Text);
            rendered = self.template.render(&conversation);
        }
        // Says a constant of the template, never a message: see `Fault::Raised`.
        rendered.map_err(|error| ApiError::invalid("messages", error.to_string()))
    }

    fn messages(&self, messages: &[Message], arguments: Arguments) -> Vec<Value> {
        let has_system = messages.iter().any(|message| message.role == Role::System);
        let own = (!has_system && !self.agent.prompt.is_empty()).then(|| system(&self.agent.prompt));
        own.into_iter().chain(messages.iter().map(|message| value(message, arguments))).collect()
    }
}

fn system(text: &str) -> Value {
    Value::map([("role", Value::trusted(Role::System.name())), ("content", text.into())])
}

fn value(message: &Message, arguments: Arguments) -> Value {
    let text = |text: &Option<String>| text.as_deref().map(Value::text);
    let mut fields = vec![
        ("role", Value::trusted(message.role.name())),
        ("content", text(&message.content).unwrap_or(Value::None)),
    ];
    let further = [
        ("name", text(&message.name)),
        ("tool_call_id", text(&message.tool_call_id)),
        ("reasoning_content", text(&message.reasoning_content)),
    ];
    fields.extend(further.into_iter().filter_map(|(name, value)| Some((name, value?))));
    if !message.tool_calls.is_empty() {
        let calls = message.tool_calls.iter().map(|call| self::call(call, arguments));
        fields.push(("tool_calls", Value::list(calls.collect())));
    }
    Value::map(fields)
}

fn call(call: &ToolCall, arguments: Arguments) -> Value {
    let object = serde_json::from_str(&call.arguments).ok().filter(|_| arguments == Arguments::Object);
    let arguments = object.filter(|value| matches!(value, Value::Map(_)));
    let arguments = arguments.unwrap_or_else(|| Value::text(&call.arguments));
    let function = Value::map([("name", Value::text(&call.name)), ("arguments", arguments)]);
    Value::map([("id", Value::text(&call.id)), ("type", "function".into()), ("function", function)])
}

/// Tools as they were sent; `None` where there are none, as templates test.
fn tools(tools: &[Tool]) -> Result<Option<Vec<Value>>, ApiError> {
    let json = |(at, tool): (usize, &Tool)| json(&tool.json, &alloc::format!("tools[{at}]"));
    let values = tools.iter().enumerate().map(json).collect::<Result<Vec<_>, _>>()?;
    Ok((!values.is_empty()).then_some(values))
}

fn variables<'a>(variables: &'a [(String, JsonText)]) -> Result<Vec<(&'a str, Value)>, ApiError> {
    let variable =
        |(name, text): &'a (String, JsonText)| Ok((name.as_str(), json(text, "chat_template_kwargs")?));
    variables.iter().map(variable).collect()
}

fn json(text: &JsonText, path: &str) -> Result<Value, ApiError> {
    let refused = |_| ApiError::invalid(path, "found broken escapes, or numbers out of range, expected JSON");
    serde_json::from_str(text.as_str()).map_err(refused)
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::format;
    use vial_net::{Prompt, generation};

    /// What a template makes of a body.
    fn prompt(template: &str, agent: &str, body: &str) -> Result<String, ApiError> {
        rendered(template, agent, body).map(|rendered| rendered.text)
    }

    fn rendered(template: &str, agent: &str, body: &str) -> Result<Rendered, ApiError> {
        let generation = generation(body.as_bytes(), true, "m").unwrap();
        let Prompt::Chat(messages) = &generation.prompt else { panic!("a text") };
        let agent = Agent { prompt: agent.to_string(), ..Agent::default() };
        let template = Template::parse(template).unwrap();
        let marks = ("<s>", "</s>");
        Surroundings { template: &template, marks, agent: &agent, now_s: Some(0) }
            .prompt(messages, &generation)
    }

    fn refused(template: &str, body: &str) -> (String, String) {
        let error = prompt(template, "", body).unwrap_err();
        assert_eq!(error.status, 400);
        (error.param.unwrap_or_default(), error.message)
    }

    const ROLES: &str = "{% for m in messages %}{{ m.role }}:{{ m.content }};{% endfor %}";
    const CALLS: &str = r#"{"messages":[{"role":"assistant","content":null,"tool_calls":[
        {"id":"1","type":"function","function":{"name":"f","arguments":"{\"b\":1,\"a\":[2.5]}"}},
        {"id":"2","type":"function","function":{"name":"g","arguments":"not JSON"}}]},
        {"role":"tool","tool_call_id":"1","name":"f","content":"x"}]}"#;

    #[test]
    fn the_agents_prompt_stands_in_for_a_system_message() {
        let user = r#"{"role":"user","content":"a"}"#;
        assert_eq!(prompt(ROLES, "be", &format!(r#"{{"messages":[{user}]}}"#)).unwrap(), "system:be;user:a;");
        let own = format!(r#"{{"messages":[{{"role":"developer","content":"b"}},{user}]}}"#);
        assert_eq!(prompt(ROLES, "be", &own).unwrap(), "system:b;user:a;");
        assert_eq!(prompt(ROLES, "", &format!(r#"{{"messages":[{user}]}}"#)).unwrap(), "user:a;");
    }

    #[test]
    fn calls_and_what_they_gave_reach_the_template() {
        let source = "{% for m in messages %}{% for c in m.tool_calls %}{{ c.id }} {{ c.type }} {{ c.function.name }} \
            {{ c.function.arguments | tojson }};{% endfor %}{{ m.content is none }} {{ m.tool_call_id }} {{ m.name }};{% endfor %}";
        let expected = "1 function f {\"b\": 1, \"a\": [2.5]};2 function g \"not JSON\";True  ;False 1 f;";
        assert_eq!(prompt(source, "", CALLS).unwrap(), expected);
    }

    #[test]
    fn a_template_that_joins_arguments_as_text_gets_them_as_text() {
        let source =
            "{% for c in messages[0].tool_calls %}{{ '```' + c.function.arguments + '```' }}{% endfor %}";
        assert_eq!(prompt(source, "", CALLS).unwrap(), "```{\"b\":1,\"a\":[2.5]}``````not JSON```");
    }

    #[test]
    fn tools_variables_and_the_time_reach_the_template() {
        let source =
            "{{ tools | tojson }}{{ enable_thinking }}{{ strftime_now('%Y') }}{{ bos_token }}{{ eos_token }}";
        let body = r#"{"messages":[{"role":"user","content":"a"}],"chat_template_kwargs":{"enable_thinking":false},
            "tools":[{"type":"function","function":{"parameters":{"z":1,"a":2},"name":"f"}}],"tool_choice":"none"}"#;
        let expected = "[{\"type\": \"function\", \"function\": {\"parameters\": {\"z\": 1, \"a\": 2}, \"name\": \"f\"}}]";
        assert_eq!(prompt(source, "", body).unwrap(), format!("{expected}False1970<s></s>"));
        assert_eq!(refused(ROLES, body).0, "tools");
        let without = r#"{"messages":[{"role":"user","content":"a"}],"tools":[]}"#;
        assert_eq!(prompt("{{ tools is none }}", "", without).unwrap(), "True");
    }

    #[test]
    fn only_roles_and_marks_count_as_the_templates_own() {
        let source = "{{ bos_token }}{% for m in messages %}<{{ m.role }}>{{ m.content | trim }}{{ m.name }}{% endfor %}{{ tools }}{{ x }}";
        let body = r#"{"messages":[{"role":"user","content":" <user> ","name":"n"}],"chat_template_kwargs":{"x":"<s>"},
            "tools":[{"type":"function","function":{"name":"f","<s>":"<s>"}}]}"#;
        let rendered = rendered(source, "<s>", body).unwrap();
        let own: Vec<&str> = rendered.own.iter().map(|range| &rendered.text[range.clone()]).collect();
        assert_eq!(own, ["<s><system>", "<user>"], "{rendered:?}");
    }

    #[test]
    fn what_cannot_be_given_or_is_refused_is_named_without_content() {
        let body = r#"{"messages":[{"role":"user","content":"secret"}]}"#;
        let (param, message) = refused("{{ raise_exception('Take turns') }}", body);
        assert!(param == "messages" && message.ends_with("Take turns"), "{message}");
        assert!(!refused("{{ raise_exception(messages[0].content) }}", body).1.contains("secret"));
        let tool = r#"{"messages":[{"role":"user","content":"a"}],
            "tools":[{"type":"function","function":{"name":"f","description":"d","parameters":{"a":"\ud800"}}}]}"#;
        assert_eq!(refused("{{ tools }}", tool).0, "tools[0]");
        let number = r#"{"messages":[{"role":"user","content":"a"}],"chat_template_kwargs":{"x":1e999}}"#;
        assert_eq!(refused("x", number).0, "chat_template_kwargs");
    }
}

//! Bodies of requests: each accepted thing has its refusing twins.

use alloc::string::{String, ToString as _};
use alloc::vec::Vec;
use alloc::{format, vec};

use super::{
    Caching, Embedding, Encoding, Format, Generation, Input, Message, Overflow, Pooling, Prompt, Role,
    ToolCall, ToolChoice, embedding, generation,
};
use crate::error::ApiError;

/// A chat with further fields.
fn chat(rest: &str) -> Result<Generation, ApiError> {
    generation(format!(r#"{{"messages":[{{"role":"user","content":"a"}}]{rest}}}"#).as_bytes(), true, "m")
}

fn messages(json: &str) -> Result<Vec<Message>, ApiError> {
    match generation(format!(r#"{{"messages":[{json}]}}"#).as_bytes(), true, "m")?.prompt {
        Prompt::Chat(messages) => Ok(messages),
        Prompt::Text(_) => panic!("a text"),
    }
}

fn field<T>(result: Result<T, ApiError>) -> (String, String) {
    let error = result.err().unwrap();
    assert_eq!(error.status, 400);
    (error.param.unwrap_or_default(), error.message)
}

fn assert_refused<T>(result: Result<T, ApiError>, param: &str, message: &str) {
    let found = field(result);
    assert_eq!((found.0.as_str(), found.1.as_str()), (param, message));
}

#[test]
fn fields_of_a_chat_are_read_and_each_bad_one_is_named() {
    let read = chat(
        r#","model":"m","stop":"x","temperature":0.5,"max_completion_tokens":7,"logprobs":true,"top_logprobs":2,
        "user":"u","seed":-1,"n":1,"stream":true,"stream_options":{"include_usage":true},"logit_bias":{},"top_p":null"#,
    );
    let read = read.unwrap();
    assert_eq!((read.max_tokens, read.logprobs, read.stop), (Some(7), Some(2), vec!["x".to_string()]));
    assert_eq!((read.sampling.seed, read.sampling.top_p, read.includes_usage), (Some(u64::MAX), None, true));
    let other = generation(br#"{"model":"x","messages":[]}"#, true, "m").unwrap_err();
    assert_eq!((other.status, other.param.as_deref()), (404, Some("model")));
    assert_refused(chat(r#","n":2"#), "n", "found 2, expected 1");
    assert_refused(chat(r#","top_logprobs":2"#), "top_logprobs", "expected \"logprobs\": true beside it");
    assert_refused(chat(r#","temperature":"1""#), "temperature", "found text, expected a number");
    assert_refused(chat(r#","max_tokens":-1"#), "max_tokens", "found a number, expected a number of tokens");
    assert_refused(chat(r#","stream":1"#), "stream", "found a number, expected a flag");
    assert_refused(chat(r#","stop":{}"#), "stop", "found an object, expected a text or an array of texts");
    assert_refused(chat(r#","stop":[1]"#), "stop[0]", "found a number, expected text of whole characters");
    assert_eq!(field(chat(r#","logit_bias":{"5":1}"#)).0, "logit_bias");
    assert_eq!(field(chat(r#","modalities":["audio"]"#)).0, "modalities");
    assert_eq!(field(chat(r#","stream_options":{"include_usage":"x"}"#)).0, "stream_options.include_usage");
}

#[test]
fn the_contexts_end_and_determinism_are_the_clients_to_choose() {
    let read = |rest: &str| chat(rest).map(|read| (read.overflow, read.is_deterministic));
    assert_eq!(read(""), Ok((Overflow::Stop, false)));
    assert_eq!(read(r#","context_overflow":"stop","deterministic":true"#), Ok((Overflow::Stop, true)));
    assert_eq!(read(r#","context_overflow":"shift""#), Ok((Overflow::Shift { keep: 0 }, false)));
    assert_eq!(read(r#","context_overflow":"shift","n_keep":7"#), Ok((Overflow::Shift { keep: 7 }, false)));
    assert_refused(
        chat(r#","context_overflow":"wrap""#),
        "context_overflow",
        "found text, expected \"stop\" or \"shift\"",
    );
    assert_eq!(field(chat(r#","context_overflow":1"#)).0, "context_overflow");
    assert_eq!(field(chat(r#","n_keep":1"#)).0, "n_keep");
    assert_eq!(field(chat(r#","context_overflow":"shift","n_keep":-1"#)).0, "n_keep");
    assert_eq!(field(chat(r#","deterministic":1"#)).0, "deterministic");
}

#[test]
fn a_client_says_with_which_requests_it_shares_its_prompt() {
    let read = |rest: &str| chat(rest).map(|read| read.caching);
    let nothing = Caching { is_allowed: true, key: None, user: None, safety_identifier: None };
    assert_eq!(read(""), Ok(nothing.clone()));
    assert_eq!(read(r#","prompt_cache_key":null,"user":null,"cache_prompt":null"#), Ok(nothing.clone()));
    assert_eq!(read(r#","cache_prompt":false"#), Ok(Caching { is_allowed: false, ..nothing.clone() }));
    let named = |name: &str| Some(name.to_string());
    assert_eq!(
        read(r#","cache_prompt":true,"prompt_cache_key":"k","user":"","safety_identifier":"s""#),
        Ok(Caching { is_allowed: true, key: named("k"), user: named(""), safety_identifier: named("s") })
    );
    let long = |name: &str, bytes: usize| read(&format!(r#","{name}":"{}""#, "k".repeat(bytes)));
    for name in ["prompt_cache_key", "user", "safety_identifier"] {
        long(name, 512).unwrap();
        let least = usize::from(name == "prompt_cache_key");
        assert_refused(long(name, 513), name, &format!("found 513 bytes, expected {least} to 512"));
        let found = format!(r#","{name}":7"#);
        assert_refused(read(&found), name, "found a number, expected text of whole characters");
    }
    assert_refused(read(r#","prompt_cache_key":"""#), "prompt_cache_key", "found 0 bytes, expected 1 to 512");
    assert_refused(read(r#","cache_prompt":"no""#), "cache_prompt", "found text, expected a flag");
    assert_refused(
        read(r#","cache_prompt":false,"prompt_cache_key":"k""#),
        "prompt_cache_key",
        "found text, expected none beside \"cache_prompt\": false",
    );
}

#[test]
fn fields_of_a_completion_are_read_and_each_bad_one_is_named() {
    let text = |body: &str| generation(body.as_bytes(), false, "m");
    let read =
        text(r#"{"prompt":["a"],"logprobs":2,"grammar":"root ::= \"a\"","best_of":1,"echo":false}"#).unwrap();
    assert_eq!(
        (read.prompt, read.max_tokens, read.logprobs),
        (Prompt::Text("a".to_string()), Some(16), Some(2))
    );
    assert_eq!(read.format, Format::Grammar("root ::= \"a\"".to_string()));
    assert_eq!(field(text("{}")).0, "prompt");
    assert_eq!(field(text(r#"{"prompt":["a","b"]}"#)).0, "prompt");
    assert_eq!(field(text(r#"{"prompt":[]}"#)).1, "found an array, expected one text");
    assert_eq!(field(text(r#"{"prompt":"a","tools":[]}"#)).0, "tools");
    assert_eq!(field(text(r#"{"prompt":"a","suffix":"b"}"#)).0, "suffix");
    assert_eq!(field(text(r#"{"prompt":"a","echo":true}"#)).0, "echo");
    assert_eq!(field(text(r#"{"prompt":"a","logprobs":true}"#)).0, "logprobs");
}

#[test]
fn messages_of_every_role_are_read() {
    let read = messages(
        r#"{"role":"developer","content":[{"type":"text","text":"a"},{"type":"text","text":"b"}]},
        {"role":"user","name":"Ann","content":"c"},
        {"role":"assistant","content":null,"reasoning_content":"d","tool_calls":
            [{"id":"1","type":"function","function":{"name":"f","arguments":"{\"x\":1}"}}]},
        {"role":"tool","tool_call_id":"1","content":"e","unknown":7}"#,
    );
    let read = read.unwrap();
    assert_eq!(
        read.iter().map(|message| message.role.name()).collect::<Vec<_>>(),
        ["system", "user", "assistant", "tool"]
    );
    let contents: Vec<_> = read.iter().map(|message| message.content.as_deref()).collect();
    assert_eq!(contents, [Some("ab"), Some("c"), None, Some("e")]);
    assert_eq!((read[1].name.as_deref(), read[2].reasoning_content.as_deref()), (Some("Ann"), Some("d")));
    let call = ToolCall { id: "1".to_string(), name: "f".to_string(), arguments: "{\"x\":1}".to_string() };
    assert_eq!((read[2].tool_calls.as_slice(), read[3].tool_call_id.as_deref()), (&[call][..], Some("1")));
    assert_eq!(read[0].role, Role::System);
}

#[test]
fn messages_that_are_not_whole_are_refused_by_their_path() {
    let call = |call: &str| messages(&format!(r#"{{"role":"assistant","tool_calls":[{call}]}}"#));
    let at = |result| field(result).0;
    assert_refused(generation(b"{}", true, "m"), "messages", "found nothing, expected at least one message");
    assert_refused(
        generation(br#"{"messages":"x"}"#, true, "m"),
        "messages",
        "found text, expected an array of at most 4096 items",
    );
    assert_eq!(at(messages("")), "messages");
    assert_eq!(at(messages("1")), "messages[0]");
    assert_eq!(at(messages(r#"{"role":"function","content":"","name":"f"}"#)), "messages[0].role");
    assert_eq!(at(messages(r#"{"role":"user"}"#)), "messages[0].content");
    assert_eq!(at(messages(r#"{"role":"assistant","content":null,"tool_calls":[]}"#)), "messages[0].content");
    assert_eq!(at(messages(r#"{"role":"user","content":7}"#)), "messages[0].content");
    assert_eq!(at(messages(r#"{"role":"user","content":"\ud800"}"#)), "messages[0].content");
    let image = r#"{"role":"user","content":[{"type":"image_url","image_url":{"url":"secret"}}]}"#;
    assert_refused(
        messages(image),
        "messages[0].content[0].type",
        "found text, expected \"text\", other parts are not supported",
    );
    assert_eq!(at(messages(r#"{"role":"user","content":[{"type":"text"}]}"#)), "messages[0].content[0].text");
    assert_eq!(at(messages(r#"{"role":"tool","content":"a"}"#)), "messages[0].tool_call_id");
    assert_eq!(at(messages(r#"{"role":"user","content":"a","tool_calls":[]}"#)), "messages[0].tool_calls");
    assert_eq!(
        at(messages(r#"{"role":"assistant","content":"a","function_call":{}}"#)),
        "messages[0].function_call"
    );
    assert_eq!(
        at(call(r#"{"type":"function","function":{"name":"f","arguments":""}}"#)),
        "messages[0].tool_calls[0].id"
    );
    assert_eq!(at(call(r#"{"id":"1","type":"custom"}"#)), "messages[0].tool_calls[0].type");
    let function = |function: &str| call(&format!(r#"{{"id":"1","type":"function","function":{function}}}"#));
    assert_eq!(at(function(r#"{"name":"a b","arguments":""}"#)), "messages[0].tool_calls[0].function.name");
    assert_eq!(
        at(function(r#"{"name":"f","arguments":{}}"#)),
        "messages[0].tool_calls[0].function.arguments"
    );
}

#[test]
fn errors_do_not_quote_content() {
    for body in [
        r#"{"messages":"my secret"}"#,
        r#"{"messages":[{"role":"secret","content":""}]}"#,
        r#"{"messages":[{"role":"user","content":{"secret":"secret"}}]}"#,
        r#"{"messages":[{"role":"user","content":"secret"}],"response_format":{"type":"secret"}}"#,
        r#"{"messages":[{"role":"user","content":"secret"}],"tools":[{"type":"secret"}]}"#,
        r#"{"messages":[{"role":"user","content":"a"}],"tool_choice":"secret"}"#,
        r#"{"messages":[{"role":"user","content":"a"}],"chat_template_kwargs":{"my secret":1}}"#,
        "{\"secret",
    ] {
        let error = generation(body.as_bytes(), true, "m").unwrap_err();
        assert!(!format!("{error:?}").contains("secret"), "{body}: {error:?}");
    }
}

const F: &str =
    r#"{"type":"function","function":{"name":"f","description":"d","parameters":{"type":"object"}}}"#;

#[test]
fn tools_are_read_as_they_were_sent() {
    let read =
        chat(&format!(r#","tools":[{F},{{"type":"function","function":{{"name":"g-2","strict":true}}}}]"#))
            .unwrap();
    let [f, g] = read.tools.list.as_slice() else { panic!("{:?}", read.tools) };
    assert_eq!((f.name.as_str(), f.json.as_str()), ("f", F));
    assert_eq!(f.parameters.as_ref().map(|schema| schema.as_str()), Some(r#"{"type":"object"}"#));
    assert_eq!((g.name.as_str(), g.is_strict, &g.parameters), ("g-2", true, &None));
    assert_eq!((read.tools.choice, read.tools.is_parallel), (ToolChoice::Auto, true));
}

#[test]
fn tools_that_are_not_whole_are_refused_by_their_path() {
    let at = |tools: &str| field(chat(&format!(r#","tools":{tools}"#)));
    assert_eq!(at("{}").0, "tools");
    assert_eq!(at("[1]").0, "tools[0]");
    assert_eq!(at(r#"[{"type":"web_search"}]"#).0, "tools[0].type");
    assert_eq!(at(r#"[{"type":"function"}]"#).0, "tools[0].function");
    let function = |function: &str| at(&format!(r#"[{{"type":"function","function":{function}}}]"#));
    assert_eq!(function("{}").0, "tools[0].function.name");
    for name in ["", "a b", "é", "a.b", &"a".repeat(65)] {
        let expected = "found text, expected 1 to 64 of letters, digits, \"_\" and \"-\"";
        assert_eq!(
            function(&format!(r#"{{"name":"{name}"}}"#)),
            ("tools[0].function.name".to_string(), expected.to_string())
        );
    }
    assert_eq!(function(r#"{"name":"f","parameters":[]}"#).0, "tools[0].function.parameters");
    assert_eq!(function(r#"{"name":"f","strict":"yes"}"#).0, "tools[0].function.strict");
    let deep = "[".repeat(60) + &"]".repeat(60);
    assert_eq!(
        function(&format!(r#"{{"name":"f","parameters":{{"a":{deep}}}}}"#)).0,
        "tools[0].function.parameters"
    );
    assert_eq!(at(&format!("[{F},{F}]")).0, "tools[1]");
    assert_eq!(
        at(&format!("[{}]", vec!["1"; 129].join(","))).1,
        "found an array, expected an array of at most 128 items"
    );
    assert_eq!(field(chat(r#","functions":[]"#)).0, "functions");
}

#[test]
fn a_choice_is_one_of_the_tools() {
    let choice =
        |choice: &str| chat(&format!(r#","tools":[{F}],"parallel_tool_calls":false,"tool_choice":{choice}"#));
    let read = choice(r#"{"type":"function","function":{"name":"f"}}"#).unwrap();
    assert_eq!((read.tools.choice, read.tools.is_parallel), (ToolChoice::Named("f".to_string()), false));
    for (text, expected) in
        [("none", ToolChoice::None), ("auto", ToolChoice::Auto), ("required", ToolChoice::Required)]
    {
        assert_eq!(choice(&format!("\"{text}\"")).unwrap().tools.choice, expected);
    }
    assert_eq!(field(choice("\"any\"")).0, "tool_choice");
    assert_eq!(field(choice("7")).0, "tool_choice");
    assert_eq!(field(choice(r#"{"type":"function","function":{"name":"g"}}"#)).0, "tool_choice");
    assert_eq!(field(choice(r#"{"type":"function"}"#)).0, "tool_choice.function");
    assert_eq!(field(chat(r#","tool_choice":"required""#)).0, "tool_choice");
    assert_eq!(chat(r#","tool_choice":"none""#).unwrap().tools.choice, ToolChoice::None);
}

#[test]
fn a_format_is_text_json_a_schema_or_a_grammar() {
    let format = |rest: &str| chat(&format!(",{rest}")).map(|read| read.format);
    let response = |json: &str| format(&format!(r#""response_format":{json}"#));
    assert_eq!(response(r#"{"type":"text"}"#), Ok(Format::Text));
    assert_eq!(response(r#"{"type":"json_object"}"#), Ok(Format::JsonObject));
    let schema = r#"{"type":"json_schema","json_schema":{"name":"n","strict":true,"schema":{"b":1,"a":2}}}"#;
    let Ok(Format::JsonSchema(read)) = response(schema) else { panic!("no schema") };
    assert_eq!((read.name.as_str(), read.is_strict, read.schema.as_str()), ("n", true, r#"{"b":1,"a":2}"#));
    assert_eq!(format("\"grammar\":\"x\""), Ok(Format::Grammar("x".to_string())));
    let at = |result: Result<Format, ApiError>| field(result).0;
    assert_eq!(at(response("7")), "response_format");
    assert_eq!(at(response(r#"{"type":"xml"}"#)), "response_format.type");
    assert_eq!(at(response(r#"{"type":"json_schema"}"#)), "response_format.json_schema");
    let of = |json: &str| at(response(&format!(r#"{{"type":"json_schema","json_schema":{json}}}"#)));
    assert_eq!(of(r#"{"schema":{}}"#), "response_format.json_schema.name");
    assert_eq!(of(r#"{"name":"a b","schema":{}}"#), "response_format.json_schema.name");
    assert_eq!(of(r#"{"name":"n"}"#), "response_format.json_schema.schema");
    assert_eq!(of(r#"{"name":"n","schema":true}"#), "response_format.json_schema.schema");
    assert_eq!(at(format("\"grammar\":7")), "grammar");
    assert_eq!(field(format("\"grammar\":\"\"")).1, "found 0 bytes, expected 1 to 65536");
    assert_eq!(at(format(r#""grammar":"x","response_format":{"type":"json_object"}"#)), "grammar");
}

#[test]
fn variables_for_the_template_do_not_replace_its_own() {
    let variables =
        |json: &str| chat(&format!(r#","chat_template_kwargs":{json}"#)).map(|read| read.template_variables);
    let read = variables(r#"{"enable_thinking": false, "x_1": [1]}"#).unwrap();
    let read: Vec<_> = read.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
    assert_eq!(read, [("enable_thinking", "false"), ("x_1", "[1]")]);
    for refused in ["7", r#"{"messages":[]}"#, r#"{"bos_token":""}"#, r#"{"a b":1}"#, r#"{"":1}"#] {
        assert_eq!(field(variables(refused)).0, "chat_template_kwargs", "{refused}");
    }
    let many: Vec<String> = (0..33).map(|at| format!("\"v{at}\":1")).collect();
    assert_eq!(field(variables(&format!("{{{}}}", many.join(",")))).0, "chat_template_kwargs");
}

fn embed(rest: &str) -> Result<Embedding, ApiError> {
    embedding(format!("{{\"model\":\"m\",{rest}}}").as_bytes(), "m", 8)
}

#[test]
fn inputs_of_embeddings_come_in_four_forms() {
    let inputs = |json: &str| embed(&format!("\"input\":{json}")).map(|read| read.inputs);
    let text = |text: &str| Input::Text(text.to_string());
    assert_eq!(inputs("\"a\"").unwrap(), [text("a")]);
    assert_eq!(inputs("[\"a\",\"b\"]").unwrap(), [text("a"), text("b")]);
    assert_eq!(inputs("[ 1, 2]").unwrap(), [Input::Tokens(vec![1, 2])]);
    assert_eq!(inputs("[[1],[2,3]]").unwrap(), [Input::Tokens(vec![1]), Input::Tokens(vec![2, 3])]);
    let long = format!("[{}]", vec!["7"; 5000].join(","));
    assert_eq!(inputs(&long).unwrap(), [Input::Tokens(vec![7; 5000])]);
    for (json, at) in [
        ("7", "input"),
        ("null", "input"),
        ("\"\"", "input"),
        ("[]", "input"),
        ("[\"a\",\"\"]", "input[1]"),
        ("[\"a\",1]", "input[1]"),
        ("[1,\"a\"]", "input"),
        ("[1,-2]", "input"),
        ("[1.5]", "input"),
        ("[[]]", "input[0]"),
        ("[[1],[4294967296]]", "input[1]"),
        ("[{}]", "input[0]"),
    ] {
        assert_eq!(field(inputs(json)).0, at, "{json}");
    }
    let many = format!("[{}]", vec!["\"a\""; 2049].join(","));
    assert_refused(inputs(&many), "input", "found an array, expected an array of at most 2048 items");
    let wide = embedding(br#"{"input":["a","b","c"]}"#, "m", 1 << 19);
    assert_refused(wide, "input", "found 3 inputs, expected at most 2 in one request");
}

#[test]
fn the_form_of_embeddings_is_checked() {
    let read = embed(r#""input":"a","dimensions":8,"encoding_format":"base64","pooling":"last","user":"u""#)
        .unwrap();
    assert_eq!(
        (read.form.dimensions, read.form.encoding, read.pooling),
        (Some(8), Encoding::Base64, Some(Pooling::Last))
    );
    let plain = embed(r#""input":"a","encoding_format":"float""#).unwrap();
    assert_eq!((plain.form.dimensions, plain.form.encoding, plain.pooling), (None, Encoding::Float, None));
    let at = |rest: &str| embed(&format!("\"input\":\"a\",{rest}"));
    assert_refused(at("\"dimensions\":0"), "dimensions", "found 0, expected 1 to 8");
    assert_refused(at("\"dimensions\":9"), "dimensions", "found 9, expected 1 to 8");
    assert_eq!(field(at("\"dimensions\":-1")).0, "dimensions");
    assert_eq!(field(at("\"encoding_format\":\"hex\"")).0, "encoding_format");
    assert_eq!(field(at("\"pooling\":\"max\"")).0, "pooling");
    assert_eq!(embedding(br#"{"model":"x","input":"a"}"#, "m", 8).unwrap_err().status, 404);
}

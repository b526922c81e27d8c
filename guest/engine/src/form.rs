//! The form that an answer must have, and the reading of its calls.
//!
//! Trust: formats, schemas, grammars and tools come from clients; `vial-grammar` bounds what they cost.

use alloc::format;
use alloc::string::{String, ToString as _};
use alloc::sync::Arc;
use alloc::vec::Vec;
use vial_grammar::tools::{CallFormat, CallParser, Choice, Delta as Parsed, Tool};
use vial_grammar::{Grammar, GrammarError, Json};
use vial_net::{ApiError, Delta, Format, Generation, JsonText, ToolChoice, Tools};

/// What holds an answer to its form.
#[derive(Clone, Debug, Default)]
pub struct Form {
    /// What it must follow.
    pub grammar: Option<Arc<Grammar>>,
    /// How its calls are written, where it may call.
    pub calls: Option<&'static CallFormat>,
}

impl Form {
    /// The form that a request asks for; `format` is how the model's family writes calls.
    ///
    /// # Errors
    /// A schema, grammar or tool that is not supported, with its place; a call that this model cannot be held to.
    pub fn of(generation: &Generation, format: Option<&'static CallFormat>) -> Result<Self, ApiError> {
        let Tools { list, choice, .. } = &generation.tools;
        let may_call = !list.is_empty() && *choice != ToolChoice::None;
        match (&generation.format, may_call) {
            (Format::Text, false) => Ok(Self::default()),
            (Format::Text, true) => Self::of_tools(&generation.tools, format),
            (asked, false) => Ok(Self { grammar: Some(Arc::new(grammar(asked)?)), calls: None }),
            (asked, true) => {
                let message = "found tools that may be called, expected \"tool_choice\": \"none\" beside it";
                Err(ApiError::invalid(param(asked), message))
            }
        }
    }

    fn of_tools(tools: &Tools, format: Option<&'static CallFormat>) -> Result<Self, ApiError> {
        let Some(format) = format else {
            // The template shows the tools, and the model answers as it was taught: as text.
            let message =
                "this model's chat template has no way of calling that is known here, expected \"auto\"";
            let is_free = tools.choice == ToolChoice::Auto;
            return if is_free {
                Ok(Self::default())
            } else {
                Err(ApiError::invalid("tool_choice", message))
            };
        };
        let schemas = schemas(tools)?;
        let pairs = tools.list.iter().zip(&schemas);
        let list: Vec<_> =
            pairs.map(|(tool, schema)| Tool { name: &tool.name, parameters: schema.as_ref() }).collect();
        let choice = match &tools.choice {
            ToolChoice::Named(name) => Choice::Named(name),
            ToolChoice::Required => Choice::Required,
            ToolChoice::Auto | ToolChoice::None => Choice::Auto,
        };
        let grammar = Grammar::for_tools(format, &list, choice, tools.is_parallel);
        let grammar = grammar.map_err(|error| refused("tools", &error))?;
        Ok(Self { grammar: Some(Arc::new(grammar)), calls: Some(format) })
    }
}

/// Schemas of the tools' arguments.
fn schemas(tools: &Tools) -> Result<Vec<Option<Json>>, ApiError> {
    let schema = |(at, tool): (usize, &vial_net::Tool)| {
        let parameters = tool.parameters.as_ref();
        parameters.map(|schema| json(schema, &format!("tools[{at}].function.parameters"))).transpose()
    };
    tools.list.iter().enumerate().map(schema).collect()
}

fn grammar(format: &Format) -> Result<Grammar, ApiError> {
    let grammar = match format {
        Format::Text | Format::JsonObject => Grammar::json_object(),
        Format::JsonSchema(schema) => Grammar::from_schema(&json(&schema.schema, param(format))?),
        Format::Grammar(text) => Grammar::from_gbnf(text),
    };
    grammar.map_err(|error| refused(param(format), &error))
}

fn param(format: &Format) -> &'static str {
    match format {
        Format::Text | Format::JsonObject => "response_format",
        Format::JsonSchema(_) => "response_format.json_schema.schema",
        Format::Grammar(_) => "grammar",
    }
}

fn json(text: &JsonText, param: &str) -> Result<Json, ApiError> {
    Json::parse(text.as_str()).map_err(|error| refused(param, &error))
}

fn refused(param: &str, error: &GrammarError) -> ApiError {
    ApiError::invalid(param, error.to_string())
}

/// An answer's pieces, with calls told apart from text.
#[derive(Clone, Debug)]
pub struct Reader {
    parser: Option<CallParser>,
    seed: u64,
}

impl Reader {
    /// A reader of an answer in that form; `seed` makes the names of its calls.
    #[must_use]
    pub fn new(form: &Form, seed: u64) -> Self {
        Self { parser: form.calls.map(CallParser::new), seed }
    }

    /// Takes the next text; `tell` gets what became certain.
    pub fn push(&mut self, text: &str, tell: &mut dyn FnMut(Delta<'_>)) {
        match &mut self.parser {
            Some(parser) => tell_all(&parser.push(text), self.seed, tell),
            None => tell(Delta::Text(text)),
        }
    }

    /// Ends the answer; `true` if it called.
    pub fn finish(&mut self, tell: &mut dyn FnMut(Delta<'_>)) -> bool {
        let Some(parser) = &mut self.parser else { return false };
        tell_all(&parser.finish(), self.seed, tell);
        parser.calls() > 0
    }
}

fn tell_all(parsed: &[Parsed], seed: u64, tell: &mut dyn FnMut(Delta<'_>)) {
    for delta in parsed {
        match delta {
            Parsed::Text(text) => tell(Delta::Text(text)),
            Parsed::Call { index, name } => tell(Delta::Call { id: &call_id(seed, *index), name }),
            Parsed::Arguments { fragment, .. } => tell(Delta::Arguments(fragment)),
        }
    }
}

/// Length of a call's name: Mistral's templates take no other.
const ID_LENGTH: u32 = 9;

/// A name for a call: nine letters and digits.
fn call_id(seed: u64, index: usize) -> String {
    // Source: Steele et al., "Fast splittable pseudorandom number generators" (2014), the finaliser of SplitMix64.
    let mut state = seed.wrapping_add(0x9E37_79B9_7F4A_7C15_u64.wrapping_mul(1 + index as u64));
    state = (state ^ (state >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    state = (state ^ (state >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    state ^= state >> 31;
    let digit = |at: u32| char::from_digit(u32::try_from(state / 36_u64.pow(at) % 36).unwrap_or(0), 36);
    (0..ID_LENGTH).filter_map(digit).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::vec;

    const TOOLS: &str = r#""messages":[{"role":"user","content":"hi"}],"tools":[{"type":"function","function":{"name":"weather",
        "parameters":{"type":"object","properties":{"town":{"type":"string"}},"required":["town"],
        "additionalProperties":false}}}]"#;

    fn generation(fields: &str) -> Generation {
        vial_net::generation(format!("{{{fields}}}").as_bytes(), true, "m").unwrap()
    }

    fn hermes() -> Option<&'static CallFormat> {
        CallFormat::detect("<tool_call>")
    }

    fn refusal(fields: &str, format: Option<&'static CallFormat>) -> (Option<String>, String) {
        let error = Form::of(&generation(fields), format).unwrap_err();
        (error.param, error.message)
    }

    #[test]
    fn an_answers_form_is_what_the_request_asks_for() {
        let chat = r#""messages":[{"role":"user","content":"hi"}]"#;
        let free = Form::of(&generation(chat), hermes()).unwrap();
        assert!(free.grammar.is_none() && free.calls.is_none());
        for format in [
            r#""response_format":{"type":"json_object"}"#,
            r#""response_format":{"type":"json_schema","json_schema":{"name":"a","schema":{"type":"string"}}}"#,
            r#""grammar":"root ::= \"a\"""#,
        ] {
            let form = Form::of(&generation(&format!("{chat},{format}")), hermes()).unwrap();
            assert!(form.grammar.is_some() && form.calls.is_none(), "{format}");
        }
        let calls = Form::of(&generation(TOOLS), hermes()).unwrap();
        assert!(calls.grammar.is_some() && calls.calls.is_some());
        let none = Form::of(&generation(&format!(r#"{TOOLS},"tool_choice":"none""#)), hermes()).unwrap();
        assert!(none.grammar.is_none() && none.calls.is_none());
    }

    #[test]
    fn a_form_that_cannot_be_kept_is_refused_with_its_place() {
        let chat = r#""messages":[{"role":"user","content":"hi"}]"#;
        let schema = r#"{"type":"object","properties":{"a":{"not":{}}}}"#;
        let asked = format!(
            r#"{chat},"response_format":{{"type":"json_schema","json_schema":{{"name":"a","schema":{schema}}}}}"#
        );
        let (param, message) = refusal(&asked, None);
        assert_eq!(param.as_deref(), Some("response_format.json_schema.schema"));
        assert!(message.contains("/properties/a/not"), "{message}");
        let (param, message) = refusal(&format!(r#"{chat},"grammar":"root ::= other""#), None);
        assert_eq!(param.as_deref(), Some("grammar"));
        assert!(message.contains("other"), "{message}");
        let (param, _) = refusal(&format!(r#"{TOOLS},"tool_choice":"required""#), None);
        assert_eq!(param.as_deref(), Some("tool_choice"));
        let both = format!(r#"{TOOLS},"response_format":{{"type":"json_object"}}"#);
        assert_eq!(refusal(&both, hermes()).0.as_deref(), Some("response_format"));
    }

    #[test]
    fn calls_are_told_apart_from_text_and_named() {
        let form = Form::of(&generation(TOOLS), hermes()).unwrap();
        let mut reader = Reader::new(&form, 7);
        let mut told = Vec::new();
        let mut tell = |delta: Delta<'_>| told.push(format!("{delta:?}"));
        for piece in [
            "Let me see. <tool_",
            "call>\n{\"name\": \"weather\", \"arguments\": {\"town\": ",
            "\"Bern\"}}\n</tool_call>",
        ] {
            reader.push(piece, &mut tell);
        }
        assert!(reader.finish(&mut tell));
        let id = call_id(7, 0);
        let expected = vec![
            r#"Text("Let me see. ")"#.to_string(),
            format!(r#"Call {{ id: "{id}", name: "weather" }}"#),
            r#"Arguments("{\"town\": ")"#.to_string(),
            r#"Arguments("\"Bern\"}")"#.to_string(),
        ];
        assert_eq!(told, expected);
        assert!(id.len() == 9 && id.bytes().all(|byte| byte.is_ascii_alphanumeric()));
        assert_ne!(call_id(7, 0), call_id(7, 1));
        let mut plain = Reader::new(&Form::default(), 7);
        plain.push("<tool_call>", &mut |delta| assert_eq!(delta, Delta::Text("<tool_call>")));
        assert!(!plain.finish(&mut |_| panic!("nothing was held")));
    }
}

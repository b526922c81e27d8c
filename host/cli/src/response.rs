//! Answers as appliances send them: what they say, and their receipt.

use serde_json::Value;
use vial_attest::{Answered, Call};

/// What a file of an answer holds.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Response {
    /// The receipt's bytes.
    pub(crate) receipt: Option<Vec<u8>>,
    /// What the answer says; none in a receipt alone.
    pub(crate) answered: Option<Answered>,
}

/// First byte of a tagged COSE_Sign1.
const COSE_SIGN1: u8 = 0xD2;

/// Reads an answer in JSON, the events of a stream, or a receipt alone.
pub(crate) fn decoded(bytes: &[u8]) -> Result<Response, String> {
    if bytes.first() == Some(&COSE_SIGN1) {
        return Ok(Response { receipt: Some(bytes.to_vec()), answered: None });
    }
    let text =
        core::str::from_utf8(bytes).map_err(|_| "found no text, expected JSON or events".to_owned())?;
    let mut response = Response::default();
    if text.trim_start().starts_with('{') {
        let object = serde_json::from_str(text).map_err(|error| format!("found no JSON: {error}"))?;
        response.add(&object)?;
        return Ok(response);
    }
    let events = text.lines().filter_map(|line| line.strip_prefix("data: "));
    for event in events.filter(|event| event.starts_with('{')) {
        // The last event of a stream that was cut may be half of one.
        if let Ok(object) = serde_json::from_str(event) {
            response.add(&object)?;
        }
    }
    let is_any = response != Response::default();
    if is_any { Ok(response) } else { Err("found no answer, expected JSON or events".to_owned()) }
}

impl Response {
    fn add(&mut self, object: &Value) -> Result<(), String> {
        if let Some(text) = object["receipt"].as_str() {
            self.receipt = Some(vial_attest::base64(text).ok_or("receipt: found no base64, expected it")?);
        }
        for choice in object["choices"].as_array().into_iter().flatten() {
            let answered = self.answered.get_or_insert_default();
            let text = [&choice["text"], &choice["delta"]["content"], &choice["message"]["content"]];
            text.into_iter().filter_map(Value::as_str).for_each(|text| answered.text.push_str(text));
            for message in [&choice["delta"], &choice["message"]] {
                answered.reasoning.push_str(message["reasoning_content"].as_str().unwrap_or_default());
                message["tool_calls"]
                    .as_array()
                    .into_iter()
                    .flatten()
                    .for_each(|call| add_call(answered, call));
            }
        }
        Ok(())
    }
}

/// A call begins with its name; what follows without one are more of its arguments.
fn add_call(answered: &mut Answered, call: &Value) {
    let function = &call["function"];
    if let Some(name) = function["name"].as_str() {
        answered.calls.push(Call { name: name.to_owned(), arguments: String::new() });
    }
    let arguments = function["arguments"].as_str().unwrap_or_default();
    answered.calls.last_mut().into_iter().for_each(|call| call.arguments.push_str(arguments));
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answered(text: &str, reasoning: &str, calls: &[(&str, &str)]) -> Answered {
        let call = |(name, arguments): &(&str, &str)| Call {
            name: (*name).to_owned(),
            arguments: (*arguments).to_owned(),
        };
        Answered {
            text: text.to_owned(),
            reasoning: reasoning.to_owned(),
            calls: calls.iter().map(call).collect(),
        }
    }

    #[test]
    fn answers_are_read_whole_and_streamed() {
        let whole = br#"{"choices":[{"message":{"content":"Hi","reasoning_content":"hm","tool_calls":[{"function":{"name":"f","arguments":"{}"}}]}}],"receipt":"0g=="}"#;
        let expected =
            Response { receipt: Some(vec![0xD2]), answered: Some(answered("Hi", "hm", &[("f", "{}")])) };
        assert_eq!(decoded(whole).unwrap(), expected);
        let streamed = b"data: {\"choices\":[{\"delta\":{\"role\":\"assistant\",\"content\":\"\"}}]}\n\n\
            data: {\"choices\":[{\"delta\":{\"content\":\"H\"}}]}\n\ndata: {\"choices\":[{\"delta\":{\"content\":\"i\"}}]}\n\n\
            data: {\"choices\":[{\"delta\":{\"reasoning_content\":\"hm\"}}]}\n\n\
            data: {\"choices\":[{\"delta\":{\"tool_calls\":[{\"index\":0,\"function\":{\"name\":\"f\",\"arguments\":\"\"}}]}}]}\n\n\
            data: {\"choices\":[{\"delta\":{\"tool_calls\":[{\"index\":0,\"function\":{\"arguments\":\"{}\"}}]}}]}\n\n\
            data: {\"choices\":[],\"receipt\":\"0g==\"}\n\ndata: [DONE]\n\n";
        assert_eq!(decoded(streamed).unwrap(), expected);
        let completion = br#"{"choices":[{"text":"Hi"}]}"#;
        assert_eq!(
            decoded(completion).unwrap(),
            Response { receipt: None, answered: Some(answered("Hi", "", &[])) }
        );
    }

    #[test]
    fn receipts_alone_and_streams_that_were_cut_are_read() {
        assert_eq!(decoded(&[0xD2, 1]).unwrap(), Response { receipt: Some(vec![0xD2, 1]), answered: None });
        assert_eq!(decoded(br#"{"id":"a","receipt":"0gE="}"#).unwrap().receipt, Some(vec![0xD2, 1]));
        let cut = b"data: {\"choices\":[{\"text\":\"Hi\"}]}\n\ndata: {\"choices\":[{\"te";
        assert_eq!(decoded(cut).unwrap().answered, Some(answered("Hi", "", &[])));
    }

    #[test]
    fn what_is_no_answer_is_refused() {
        for bytes in [b"".as_slice(), b"hello", b"{", b"\xFF\xFF", br#"{"receipt":"!"}"#] {
            decoded(bytes).unwrap_err();
        }
    }
}

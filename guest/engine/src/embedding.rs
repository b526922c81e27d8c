//! Inputs of `/v1/embeddings`, embedded one after the other.

use alloc::format;
use alloc::vec::{IntoIter, Vec};
use vial_model::generate::{EmbedRequest, Pooling};
use vial_model::tokenizer::Tokenizer;
use vial_net::{ApiError, Input};

use crate::requests::plain;

/// Most tokens of all inputs of a request; the OpenAI API has the same.
const TOKENS_MAX: usize = 300_000;

/// A request under way.
#[derive(Debug)]
pub struct Embedding {
    pooling: Pooling,
    waiting: IntoIter<Vec<u32>>,
    vectors: Vec<Vec<f32>>,
    tokens: usize,
}

impl Embedding {
    /// A request for a model of `context` tokens; `pooling` is used where the client names none.
    ///
    /// # Errors
    /// The input that has no tokens, more than the context holds, or one that the model does not know.
    pub fn new(
        request: &vial_net::Embedding,
        tokenizer: &Tokenizer,
        context: usize,
        pooling: Pooling,
    ) -> Result<Self, ApiError> {
        let inputs = request.inputs.iter().enumerate();
        let inputs: Vec<Vec<u32>> =
            inputs.map(|(at, input)| tokens(at, input, tokenizer, context)).collect::<Result<_, _>>()?;
        let found: usize = inputs.iter().map(Vec::len).sum();
        if found > TOKENS_MAX {
            let said = format!("found {found} tokens, expected at most {TOKENS_MAX} in one request");
            return Err(ApiError::invalid("input", said));
        }
        let pooling = match request.pooling {
            Some(vial_net::Pooling::Mean) => Pooling::Mean,
            Some(vial_net::Pooling::Last) => Pooling::Last,
            None => pooling,
        };
        Ok(Self {
            pooling,
            vectors: Vec::with_capacity(inputs.len()),
            waiting: inputs.into_iter(),
            tokens: 0,
        })
    }

    /// The next input.
    pub fn next_input(&mut self) -> Option<EmbedRequest> {
        let tokens = self.waiting.next()?;
        self.tokens += tokens.len();
        Some(EmbedRequest { tokens, pooling: self.pooling })
    }

    /// Takes the vector of the input that was given last.
    pub fn add(&mut self, vector: Vec<f32>) {
        self.vectors.push(vector);
    }

    /// Vectors of the inputs so far, and their tokens.
    #[must_use]
    pub fn done(&self) -> (&[Vec<f32>], usize) {
        (&self.vectors, self.tokens)
    }
}

fn tokens(at: usize, input: &Input, tokenizer: &Tokenizer, context: usize) -> Result<Vec<u32>, ApiError> {
    let tokens = match input {
        Input::Text(text) => plain(tokenizer, text),
        Input::Tokens(tokens) => tokens.clone(),
    };
    let refused = |said| Err(ApiError::invalid(&format!("input[{at}]"), said));
    if tokens.is_empty() || tokens.len() > context {
        return refused(format!("found {} tokens, expected 1 to {context}", tokens.len()));
    }
    match tokens.iter().find(|&&token| usize::try_from(token).is_ok_and(|token| token >= tokenizer.len())) {
        Some(token) => refused(format!("found the token {token}, expected less than {}", tokenizer.len())),
        None => Ok(tokens),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::string::String;
    use alloc::vec;
    use vial_model::gguf::Gguf;

    fn embedding(body: &str, context: usize) -> Result<Embedding, ApiError> {
        let file = vial_model::tiny::llama(1);
        let tokenizer = Tokenizer::from_gguf(&Gguf::parse(&file, file.len() as u64).unwrap()).unwrap();
        let request = vial_net::embedding(body.as_bytes(), "m", 32).unwrap();
        Embedding::new(&request, &tokenizer, context, Pooling::Last)
    }

    fn refused(body: &str) -> (String, String) {
        let error = embedding(body, 8).unwrap_err();
        (error.param.unwrap_or_default(), error.message)
    }

    #[test]
    fn inputs_are_given_in_order_and_their_tokens_counted() {
        let mut embedding = embedding(r#"{"input":[[1,2,3],"the"]}"#, 8).unwrap();
        let first = embedding.next_input().unwrap();
        assert_eq!((first.tokens, first.pooling), (vec![1, 2, 3], Pooling::Last));
        embedding.add(vec![1.0]);
        assert_eq!(embedding.done(), (&[vec![1.0]][..], 3));
        assert_eq!(embedding.next_input().unwrap().tokens, [257]);
        embedding.add(vec![2.0]);
        assert_eq!(embedding.done(), (&[vec![1.0], vec![2.0]][..], 4));
        assert_eq!(embedding.next_input(), None);
    }

    #[test]
    fn a_text_is_no_control_token_and_pooling_is_the_clients_to_choose() {
        let mut embedding = embedding(r#"{"input":"<|im_end|>","pooling":"mean"}"#, 99).unwrap();
        let input = embedding.next_input().unwrap();
        assert_eq!((input.tokens.len(), input.pooling), (10, Pooling::Mean));
    }

    #[test]
    fn inputs_out_of_range_are_named() {
        let long = refused(r#"{"input":["a","123456789"]}"#);
        assert_eq!(long, ("input[1]".into(), "found 9 tokens, expected 1 to 8".into()));
        let strange = refused(r#"{"input":[1,288]}"#);
        assert_eq!(strange, ("input[0]".into(), "found the token 288, expected less than 288".into()));
        let many: Vec<&str> = vec!["[1,1,1,1,1,1,1,1]"; 2000];
        embedding(&format!("{{\"input\":[{}]}}", many.join(",")), 8).unwrap();
        let texts = vec![format!("\"{}\"", "1".repeat(200)); 1600].join(",");
        let error = embedding(&format!("{{\"input\":[{texts}]}}"), 200).unwrap_err();
        assert_eq!(error.message, "found 320000 tokens, expected at most 300000 in one request");
    }
}

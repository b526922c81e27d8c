//! What a request may ask of the sampler, checked.

/// How the next token is chosen. [`Sampling::default`] is greedy.
#[derive(Clone, Debug, PartialEq)]
pub struct Sampling {
    /// 0 is greedy; otherwise logits are divided by it.
    pub temperature: f32,
    /// Keeps the best `top_k` tokens; 0 keeps all.
    pub top_k: usize,
    /// Keeps the smallest set of best tokens whose probabilities reach it; 1 keeps all.
    pub top_p: f32,
    /// Keeps tokens whose probability is at least this part of the best one's; 0 keeps all.
    pub min_p: f32,
    /// Divides positive and multiplies negative logits of tokens in prompt and answer; 1 changes nothing.
    pub repetition_penalty: f32,
    /// Taken off the logit of every token already in the answer.
    pub presence_penalty: f32,
    /// Taken off the logit of a token once for each time it is in the answer.
    pub frequency_penalty: f32,
    /// Start of the random sequence.
    pub seed: u64,
    /// How many alternatives to report with each token; `None` reports no probabilities at all.
    pub logprobs: Option<usize>,
}

/// Most alternatives reported with a token.
pub const MAX_LOGPROBS: usize = 20;

/// A setting out of range.
#[derive(Clone, Copy, Debug, PartialEq, thiserror::Error)]
#[error("{field} is {found}, expected {least} to {most}")]
pub struct SamplingError {
    /// The setting, by its name in the API.
    pub field: &'static str,
    /// Its value.
    pub found: f64,
    /// Smallest allowed.
    pub least: f64,
    /// Largest allowed.
    pub most: f64,
}

impl Default for Sampling {
    fn default() -> Self {
        Self {
            temperature: 0.0,
            top_k: 0,
            top_p: 1.0,
            min_p: 0.0,
            repetition_penalty: 1.0,
            presence_penalty: 0.0,
            frequency_penalty: 0.0,
            seed: 0,
            logprobs: None,
        }
    }
}

impl Sampling {
    /// Checks every setting.
    ///
    /// # Errors
    /// The first setting out of range; NaN is out of every range.
    pub fn check(&self) -> Result<(), SamplingError> {
        let ranges = [
            ("temperature", self.temperature, 0.0, 100.0),
            ("top_p", self.top_p, 0.0, 1.0),
            ("min_p", self.min_p, 0.0, 1.0),
            ("repetition_penalty", self.repetition_penalty, 0.01, 100.0),
            ("presence_penalty", self.presence_penalty, -2.0, 2.0),
            ("frequency_penalty", self.frequency_penalty, -2.0, 2.0),
        ];
        for (field, found, least, most) in ranges {
            let found = f64::from(found);
            if !(least..=most).contains(&found) {
                return Err(SamplingError { field, found, least, most });
            }
        }
        self.check_logprobs()
    }

    fn check_logprobs(&self) -> Result<(), SamplingError> {
        match self.logprobs.and_then(|count| u32::try_from(count).ok()) {
            Some(count) if count as usize > MAX_LOGPROBS => {
                let found = f64::from(count);
                Err(SamplingError { field: "top_logprobs", found, least: 0.0, most: 20.0 })
            }
            _ => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn settings_out_of_range_are_named() {
        assert_eq!(Sampling::default().check(), Ok(()));
        let field = |sampling: Sampling| sampling.check().unwrap_err().field;
        assert_eq!(field(Sampling { temperature: f32::NAN, ..Sampling::default() }), "temperature");
        assert_eq!(field(Sampling { top_p: 1.5, ..Sampling::default() }), "top_p");
        assert_eq!(field(Sampling { presence_penalty: -3.0, ..Sampling::default() }), "presence_penalty");
        assert_eq!(field(Sampling { logprobs: Some(21), ..Sampling::default() }), "top_logprobs");
    }
}

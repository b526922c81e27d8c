//! What passes gave, told to who asked.

use alloc::string::ToString as _;
use vial_abi::Mark;
use vial_model::generate::{Event, Finish, RequestId, Usage};
use vial_model::transformer::PassError;
use vial_net::{ApiError, Delta, JobId, Moment, TokenLogprob};
use vial_user::{console, syscall};

use super::{Appliance, Turns, UNHEALTHY};
use crate::requests::logprob;

impl Appliance<'_> {
    pub(super) fn tell(&mut self, event: Event, turns: &mut Turns) {
        match event {
            Event::Token { id, token, text, logprobs } => {
                let Some(&job) = turns.jobs.get(&id) else { return };
                let logprobs =
                    logprobs.map(|logprobs| logprob(self.loaded.batcher.vocabulary(), token, &logprobs));
                self.say(id, job, &text, logprobs, turns);
                if !turns.has_first_token {
                    turns.has_first_token = true;
                    syscall::mark(Mark::FirstToken);
                }
            }
            Event::Done { id, text, finish, usage } => {
                turns.count(usage);
                let Some(job) = turns.jobs.remove(&id) else { return };
                self.say(id, job, &text, None, turns);
                let mut reader = turns.readers.remove(&id);
                let server = &mut self.server;
                let has_called = reader
                    .as_mut()
                    .is_some_and(|reader| reader.finish(&mut |delta| server.delta(job, delta, None)));
                let now = self.moment();
                self.server.finish(job, finish_of(finish, has_called), usage_of(usage), now);
            }
            Event::Embedded { id, vector, .. } => {
                let Some(job) = turns.jobs.remove(&id) else { return };
                let Some(mut embedding) = turns.embeddings.remove(&job) else { return };
                embedding.add(vector);
                self.embed(job, embedding, turns);
            }
            Event::Failed { id, error } => {
                // The error names a leaf or a token's number, never text.
                console::print(format_args!("{error}"));
                let Some(job) = turns.jobs.remove(&id) else { return };
                turns.embeddings.remove(&job);
                turns.readers.remove(&id);
                self.server.fail(job, &failure(&error));
            }
        }
    }

    /// Now, for receipts.
    fn moment(&self) -> Moment {
        let checked_leaves = self.weights.checked().leaves;
        Moment { unix_seconds: self.unix_s().unwrap_or(0), checked_leaves }
    }

    /// Tells the next text of an answer; probabilities go with its first piece, or alone.
    fn say(
        &mut self,
        id: RequestId,
        job: JobId,
        text: &str,
        mut logprobs: Option<TokenLogprob>,
        turns: &mut Turns,
    ) {
        let Some(reader) = turns.readers.get_mut(&id) else { return };
        let server = &mut self.server;
        reader.push(text, &mut |delta| server.delta(job, delta, logprobs.take()));
        if logprobs.is_some() {
            server.delta(job, Delta::Text(""), logprobs);
        }
    }
}

fn finish_of(finish: Finish, has_called: bool) -> vial_net::Finish {
    match finish {
        Finish::Stop if has_called => vial_net::Finish::ToolCalls,
        Finish::Stop => vial_net::Finish::Stop,
        Finish::Length => vial_net::Finish::Length,
    }
}

/// How a client is told of a pass that failed.
fn failure(error: &PassError) -> ApiError {
    match error {
        PassError::Weights(_) => ApiError::server(UNHEALTHY),
        error => ApiError::server(error.to_string()),
    }
}

fn usage_of(usage: Usage) -> vial_net::Usage {
    let Usage { prompt_tokens, cached_tokens, completion_tokens } = usage;
    vial_net::Usage { prompt_tokens, cached_tokens, completion_tokens }
}

//! `vial chat`: talks to a model in this process, without an appliance.

use core::time::Duration;
use std::io::{BufRead as _, IsTerminal as _};
use std::sync::Arc;
use std::time::Instant;
use vial_grammar::Grammar;
use vial_local::{Answer, Local, Settings, with_team};
use vial_model::generate::Finish;
use vial_model::sample::Sampling;
use vial_model::template::Message;
use vial_model::transformer::Engine;

use crate::draft::{self, DraftArgs};
use crate::engine::{EngineArgs, not_loaded};
use crate::failure::Failure;
use crate::form::FormArgs;
use crate::terminal::{Style, ask, piece, say};

/// Talk to a model in this process: the appliance's engine, without the appliance and what it proves.
///
/// With TEXT it answers once; without, it reads a question a line.
#[derive(clap::Args)]
pub(crate) struct Args {
    #[command(flatten)]
    engine: EngineArgs,
    #[command(flatten)]
    draft: DraftArgs,
    /// What to say; a conversation if not given.
    text: Option<String>,
    /// A system message.
    #[arg(long, value_name = "TEXT")]
    system: Option<String>,
    /// Tokens of the conversation; the model's own limit caps it.
    #[arg(long, default_value_t = 4096, value_parser = clap::value_parser!(u32).range(64..))]
    context: u32,
    /// Most tokens of an answer.
    #[arg(long, default_value_t = 1024, value_parser = clap::value_parser!(u32).range(1..))]
    max_tokens: u32,
    /// 0 always takes the likeliest token.
    #[arg(long, default_value_t = 0.0)]
    temperature: f32,
    /// Keep the smallest set of tokens whose probabilities reach this.
    #[arg(long, default_value_t = 1.0)]
    top_p: f32,
    /// Keep the best so many tokens; 0 keeps all.
    #[arg(long, default_value_t = 0)]
    top_k: u32,
    /// Start of the random choices.
    #[arg(long, default_value_t = 0)]
    seed: u64,
    #[command(flatten)]
    form: FormArgs,
}

/// Runs it.
pub(crate) fn run(args: &Args) -> Result<(), Failure> {
    let (threads, isa) = (args.engine.threads()?, args.engine.isa()?);
    // Before the model, which may take minutes to read.
    let settings = settings(args, args.form.grammar()?);
    let (file, small) = (args.engine.read()?, args.draft.read()?);
    with_team(threads, |team| {
        let failed = |error| not_loaded(&args.engine.model, &error);
        let mut local = Local::load(&file, to_usize(args.context), args.engine.kv()).map_err(failed)?;
        say(&Style::Dim.paint(&format!("KV cache: {}", local.kv())));
        args.draft.give(&mut local, small.as_ref())?;
        Conversation { args, settings, local, engine: Engine { team, isa }, messages: system(args) }.hold()
    })
}

fn system(args: &Args) -> Vec<Message> {
    let message = |text: &String| Message { role: "system".to_owned(), content: text.clone() };
    args.system.iter().map(message).collect()
}

struct Conversation<'a> {
    args: &'a Args,
    settings: Settings,
    local: Local<'a>,
    engine: Engine<'a>,
    messages: Vec<Message>,
}

impl Conversation<'_> {
    fn hold(&mut self) -> Result<(), Failure> {
        if let Some(text) = &self.args.text {
            return self.turn(text);
        }
        let is_person = std::io::stdin().is_terminal();
        let mut lines = std::io::stdin().lock().lines();
        loop {
            if is_person {
                ask("> ");
            }
            let Some(line) = lines.next() else { return Ok(()) };
            let line =
                line.map_err(|error| Failure::new(format!("standard input: {error}"), "expected UTF-8"))?;
            if !line.trim().is_empty() {
                self.turn(&line)?;
            }
        }
    }

    fn turn(&mut self, text: &str) -> Result<(), Failure> {
        let failed = |error| not_loaded(&self.args.engine.model, &error);
        self.messages.push(Message { role: "user".to_owned(), content: text.to_owned() });
        let prompt = self.local.prompt(&self.messages).map_err(failed)?;
        let (started, mut first) = (Instant::now(), None);
        let mut tell = |text: &str| {
            first.get_or_insert_with(|| started.elapsed());
            piece(text);
        };
        let answer = self.local.answer(self.engine, prompt, &self.settings, &mut tell).map_err(failed)?;
        piece("\n");
        let has_form = self.settings.grammar.is_some();
        let line = figures(&answer, has_form, first.unwrap_or_default(), started.elapsed());
        say(&Style::Dim.paint(&line));
        self.tell_drafts();
        self.messages.push(Message { role: "assistant".to_owned(), content: answer.text });
        Ok(())
    }
}

impl Conversation<'_> {
    /// How the draft model did in the conversation so far, if there is one.
    fn tell_drafts(&self) {
        let found = self.local.speculation();
        if let Some(error) = self.local.draft_error() {
            say(&format!("the draft model drafts no more: {error}"));
        } else if found.draft_passes > 0 {
            say(&Style::Dim.paint(&draft::shown(found.modelled)));
        }
    }
}

fn settings(args: &Args, grammar: Option<Arc<Grammar>>) -> Settings {
    let sampling = Sampling {
        temperature: args.temperature,
        top_p: args.top_p,
        top_k: to_usize(args.top_k),
        seed: args.seed,
        ..Sampling::default()
    };
    Settings { sampling, max_tokens: to_usize(args.max_tokens), grammar }
}

/// The line below an answer.
fn figures(answer: &Answer, has_form: bool, first: Duration, all: Duration) -> String {
    let (prompt, tokens) = answer.tokens;
    let seconds = all.saturating_sub(first).as_secs_f64();
    #[expect(clippy::cast_precision_loss, reason = "a count of tokens")]
    let rate = tokens.saturating_sub(1) as f64 / seconds.max(1e-9);
    let cut = match answer.finish {
        Finish::Length if has_form => "  (cut at --max-tokens or --context, before its form was complete)",
        Finish::Length => "  (cut at --max-tokens or --context)",
        Finish::Stop => "",
    };
    format!(
        "{prompt} tokens read, first after {:.0} ms, {tokens} tokens at {rate:.0} a second{cut}",
        first.as_secs_f64() * 1000.0
    )
}

fn to_usize(value: u32) -> usize {
    usize::try_from(value).unwrap_or(usize::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::Parser as _;

    #[derive(clap::Parser)]
    struct Flags {
        #[command(flatten)]
        chat: Args,
    }

    #[test]
    fn a_schema_that_is_not_supported_is_refused_before_the_model_is_read() {
        let folder = tempfile::tempdir().unwrap();
        let schema = folder.path().join("schema.json");
        let refused = |text: &str| {
            std::fs::write(&schema, text).unwrap();
            let flags = ["chat", "/nowhere/model.gguf", "hi", "--json-schema", schema.to_str().unwrap()];
            format!("{:?}", run(&Flags::try_parse_from(flags).unwrap().chat).unwrap_err())
        };
        let unsupported = refused(r#"{"properties":{"a":{"not":{}}}}"#);
        assert!(
            unsupported.contains("#/properties/a/not") && !unsupported.contains("model.gguf"),
            "{unsupported}"
        );
        assert!(refused(r#"{"type":"boolean"}"#).contains("/nowhere/model.gguf"));
    }
}

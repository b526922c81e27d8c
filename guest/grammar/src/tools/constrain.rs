//! Grammars of answers that may or must call tools.

use alloc::format;
use alloc::string::{String, ToString as _};
use alloc::vec;
use alloc::vec::Vec;

use super::format::CallFormat;
use crate::error::GrammarError;
use crate::expr::{ByteSet, Expr, Rules};
use crate::grammar::Grammar;
use crate::json::Json;
use crate::schema::compile_object;
use crate::value::Shared;

/// Most tools of a request.
pub const MAX_TOOLS: usize = 128;
/// Most calls of one answer, so that a model cannot stay there.
pub const MAX_CALLS: u32 = 32;
/// Longest name.
const MAX_NAME: usize = 64;

/// A tool that may be called. From a client: untrusted.
#[derive(Clone, Copy, Debug)]
pub struct Tool<'a> {
    /// Its name: letters, digits, `_`, `-` and `.`, at most 64 of them.
    pub name: &'a str,
    /// The schema of its arguments; any object where there is none.
    pub parameters: Option<&'a Json>,
}

/// What an answer must be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Choice<'a> {
    /// Text, calls, or text and then calls.
    Auto,
    /// Calls, at least one.
    Required,
    /// One call of the tool of this name.
    Named(&'a str),
}

impl Grammar {
    /// Answers that call tools in a model family's format; with `is_parallel`, several in one answer.
    ///
    /// # Errors
    /// A tool's name or schema, a choice of a tool that there is not, a grammar too large.
    pub fn for_tools(
        format: &CallFormat,
        tools: &[Tool<'_>],
        choice: Choice<'_>,
        is_parallel: bool,
    ) -> Result<Self, GrammarError> {
        check(tools)?;
        let chosen: Vec<_> = tools.iter().filter(|tool| is_chosen(tool, choice)).copied().collect();
        if chosen.is_empty() {
            return refuse("tool_choice names no tool of the request");
        }
        let mut rules = Rules::default();
        let calls = Calls::new(format, &chosen, &mut rules)?;
        let is_several = is_parallel && !matches!(choice, Choice::Named(_));
        let body = match choice {
            Choice::Auto => calls.after_text(&mut rules, is_several),
            Choice::Required | Choice::Named(_) => calls.expr(0, is_several),
        };
        rules.root = rules.add("answer".into(), body);
        Self::compile(&rules)
    }
}

fn is_chosen(tool: &Tool<'_>, choice: Choice<'_>) -> bool {
    match choice {
        Choice::Auto | Choice::Required => true,
        Choice::Named(name) => tool.name == name,
    }
}

fn refuse<T>(problem: &str) -> Result<T, GrammarError> {
    Err(GrammarError::Tools { problem: problem.to_string() })
}

fn check(tools: &[Tool<'_>]) -> Result<(), GrammarError> {
    if tools.is_empty() || tools.len() > MAX_TOOLS {
        return refuse("expected 1 to 128 tools");
    }
    let fits = |byte: u8| byte.is_ascii_alphanumeric() || b"_-.".contains(&byte);
    for (at, tool) in tools.iter().enumerate() {
        if !(1..=MAX_NAME).contains(&tool.name.len()) || !tool.name.bytes().all(fits) {
            return refuse(&format!("tool {at}: expected a name of at most 64 letters, digits, _, - and ."));
        }
        if tools.iter().take(at).any(|other| other.name == tool.name) {
            return refuse(&format!("tool {at}: its name stands twice"));
        }
    }
    Ok(())
}

/// What calls look like in one format.
struct Calls<'f> {
    format: &'f CallFormat,
    /// Name and arguments of any tool, with what is between and after them.
    call: Expr,
}

impl<'f> Calls<'f> {
    fn new(format: &'f CallFormat, tools: &[Tool<'_>], rules: &mut Rules) -> Result<Self, GrammarError> {
        let shared = Shared::new(rules);
        let mut choices = Vec::new();
        for tool in tools {
            let arguments = match tool.parameters {
                Some(schema) => compile_object(schema, rules, shared)?,
                None => shared.object(),
            };
            let rule = rules.add(tool.name.to_string(), arguments);
            let head = String::from(tool.name) + format.before_arguments;
            choices.push(Expr::Seq(vec![Expr::text(&head), Expr::Rule(rule), Expr::text(format.after)]));
        }
        let call = Expr::Rule(rules.add("call".into(), Expr::Any(choices)));
        Ok(Self { format, call })
    }

    /// All calls, without the first bytes of what comes before the first name.
    fn expr(&self, skipped: usize, is_several: bool) -> Expr {
        let head = [self.format.open, self.format.before_name].concat();
        let head = head.as_bytes().get(skipped..).unwrap_or_default().to_vec();
        let mut parts = vec![Expr::Text(head), self.call.clone()];
        if let Some(between) = self.format.between.filter(|_| is_several) {
            let next = [between, self.format.before_name].concat();
            let more = Expr::Seq(vec![Expr::text(&next), self.call.clone()]);
            parts.push(more.times(0, Some(MAX_CALLS - 1)));
        }
        parts.push(Expr::text(self.format.close));
        Expr::Seq(parts)
    }

    /// Any text; once the trigger has come, calls.
    fn after_text(&self, rules: &mut Rules, is_several: bool) -> Expr {
        let trigger = self.format.trigger.as_bytes();
        let calls = Expr::Rule(rules.add("calls".into(), self.expr(trigger.len(), is_several)));
        let free = Expr::Rule(
            rules.add("free text".into(), Expr::Byte(ByteSet::default().complement()).times(0, None)),
        );
        let states: Vec<u32> =
            (0..trigger.len()).map(|at| rules.reserve(format!("{at} bytes of the trigger"))).collect();
        for (matched, &state) in states.iter().enumerate() {
            let mut by_next: Vec<(Expr, ByteSet)> = Vec::new();
            for byte in 0..=u8::MAX {
                let next = if self.format.is_only_at_start {
                    if trigger[matched] == byte { Some(matched + 1) } else { None }
                } else {
                    Some(follow(trigger, matched, byte))
                };
                let next = match next {
                    None => free.clone(),
                    Some(all) if all == trigger.len() => calls.clone(),
                    Some(some) => Expr::Rule(states[some]),
                };
                match by_next.iter_mut().find(|(known, _)| *known == next) {
                    Some((_, bytes)) => bytes.insert(byte),
                    None => by_next.push((next, ByteSet::range(byte, byte))),
                }
            }
            let steps = by_next.into_iter().map(|(next, bytes)| Expr::Seq(vec![Expr::Byte(bytes), next]));
            rules.set(state, Expr::Any(steps.chain([Expr::empty()]).collect()));
        }
        Expr::Rule(states[0])
    }
}

/// How many bytes of the trigger a text ends with, after one more byte.
///
/// Triggers are short: each shorter beginning is tried, instead of a table of failures.
fn follow(trigger: &[u8], matched: usize, byte: u8) -> usize {
    let mut text = trigger[..matched].to_vec();
    text.push(byte);
    (0..=text.len()).rev().find(|&length| trigger.starts_with(&text[text.len() - length..])).unwrap_or(0)
}

//! Prompts against those of Python's jinja2: `measurements/vectors/templates.py`.
#![expect(clippy::tests_outside_test_module, reason = "an integration test is one")]
#![expect(clippy::unwrap_used, reason = "a test")]

use serde::Deserialize;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Command;
use vial_model::template::{Conversation, Fault, Template, TemplateError, Value};

#[derive(Deserialize)]
struct Listed {
    now_s: i64,
    marks: (String, String),
    cases: Vec<Case>,
    templates: Vec<Prompts>,
}

#[derive(Deserialize)]
struct Case {
    name: String,
    messages: Vec<Value>,
    tools: Option<Vec<Value>>,
    add_generation_prompt: bool,
    variables: BTreeMap<String, Value>,
}

/// What jinja2 renders from a template, in the order of the cases; nothing where it raises.
#[derive(Deserialize)]
struct Prompts {
    name: String,
    /// Filters and tests that jinja2 does not have; nothing if it cannot read the template at all.
    unknown: Option<Vec<String>>,
    prompts: Vec<Option<String>>,
}

impl Prompts {
    /// Whether jinja2 refuses a template too, and for the same name.
    fn is_refused_for(&self, error: &TemplateError) -> bool {
        let is_name =
            |names: &Vec<String>| matches!(&error.fault, Fault::Unknown { name, .. } if names.contains(name));
        self.unknown.as_ref().is_none_or(is_name)
    }
}

impl Listed {
    fn conversation<'a>(&'a self, case: &'a Case) -> Conversation<'a> {
        Conversation {
            messages: case.messages.clone(),
            tools: case.tools.clone(),
            add_generation_prompt: case.add_generation_prompt,
            marks: (&self.marks.0, &self.marks.1),
            variables: case.variables.iter().map(|(name, value)| (name.as_str(), value.clone())).collect(),
            now_s: Some(self.now_s),
        }
    }

    /// How a template's prompts differ from ours.
    fn differences(&self, folder: &Path, of: &Prompts) -> Vec<String> {
        let source = std::fs::read_to_string(folder.join(&of.name)).unwrap();
        let template = match Template::parse(&source) {
            Ok(template) => template,
            Err(error) if of.is_refused_for(&error) => return Vec::new(),
            Err(error) => return vec![format!("{}: {error}", of.name)],
        };
        if of.unknown.as_deref() != Some(&[]) {
            return vec![format!("{}: jinja2 does not know {:?}", of.name, of.unknown)];
        }
        let differs = |(case, expected): (&Case, &Option<String>)| {
            let ours = template.render(&self.conversation(case)).map(|rendered| rendered.text);
            (ours.as_ref().ok() != expected.as_ref())
                .then(|| format!("{} {}:\n ours   {ours:?}\n theirs {expected:?}", of.name, case.name))
        };
        assert_eq!(self.cases.len(), of.prompts.len());
        self.cases.iter().zip(&of.prompts).filter_map(differs).collect()
    }

    /// Fails unless all prompts are the same; gives how many there are.
    fn compare(&self, folder: &Path) -> usize {
        let differences: Vec<Vec<String>> = self
            .templates
            .iter()
            .map(|template| self.differences(folder, template))
            .filter(|differences| !differences.is_empty())
            .collect();
        let first: Vec<&String> = differences.iter().flat_map(|differences| differences.first()).collect();
        assert!(
            first.is_empty(),
            "{} templates differ: {}",
            first.len(),
            first.iter().map(|line| format!("\n{line}")).collect::<String>()
        );
        self.templates.iter().flat_map(|template| &template.prompts).flatten().count()
    }
}

fn vectors() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../measurements/vectors")
}

#[test]
fn templates_in_the_style_of_each_family_give_the_listed_prompts() {
    let listed = std::fs::read(vectors().join("templates.json")).unwrap();
    let listed: Listed = serde_json::from_slice(&listed).unwrap();
    assert!(listed.templates.len() >= 15);
    assert!(listed.compare(&vectors().join("templates")) > 150);
}

#[test]
fn damaged_templates_end_without_a_panic() {
    let listed = std::fs::read(vectors().join("templates.json")).unwrap();
    let listed: Listed = serde_json::from_slice(&listed).unwrap();
    let sources = listed.templates.iter().map(|of| vectors().join("templates").join(&of.name));
    let sources: Vec<Vec<char>> =
        sources.map(|path| std::fs::read_to_string(path).unwrap().chars().collect()).collect();
    let mut state = 1_u64;
    let mut below = |end: usize| {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        usize::try_from(state >> 33).unwrap() % end.max(1)
    };
    for round in 0..4000 {
        let mut source = sources[round % sources.len()].clone();
        let other = &sources[below(sources.len())];
        for _ in 0..=below(3) {
            let (at, length, from) = (below(source.len()), below(12), below(other.len()));
            let end = (at + length).min(source.len());
            source.splice(at..end, other[from..].iter().take(below(12)).copied());
        }
        let source: String = source.into_iter().collect();
        let Ok(template) = Template::parse(&source) else { continue };
        let case = &listed.cases[below(listed.cases.len())];
        drop(template.render(&listed.conversation(case)));
    }
}

#[test]
fn the_deepest_templates_fit_half_of_a_stack() {
    let nested = |inside: &str, levels: usize| "[".repeat(levels) + inside + &"]".repeat(levels);
    let sources = [
        format!("{{{{ {} | string | length }}}}", nested("1", 70)),
        format!("{{% macro f() %}}{{{{ {} }}}}{{% endmacro %}}{{{{ f() }}}}", nested("f()", 60)),
        "{% macro f() %}{% for x in [1] %}{% if x %}{{ f() | upper }}{% endif %}{% endfor %}{% endmacro %}{{ f() }}".into(),
        "{% macro f() %}{% call f() %}{{ caller() }}{% endcall %}{% endmacro %}{{ f() }}".into(),
        format!("{{{{ {} }}}}", "(".repeat(9999)),
        "{% if a %}".repeat(9999),
        format!("{{{{ {} 1 }}}}", "-".repeat(9999)),
        format!("{{{{ {} 1 }}}}", "not ".repeat(9999)),
        format!("{{{{ 1{} }}}}", " if 1 else 1".repeat(9999)),
        format!("{{{{ 1{} }}}}", " + 1".repeat(9999)),
        format!("{{{{ x{} }}}}", ".x is defined".repeat(9999)),
    ];
    for source in sources {
        let run = move || {
            drop(
                Template::parse(&source).map(|template| template.render(&Conversation::plain(&[], ("", "")))),
            )
        };
        std::thread::Builder::new().stack_size(1 << 20).spawn(run).unwrap().join().unwrap();
    }
}

#[test]
fn published_templates_give_the_prompts_that_jinja2_renders() {
    let names = ["VIAL_TEST_TEMPLATES", "VIAL_TEST_PYTHON"].map(std::env::var_os);
    let [Some(folder), Some(python)] = names else {
        return say(
            "skipped: needs VIAL_TEST_TEMPLATES, a folder of *.jinja, and VIAL_TEST_PYTHON with jinja2",
        );
    };
    let output = Command::new(python).arg(vectors().join("templates.py")).arg(&folder).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let listed: Listed = serde_json::from_slice(&output.stdout).unwrap();
    let count = listed.compare(Path::new(&folder));
    say(&format!("{} templates, {count} prompts and what is raised are the same", listed.templates.len()));
}

#[expect(clippy::print_stderr, reason = "says what a test does")]
fn say(line: &str) {
    eprintln!("{line}");
}

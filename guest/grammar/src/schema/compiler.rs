//! From schemas to expressions: references, `allOf` and choices; what a single type allows is in the files beside.

use alloc::format;
use alloc::string::{String, ToString as _};
use alloc::vec;
use alloc::vec::Vec;
use hashbrown::HashMap;

use super::facts::Facts;
use super::one_of;
use super::part::Part;
use super::path::Path;
use super::types::Types;
use super::{array, number, object, string};
use crate::error::GrammarError;
use crate::expr::{Expr, Rules};
use crate::json::Json;
use crate::value::Shared;

/// Most values in a schema.
const MAX_SIZE: usize = 20_000;
/// Most choices of `anyOf` or `oneOf`: `oneOf` compares each with each.
const MAX_CHOICES: usize = 128;
/// Schemas inside each other.
const MAX_DEPTH: usize = 64;
/// Most schemas looked at, with repeats.
const MAX_VISITS: usize = 20_000;
/// Most schemas that hold at once for one value.
const MAX_PARTS: usize = 64;

/// An expression, or why there is none.
pub(super) type Made = Result<Expr, GrammarError>;

/// What a schema allows. The rules it needs are added to `rules`.
///
/// # Errors
/// What is not supported or no schema, with its place.
pub(crate) fn compile(schema: &Json, rules: &mut Rules, shared: Shared) -> Made {
    Compiler::new(schema, rules, shared).whole(Vec::new())
}

/// What a schema allows of objects.
///
/// # Errors
/// As [`compile`].
pub(crate) fn compile_object(schema: &Json, rules: &mut Rules, shared: Shared) -> Made {
    let object = Json::Object(vec![("type".into(), Json::Text("object".into()))]);
    Compiler::new(schema, rules, shared).whole(vec![Part::new(&object, Path::root())])
}

/// Keeps the rules made so far.
pub(super) struct Compiler<'a, 'rules> {
    root: &'a Json,
    pub(super) rules: &'rules mut Rules,
    pub(super) shared: Shared,
    /// Rules of references.
    references: HashMap<&'a str, u32>,
    /// Those whose bodies are still to be made: not inside each other, however long the chain.
    open: Vec<(u32, Part<'a>)>,
    visits: usize,
    depth: usize,
}

impl<'a, 'rules> Compiler<'a, 'rules> {
    fn new(root: &'a Json, rules: &'rules mut Rules, shared: Shared) -> Self {
        Self { root, rules, shared, references: HashMap::new(), open: Vec::new(), visits: 0, depth: 0 }
    }

    /// The whole schema, with others that hold too; then what it refers to.
    fn whole(mut self, others: Vec<Part<'a>>) -> Made {
        if self.root.size() > MAX_SIZE {
            return Err(GrammarError::TooLarge { what: "values in a schema", most: MAX_SIZE });
        }
        let whole = self.all_of([Part::new(self.root, Path::root())].into_iter().chain(others).collect())?;
        while let Some((rule, part)) = self.open.pop() {
            let body = self.all_of(vec![part])?;
            self.rules.set(rule, body);
        }
        Ok(whole)
    }

    /// What values allow that follow all of these schemas; any value if there are none.
    pub(super) fn all_of(&mut self, parts: Vec<Part<'a>>) -> Made {
        let Some(first) = parts.first() else { return Ok(self.shared.value()) };
        self.visits += parts.len();
        self.depth += 1;
        if self.visits > MAX_VISITS || self.depth > MAX_DEPTH {
            return Err(first.path.error("schemas are too many or too deep inside each other"));
        }
        let made = match self.reference(&parts) {
            Some((pointer, part)) => part.map(|part| self.rule_of(pointer, part)),
            None => self.conjunction(parts),
        };
        self.depth -= 1;
        made
    }

    /// A new rule; bodies used more than once are not copied.
    pub(super) fn rule(&mut self, body: Expr) -> Expr {
        let name = format!("number {}", self.rules.bodies.len());
        Expr::Rule(self.rules.add(name, body))
    }

    /// The target, if these schemas are one reference and nothing that narrows it.
    fn reference(&self, parts: &[Part<'a>]) -> Option<(&'a str, Result<Part<'a>, GrammarError>)> {
        let [part] = parts else { return None };
        let is_alone = part.schema.fields().iter().all(|(name, _)| name == "$ref" || is_aside(name));
        let reference = part.keyword("$ref").filter(|_| is_alone)?;
        let pointer = reference.text().ok()?;
        Some((pointer, self.resolve(pointer, &reference.path)))
    }

    /// The rule of a reference; it is made once, so that schemas may hold themselves.
    fn rule_of(&mut self, pointer: &'a str, part: Part<'a>) -> Expr {
        if let Some(&rule) = self.references.get(pointer) {
            return Expr::Rule(rule);
        }
        let rule = self.rules.reserve(pointer.to_string());
        self.references.insert(pointer, rule);
        self.open.push((rule, part));
        Expr::Rule(rule)
    }

    /// The schema at a pointer.
    fn resolve(&self, pointer: &'a str, at: &Path<'a>) -> Result<Part<'a>, GrammarError> {
        let Some(fragment) =
            pointer.strip_prefix('#').filter(|rest| rest.is_empty() || rest.starts_with('/'))
        else {
            return Err(at.error("only references to a place in the same schema (#/…) are supported"));
        };
        let unescape = |name: &str| name.replace("~1", "/").replace("~0", "~");
        let mut schema = self.root;
        for name in fragment.split('/').skip(1).map(unescape) {
            let next = match schema {
                Json::List(items) => name.parse().ok().and_then(|at: usize| items.get(at)),
                _ => schema.get(&name),
            };
            schema = next.ok_or_else(|| at.error("the schema it refers to does not exist"))?;
        }
        Ok(Part::new(schema, Path::at(pointer)))
    }

    /// Values that follow several schemas, or one with keywords of its own.
    fn conjunction(&mut self, parts: Vec<Part<'a>>) -> Made {
        let mut parts = self.flatten(parts)?;
        for (choice, name) in ["anyOf", "oneOf"].into_iter().enumerate() {
            let has_choice =
                |part: &&mut Part<'a>| !part.is_chosen[choice] && part.schema.get(name).is_some();
            if let Some(part) = parts.iter_mut().find(has_choice) {
                part.is_chosen[choice] = true;
                let choices = part.keyword(name);
                return choices
                    .map_or_else(|| Ok(Expr::empty()), |choices| self.any_of(&parts, &choices, choice == 1));
            }
        }
        let Some(first) = parts.first() else { return Ok(self.shared.value()) };
        let path = first.path.clone();
        let facts = Facts::new(parts)?;
        self.typed(&facts, &path)
    }

    /// All schemas that hold at once, without references, `allOf` and `true`.
    fn flatten(&mut self, parts: Vec<Part<'a>>) -> Result<Vec<Part<'a>>, GrammarError> {
        let mut open = parts;
        open.reverse();
        let mut flat: Vec<Part<'a>> = Vec::new();
        while let Some(mut part) = open.pop() {
            self.visits += 1;
            if open.len() + flat.len() > MAX_PARTS || self.visits > MAX_VISITS {
                return Err(part.path.error("too many schemas hold at once"));
            }
            match part.schema {
                Json::Bool(true) => continue,
                Json::Bool(false) => return Err(part.path.error("false: no value follows it")),
                Json::Object(_) => {}
                _ => return Err(part.expected("a schema: an object, true or false")),
            }
            if core::mem::replace(&mut part.is_flat, true) {
                flat.push(part);
                continue;
            }
            if let Some(all) = part.keyword("allOf") {
                open.extend(all.items()?.collect::<Vec<_>>().into_iter().rev());
            }
            if let Some(reference) = part.keyword("$ref") {
                open.push(self.resolve(reference.text()?, &reference.path)?);
            }
            flat.push(part);
        }
        Ok(flat)
    }

    /// Values that follow all of `parts` and one of `choices`.
    fn any_of(&mut self, parts: &[Part<'a>], choices: &Part<'a>, is_exclusive: bool) -> Made {
        let choices_parts: Vec<_> = choices.items()?.collect();
        if choices_parts.len() > MAX_CHOICES {
            return Err(choices.expected("at most 128 choices"));
        }
        let lists: Vec<Vec<Part<'a>>> = choices_parts
            .into_iter()
            .filter(|choice| *choice.schema != Json::Bool(false))
            .map(|choice| parts.iter().cloned().chain([choice]).collect())
            .collect();
        if lists.is_empty() {
            return Err(choices.expected("a choice that some value follows"));
        }
        if is_exclusive && lists.len() > 1 {
            let flat: Result<Vec<_>, _> = lists.iter().map(|list| self.flatten(list.clone())).collect();
            one_of::check(&flat?, &choices.path)?;
        }
        let made: Result<Vec<Option<Expr>>, _> = lists.into_iter().map(|list| self.choice(list)).collect();
        let made = made?.into_iter().flatten().collect::<Vec<Expr>>();
        if made.is_empty() {
            Err(choices.expected("a choice that some value follows"))
        } else {
            Ok(Expr::Any(made))
        }
    }

    /// One choice; none if its types and those around it have nothing in common.
    fn choice(&mut self, list: Vec<Part<'a>>) -> Result<Option<Expr>, GrammarError> {
        let made = if list.len() == 1 || list.iter().rev().skip(1).all(is_plain) {
            self.all_of(list.into_iter().last().into_iter().collect())
        } else {
            self.all_of(list)
        };
        match made {
            Err(GrammarError::Schema { problem, .. }) if problem == NOTHING => Ok(None),
            other => other.map(Some),
        }
    }

    /// Values by their types.
    fn typed(&mut self, facts: &Facts<'a>, path: &Path<'a>) -> Made {
        if let Some(values) = facts.listed()? {
            let texts: Vec<_> = values.iter().map(|value| value.to_text().into_bytes()).collect();
            return if texts.is_empty() { Err(path.error(NOTHING)) } else { Ok(Expr::one_of(&texts)) };
        }
        let mut choices = Vec::new();
        if facts.types.has(Types::OBJECT) {
            choices.push(object::expr(self, facts, path)?);
        }
        if facts.types.has(Types::ARRAY) {
            choices.push(array::expr(self, facts, path)?);
        }
        if facts.types.has(Types::STRING) {
            choices.push(string::expr(self.shared, facts)?);
        }
        if facts.types.has(Types::INTEGER) {
            choices.push(number::expr(self, facts, path)?);
        }
        let words = [(Types::BOOL, "true"), (Types::BOOL, "false"), (Types::NULL, "null")];
        choices.extend(
            words.iter().filter(|(types, _)| facts.types.has(*types)).map(|(_, word)| Expr::text(word)),
        );
        if choices.is_empty() { Err(path.error(NOTHING)) } else { Ok(Expr::Any(choices)) }
    }
}

/// A conjunction of types that no value has: left out where it is one of several choices.
const NOTHING: &str = "no value follows all of what is said here";

/// Keywords that say nothing of a value beside a reference.
fn is_aside(name: &str) -> bool {
    const ASIDE: [&str; 12] = [
        "title",
        "description",
        "default",
        "examples",
        "example",
        "$comment",
        "deprecated",
        "readOnly",
        "writeOnly",
        "$defs",
        "definitions",
        "$schema",
    ];
    ASIDE.contains(&name) || name == "$id"
}

/// Whether a schema says nothing but its choices, so that these can stand alone and be references.
fn is_plain(part: &Part<'_>) -> bool {
    let says_nothing = |(name, _): &(String, Json)| {
        is_aside(name) || name == "anyOf" && part.is_chosen[0] || name == "oneOf" && part.is_chosen[1]
    };
    part.schema.fields().iter().all(says_nothing)
}

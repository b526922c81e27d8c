//! Places in a schema.

use alloc::format;
use alloc::rc::Rc;
use alloc::string::String;
use alloc::vec::Vec;

use crate::error::GrammarError;

/// Longest path that an error shows, in bytes.
const MAX_SHOWN: usize = 512;

/// A JSON pointer, from the whole schema down. Shared tails: a schema of long names stays linear.
#[derive(Clone, Debug)]
pub(super) struct Path<'a>(Option<Rc<Step<'a>>>);

#[derive(Debug)]
struct Step<'a> {
    parent: Path<'a>,
    name: Name<'a>,
}

#[derive(Clone, Copy, Debug)]
enum Name<'a> {
    Field(&'a str),
    Item(usize),
    /// A pointer that a reference gives.
    Whole(&'a str),
}

impl<'a> Path<'a> {
    /// The whole schema.
    pub(super) const fn root() -> Self {
        Self(None)
    }

    /// The place that a reference names.
    pub(super) fn at(pointer: &'a str) -> Self {
        Self::root().step(Name::Whole(pointer))
    }

    pub(super) fn field(&self, name: &'a str) -> Self {
        self.step(Name::Field(name))
    }

    pub(super) fn item(&self, at: usize) -> Self {
        self.step(Name::Item(at))
    }

    fn step(&self, name: Name<'a>) -> Self {
        Self(Some(Rc::new(Step { parent: self.clone(), name })))
    }

    /// An error at this place.
    pub(super) fn error(&self, problem: impl Into<String>) -> GrammarError {
        GrammarError::Schema { path: self.shown(), problem: problem.into() }
    }

    fn shown(&self) -> String {
        let mut names = Vec::new();
        let mut path = self;
        while let Some(step) = &path.0 {
            names.push(step.name);
            path = &step.parent;
        }
        let mut text = String::from("#");
        for name in names.iter().rev() {
            match *name {
                Name::Field(name) => {
                    text.push_str(&format!("/{}", name.replace('~', "~0").replace('/', "~1")))
                }
                Name::Item(at) => text.push_str(&format!("/{at}")),
                Name::Whole(pointer) => text = String::from(pointer),
            }
        }
        if text.len() > MAX_SHOWN {
            let end = (0..=MAX_SHOWN).rev().find(|&end| text.is_char_boundary(end)).unwrap_or(0);
            text.truncate(end);
            text.push('…');
        }
        text
    }
}

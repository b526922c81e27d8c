//! Values that only a template makes.

use alloc::rc::{Rc, Weak};
use alloc::vec::Vec;
use core::cell::RefCell;

use super::super::Fault;
use super::super::eval::Scope;
use super::super::known::{Function, Method};
use super::super::syntax::MacroDefinition;
use super::Value;

/// A function, loop, namespace or generator.
#[derive(Clone, Debug)]
pub struct Object(pub(in super::super) Kind);

/// Which one.
#[derive(Clone, Debug)]
pub(in super::super) enum Kind {
    Function(Function),
    /// A method with its value.
    Method(Rc<(Value, Method)>),
    Macro(Rc<Closure>),
    /// `loop`.
    Loop(Rc<Turn>),
    /// The place of a namespace with the renderer, so that namespaces may name each other without a leak.
    Namespace(usize),
    Generator(Rc<Generator>),
}

/// A macro with where it was defined.
#[derive(Debug)]
pub(in super::super) struct Closure {
    pub(in super::super) definition: Rc<MacroDefinition>,
    pub(in super::super) scope: Weak<Scope>,
}

/// A turn of a loop.
#[derive(Debug)]
pub(in super::super) struct Turn {
    pub(in super::super) at: usize,
    pub(in super::super) items: Rc<Vec<Value>>,
    pub(in super::super) items_depth: u32,
}

/// Items that can be gone through once.
#[derive(Debug)]
pub(in super::super) struct Generator {
    items: RefCell<Vec<Value>>,
    depth: u32,
}

impl Object {
    pub(in super::super) fn depth(&self) -> u32 {
        match &self.0 {
            Kind::Method(bound) => 1 + bound.0.depth(),
            Kind::Generator(generator) => generator.depth,
            Kind::Loop(turn) => 1 + turn.items_depth,
            _ => 0,
        }
    }

    /// The items of a generator, which has none afterwards.
    pub(super) fn take_items(&self) -> Result<Vec<Value>, Fault> {
        match &self.0 {
            Kind::Generator(generator) => {
                let mut items = generator.items.take();
                items.reverse();
                Ok(items)
            }
            _ => Err(Fault::Unsuited { operation: "going through" }),
        }
    }

    /// Whether two are the same one.
    pub(super) fn is_same(&self, other: &Self) -> bool {
        match (&self.0, &other.0) {
            (Kind::Function(left), Kind::Function(right)) => left == right,
            (Kind::Macro(left), Kind::Macro(right)) => Rc::ptr_eq(left, right),
            (Kind::Namespace(left), Kind::Namespace(right)) => left == right,
            (Kind::Generator(left), Kind::Generator(right)) => Rc::ptr_eq(left, right),
            _ => false,
        }
    }
}

impl Value {
    pub(in super::super) fn generator(mut items: Vec<Self>) -> Self {
        let depth = 1 + items.iter().map(Self::depth).max().unwrap_or(0);
        items.reverse();
        Self::object(Kind::Generator(Rc::new(Generator { items: RefCell::new(items), depth })))
    }

    pub(in super::super) const fn object(kind: Kind) -> Self {
        Self::Object(Object(kind))
    }
}

impl Generator {
    /// The next item.
    pub(in super::super) fn next(&self) -> Option<Value> {
        self.items.borrow_mut().pop()
    }
}

impl Turn {
    /// A field of `loop`.
    pub(in super::super) fn field(&self, name: &str) -> Value {
        let count = self.items.len();
        let item =
            |at: Option<usize>| at.and_then(|at| self.items.get(at)).cloned().unwrap_or(Value::Undefined);
        match name {
            "index" => Value::count(self.at + 1),
            "index0" => Value::count(self.at),
            "revindex" => Value::count(count - self.at),
            "revindex0" => Value::count(count - self.at - 1),
            "first" => Value::Bool(self.at == 0),
            "last" => Value::Bool(self.at + 1 == count),
            "length" => Value::count(count),
            // Only a recursive loop is deeper.
            "depth" => Value::Int(1),
            "depth0" => Value::Int(0),
            "previtem" => item(self.at.checked_sub(1)),
            "nextitem" => item(self.at.checked_add(1)),
            _ => Value::Undefined,
        }
    }
}

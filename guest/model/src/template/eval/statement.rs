//! Statements.

use alloc::rc::Rc;
use alloc::vec::Vec;

use super::super::Fault;
use super::super::syntax::{Arguments, Expression, For, MacroDefinition, Node, Step, Target};
use super::super::value::{Closure, Key, Kind, Turn, Value};
use super::{Done, Flow, Renderer};

impl Renderer {
    pub(super) fn nodes(&mut self, nodes: &[Node]) -> Done<Flow> {
        for node in nodes {
            match self.deeper(|renderer| renderer.node(node))? {
                Flow::Next => {}
                jump => return Ok(jump),
            }
        }
        Ok(Flow::Next)
    }

    fn node(&mut self, node: &Node) -> Done<Flow> {
        match node {
            Node::Text(text) => self.print_own(text)?,
            Node::Output(line, value) => self.output(*line, value)?,
            Node::If { branches, otherwise } => return self.branches(branches, otherwise),
            Node::For(node) => return self.for_loop(node),
            Node::Set { line, target, value } => self.set(*line, target, value)?,
            Node::Capture { line, target, filters, body } => self.capture(*line, target, filters, body)?,
            Node::Filtered { line, filters, body } => self.filtered(*line, filters, body)?,
            Node::Macro(line, definition) => self.define(*line, definition),
            Node::CallBlock { line, caller, callee, arguments } => {
                self.call_block(*line, caller, callee, arguments)?;
            }
            Node::With { line, values, body } => return self.with(*line, values, body),
            Node::Break => return Ok(Flow::Break),
            Node::Continue => return Ok(Flow::Continue),
        }
        Ok(Flow::Next)
    }

    fn output(&mut self, line: usize, value: &Expression) -> Done<()> {
        self.line = line;
        let value = self.value(value)?;
        let text = self.show(&value)?;
        self.print(&text)
    }

    fn branches(&mut self, branches: &[(usize, Expression, Vec<Node>)], otherwise: &[Node]) -> Done<Flow> {
        for (line, condition, nodes) in branches {
            self.line = *line;
            if self.value(condition)?.is_true() {
                return self.nodes(nodes);
            }
        }
        self.nodes(otherwise)
    }

    fn set(&mut self, line: usize, target: &Target, value: &Expression) -> Done<()> {
        self.line = line;
        let value = self.value(value)?;
        self.assign(target, value)
    }

    fn assign(&mut self, target: &Target, value: Value) -> Done<()> {
        match target {
            Target::Name(name) => {
                self.scope.set(name, value);
                Ok(())
            }
            Target::Field(name, field) => self.set_field(name, field, value),
            Target::Tuple(targets) => {
                let values = value.iterate(&self.meter)?;
                if values.len() != targets.len() {
                    return Err(Fault::Unsuited { operation: "taking a tuple apart" });
                }
                targets.iter().zip(values).try_for_each(|(target, value)| self.assign(target, value))
            }
        }
    }

    fn set_field(&mut self, name: &str, field: &Rc<str>, value: Value) -> Done<()> {
        let no_namespace = Fault::Unsuited { operation: "\"set\" of a field of no namespace" };
        let Value::Object(object) = self.lookup(name) else { return Err(no_namespace) };
        let Kind::Namespace(at) = object.0 else { return Err(no_namespace) };
        let Some(namespace) = self.namespaces.get_mut(at) else { return Err(no_namespace) };
        match namespace.fields.iter_mut().find(|(known, _)| *known == **field) {
            Some((_, old)) => *old = value,
            None => namespace.fields.push((Key::from(field.clone()), value)),
        }
        Ok(())
    }

    fn capture(&mut self, line: usize, target: &Target, filters: &[Step], body: &[Node]) -> Done<()> {
        self.line = line;
        let text = self.inner_text(filters, body)?;
        self.assign(target, text)
    }

    fn filtered(&mut self, line: usize, filters: &[Step], body: &[Node]) -> Done<()> {
        self.line = line;
        let value = self.inner_text(filters, body)?;
        let text = self.show(&value)?;
        self.print(&text)
    }

    /// What a body prints in a scope of its own, filtered.
    fn inner_text(&mut self, filters: &[Step], body: &[Node]) -> Done<Value> {
        let parent = self.scope.clone();
        let text = self.captured(|renderer| renderer.scoped(parent, |renderer| renderer.nodes(body)))?;
        self.steps(text, filters)
    }

    fn define(&mut self, line: usize, definition: &Rc<MacroDefinition>) {
        self.line = line;
        let name = definition.name.clone();
        let value = self.closure(definition);
        self.scope.set(&name, value);
    }

    fn closure(&self, definition: &Rc<MacroDefinition>) -> Value {
        let closure = Closure { definition: definition.clone(), scope: Rc::downgrade(&self.scope) };
        Value::object(Kind::Macro(Rc::new(closure)))
    }

    fn call_block(
        &mut self,
        line: usize,
        caller: &Rc<MacroDefinition>,
        callee: &Expression,
        arguments: &Arguments,
    ) -> Done<()> {
        self.line = line;
        let callee = self.value(callee)?;
        let mut given = self.given(arguments)?;
        given.named.push(("caller".into(), self.closure(caller)));
        let value = self.call(&callee, given)?;
        let text = self.show(&value)?;
        self.print(&text)
    }

    fn with(&mut self, line: usize, values: &[(Target, Expression)], body: &[Node]) -> Done<Flow> {
        self.line = line;
        let mut given = Vec::with_capacity(values.len());
        for (target, value) in values {
            given.push((target, self.value(value)?));
        }
        self.scoped(self.scope.clone(), |renderer| {
            given.into_iter().try_for_each(|(target, value)| renderer.assign(target, value))?;
            renderer.nodes(body)
        })
    }

    fn for_loop(&mut self, node: &For) -> Done<Flow> {
        self.line = node.line;
        let items = self.value(&node.items)?.iterate(&self.meter)?;
        let items = match &node.filter {
            Some(filter) => self.kept(node, filter, items)?,
            None => items,
        };
        if items.is_empty() {
            return self.scoped(self.scope.clone(), |renderer| renderer.nodes(&node.otherwise));
        }
        self.turns(node, items)?;
        Ok(Flow::Next)
    }

    /// The items that a loop's filter keeps.
    fn kept(&mut self, node: &For, filter: &Expression, items: Vec<Value>) -> Done<Vec<Value>> {
        let mut kept = Vec::new();
        for item in items {
            let is_kept = self.scoped(self.scope.clone(), |renderer| {
                renderer.assign(&node.target, item.clone())?;
                Ok(renderer.value(filter)?.is_true())
            })?;
            kept.extend(is_kept.then_some(item));
        }
        Ok(kept)
    }

    fn turns(&mut self, node: &For, items: Vec<Value>) -> Done<()> {
        let name = Rc::from("loop");
        let items_depth = items.iter().map(Value::depth).max().unwrap_or(0);
        let items = Rc::new(items);
        for (at, item) in items.iter().enumerate() {
            let turn = Turn { at, items: items.clone(), items_depth };
            let flow = self.scoped(self.scope.clone(), |renderer| {
                renderer.scope.set(&name, Value::object(Kind::Loop(Rc::new(turn))));
                renderer.assign(&node.target, item.clone())?;
                renderer.nodes(&node.body)
            })?;
            if flow == Flow::Break {
                break;
            }
        }
        Ok(())
    }
}

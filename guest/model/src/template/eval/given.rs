//! Arguments that were evaluated, and their places.

use alloc::rc::Rc;
use alloc::vec::Vec;

use super::super::Fault;
use super::super::syntax::Arguments;
use super::super::value::Value;
use super::{Done, Renderer};

/// Values of a call's arguments.
#[derive(Clone, Debug, Default)]
pub(super) struct Given {
    pub(super) positional: Vec<Value>,
    pub(super) named: Vec<(Rc<str>, Value)>,
}

impl Given {
    /// One value for each of these parameters, where one is given.
    ///
    /// # Errors
    /// Arguments that have no parameter.
    pub(super) fn bind<const N: usize>(self, callee: &str, names: [&str; N]) -> Done<[Option<Value>; N]> {
        let refused = || Fault::Arguments { callee: callee.into() };
        let mut bound = [const { None }; N];
        if self.positional.len() > N {
            return Err(refused());
        }
        for (place, value) in bound.iter_mut().zip(self.positional) {
            *place = Some(value);
        }
        for (name, value) in self.named {
            let at = names.iter().position(|known| **known == *name).ok_or_else(refused)?;
            match bound.get_mut(at) {
                Some(place @ None) => *place = Some(value),
                _ => return Err(refused()),
            }
        }
        Ok(bound)
    }
}

impl Renderer {
    pub(super) fn given(&mut self, arguments: &Arguments) -> Done<Given> {
        let positional = self.values(&arguments.positional)?;
        let mut named = Vec::with_capacity(arguments.named.len());
        for (name, value) in &arguments.named {
            named.push((name.clone(), self.value(value)?));
        }
        Ok(Given { positional, named })
    }
}

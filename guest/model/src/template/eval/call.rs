//! Calls of functions, methods and macros.

use alloc::rc::Rc;
use alloc::string::ToString as _;
use alloc::vec::Vec;

use super::super::known::Function;
use super::super::syntax::{Arguments, Expression, MacroDefinition};
use super::super::value::{Closure, Key, Kind, Map, Sequence, Value};
use super::super::{Fault, Limit};
use super::given::Given;
use super::{Done, Renderer, date};

/// Most numbers of a `range`; the sandbox of jinja2 has the same.
const RANGE_MAX: i128 = 100_000;
/// Most namespaces of one rendering.
const NAMESPACES_MAX: usize = 10_000;

impl Renderer {
    /// A call as written: what it raises may be shown if it stands in the template itself.
    pub(super) fn call_from(&mut self, callee: &Value, given: Given, written: &Arguments) -> Done<Value> {
        let is_constant = matches!(written.positional.as_slice(), [Expression::Constant(Value::Text(_))]);
        match self.call(callee, given) {
            Err(Fault::Raised { says }) if !is_constant => {
                // A macro that was called may have raised a constant of its own.
                let is_macro = matches!(callee, Value::Object(object) if matches!(object.0, Kind::Macro(_)));
                Err(Fault::Raised { says: says.filter(|_| is_macro) })
            }
            done => done,
        }
    }

    pub(super) fn call(&mut self, callee: &Value, given: Given) -> Done<Value> {
        let object = match callee {
            Value::Object(object) => object,
            Value::Undefined => return Err(Fault::Undefined { operation: "a call" }),
            _ => return Err(Fault::Unsuited { operation: "a call" }),
        };
        match &object.0 {
            Kind::Function(function) => self.function(*function, given),
            Kind::Method(bound) => self.method(&bound.0, bound.1, given),
            Kind::Macro(closure) => self.deeper(|renderer| renderer.macro_call(closure, given)),
            _ => Err(Fault::Unsuited { operation: "a call" }),
        }
    }

    fn function(&mut self, function: Function, given: Given) -> Done<Value> {
        match function {
            Function::Dict => {
                let map = self.named_map(function, given)?;
                Ok(Value::Map(Rc::new(map)))
            }
            Function::Namespace => self.namespace(given),
            Function::RaiseException => {
                let [message] = given.bind(function.name(), ["message"])?;
                let says = message.as_ref().and_then(Value::as_text).map(|says| says.to_string());
                Err(Fault::Raised { says })
            }
            Function::Range => self.range(given),
            Function::StrftimeNow => self.strftime(given),
        }
    }

    /// A map's fields and named values, as `dict(map, name=value)` gives.
    fn named_map(&self, function: Function, given: Given) -> Done<Map> {
        let refused = Fault::Arguments { callee: function.name().into() };
        let mut fields = match given.positional.as_slice() {
            [] => Vec::new(),
            [Value::Map(map)] => map.fields.clone(),
            _ => return Err(refused),
        };
        self.meter.bytes(fields.len().saturating_mul(size_of::<(Key, Value)>()))?;
        fields.extend(given.named.into_iter().map(|(name, value)| (Key::from(name), value)));
        match Value::fields(fields).shallow()? {
            Value::Map(map) => Ok(Rc::unwrap_or_clone(map)),
            _ => Err(refused),
        }
    }

    fn namespace(&mut self, given: Given) -> Done<Value> {
        let map = self.named_map(Function::Namespace, given)?;
        if self.namespaces.len() >= NAMESPACES_MAX {
            return Err(Fault::Limit { limit: Limit::Memory });
        }
        self.namespaces.push(map);
        Ok(Value::object(Kind::Namespace(self.namespaces.len() - 1)))
    }

    fn range(&self, given: Given) -> Done<Value> {
        let refused = || Fault::Arguments { callee: "range".into() };
        let numbers: Option<Vec<i128>> = given.positional.iter().map(Value::as_int).collect();
        let (start, end, step) = match numbers.as_deref() {
            Some([end]) => (0, *end, 1),
            Some([start, end]) => (*start, *end, 1),
            Some([start, end, step]) if *step != 0 => (*start, *end, *step),
            _ => return Err(refused()),
        };
        let mut items = Vec::new();
        let mut at = start;
        while (step > 0 && at < end) || (step < 0 && at > end) {
            if Value::count(items.len()).as_int() >= Some(RANGE_MAX) {
                return Err(Fault::Limit { limit: Limit::Range });
            }
            items.push(Value::Int(at));
            at = at.saturating_add(step);
        }
        Value::made(Sequence::Range, items, &self.meter)
    }

    fn strftime(&self, given: Given) -> Done<Value> {
        let name = Function::StrftimeNow.name();
        let [format] = given.bind(name, ["format"])?;
        let format = format.as_ref().and_then(Value::as_text);
        match (format, self.now_s) {
            (Some(format), Some(now_s)) => date::strftime(format, now_s, &self.meter),
            _ => Err(Fault::Arguments { callee: name.into() }),
        }
    }

    fn macro_call(&mut self, closure: &Closure, given: Given) -> Done<Value> {
        let definition = &closure.definition;
        let parent =
            closure.scope.upgrade().ok_or(Fault::Undefined { operation: "a macro's surroundings" })?;
        self.captured(|renderer| {
            renderer.scoped(parent, |renderer| {
                renderer.bind(definition, given)?;
                renderer.nodes(&definition.body)
            })
        })
    }

    /// Gives a macro's parameters their values.
    fn bind(&mut self, definition: &MacroDefinition, given: Given) -> Done<()> {
        let refused = || Fault::Arguments { callee: alloc::format!("macro {:?}", definition.name) };
        let mut values: Vec<Option<Value>> = given.positional.into_iter().map(Some).collect();
        if values.len() > definition.parameters.len() {
            return Err(refused());
        }
        values.resize(definition.parameters.len(), None);
        for (name, value) in given.named {
            let at = definition.parameters.iter().position(|parameter| parameter.name == name);
            match at.and_then(|at| values.get_mut(at)) {
                Some(place @ None) => *place = Some(value),
                None if &*name == "caller" => self.scope.set(&name, value),
                _ => return Err(refused()),
            }
        }
        for (parameter, value) in definition.parameters.iter().zip(values) {
            let value = match (value, &parameter.default) {
                (Some(value), _) => value,
                (None, Some(default)) => self.value(default)?,
                (None, None) => Value::Undefined,
            };
            self.scope.set(&parameter.name, value);
        }
        Ok(())
    }
}

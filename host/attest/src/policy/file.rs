//! Policies as people write them: TOML, with a profile, and whatever differs from it.

use alloc::collections::BTreeMap;
use alloc::string::{String, ToString as _};
use alloc::vec;
use alloc::vec::Vec;

use toml::{Table, Value};

use super::field::{FIELDS, Field, Kind};
use super::rule::{ANY, Rule};
use super::{Policy, Profile, Stated};

const FILE: &str = "the policy's file";

/// Why a policy is none. Each names the field.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PolicyError {
    /// Not TOML.
    Form(String),
    /// A key that is no field.
    Unknown(String),
    /// A value that the field cannot hold.
    Value {
        /// The field.
        field: String,
        /// What stands there.
        found: String,
        /// What may.
        expected: String,
    },
    /// Fields that nothing states.
    Unset {
        /// The profile, which states some.
        profile: Profile,
        /// All that are missing.
        fields: Vec<&'static str>,
    },
}

impl core::fmt::Display for PolicyError {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        match self {
            Self::Form(what) => write!(f, "policy: {what}"),
            Self::Unknown(field) => write!(f, "policy: found {field}, expected a field of a policy"),
            Self::Value { field, found, expected } => {
                write!(f, "policy {field}: found {found}, expected {expected}, a list of these, or \"any\"")
            }
            Self::Unset { profile, fields } => write!(
                f,
                "policy: found nothing for {}, expected a value or \"any\" (profile {} states none)",
                fields.join(", "),
                profile.name()
            ),
        }
    }
}

impl core::error::Error for PolicyError {}

/// What a file states; fields may be missing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PolicyFile {
    profile: Profile,
    rules: BTreeMap<&'static str, Stated>,
}

impl PolicyFile {
    /// Nothing but a profile.
    #[must_use]
    pub fn of_profile(profile: Profile) -> Self {
        Self { profile, rules: BTreeMap::new() }
    }

    /// Reads TOML. The key `profile` must be there.
    ///
    /// # Errors
    /// Not TOML, an unknown key, or a value that its field cannot hold.
    pub fn parse(text: &str) -> Result<Self, PolicyError> {
        let mut table: Table =
            toml::from_str(text).map_err(|error| PolicyError::Form(error.message().to_string()))?;
        let mut file = Self::of_profile(profile(table.remove("profile"))?);
        file.read(&table, "")?;
        Ok(file)
    }

    /// States a field, by the word of `source`. What was stated before stays: a file is stronger than an image.
    ///
    /// # Errors
    /// No such field, or a value that it cannot hold.
    pub fn default_to(
        &mut self,
        name: &str,
        values: &[String],
        source: &'static str,
    ) -> Result<(), PolicyError> {
        let field = Field::of(name).ok_or_else(|| PolicyError::Unknown(name.to_string()))?;
        let rule = rule(field, &Value::Array(values.iter().cloned().map(Value::String).collect()))?;
        self.rules.entry(field.name).or_insert(Stated { rule, source });
        Ok(())
    }

    /// The policy, with what the profile says of all that is not stated.
    ///
    /// # Errors
    /// Names every field that nothing states.
    pub fn complete(mut self) -> Result<Policy, PolicyError> {
        for field in FIELDS {
            if let Some(value) = field.default_of(self.profile) {
                let stated = || Stated { rule: Rule::of(value), source: self.profile.source() };
                self.rules.entry(field.name).or_insert_with(stated);
            }
        }
        let missing = FIELDS.iter().map(|field| field.name).filter(|name| !self.rules.contains_key(name));
        let fields: Vec<_> = missing.collect();
        if fields.is_empty() {
            return Ok(Policy { profile: self.profile, rules: self.rules });
        }
        Err(PolicyError::Unset { profile: self.profile, fields })
    }

    fn read(&mut self, table: &Table, above: &str) -> Result<(), PolicyError> {
        for (key, value) in table {
            let name = if above.is_empty() { key.clone() } else { [above, key].join(".") };
            match (Field::of(&name), value) {
                (Some(field), value) => {
                    let stated = Stated { rule: rule(field, value)?, source: FILE };
                    self.rules.insert(field.name, stated);
                }
                (None, Value::Table(inner)) => self.read(inner, &name)?,
                (None, Value::String(any)) if any == ANY => self.open(&name)?,
                (None, _) => return Err(PolicyError::Unknown(name)),
            }
        }
        Ok(())
    }

    /// `"any"` where a table might stand opens all fields of it.
    fn open(&mut self, table: &str) -> Result<(), PolicyError> {
        let is_below =
            |field: &&Field| field.name.strip_prefix(table).is_some_and(|rest| rest.starts_with('.'));
        let mut below = FIELDS.iter().filter(is_below).peekable();
        below.peek().ok_or_else(|| PolicyError::Unknown(table.to_string()))?;
        let stated = Stated { rule: Rule::Any, source: FILE };
        self.rules.extend(below.map(|field| (field.name, stated.clone())));
        Ok(())
    }
}

fn profile(value: Option<Value>) -> Result<Profile, PolicyError> {
    let name = value.as_ref().and_then(Value::as_str);
    name.and_then(Profile::of).ok_or_else(|| PolicyError::Value {
        field: "profile".to_string(),
        found: value.map_or("nothing".to_string(), |value| value.to_string()),
        expected: Profile::ALL.map(Profile::name).join(", "),
    })
}

fn rule(field: &Field, value: &Value) -> Result<Rule, PolicyError> {
    let texts = texts(value).filter(|texts| is_rule(field.kind, texts));
    let texts = texts.ok_or_else(|| PolicyError::Value {
        field: field.name.to_string(),
        found: value.to_string(),
        expected: field.kind.to_string(),
    })?;
    Ok(if texts == [ANY] { Rule::Any } else { Rule::OneOf(texts) })
}

/// A list must not be empty, since that would refuse all; one of floors has one entry, since two would mean the higher.
fn is_rule(kind: Kind, texts: &[String]) -> bool {
    let is_one = texts.len() == 1;
    let is_any = is_one && texts.iter().all(|text| text == ANY);
    let may_be_many = !matches!(kind, Kind::Floor | Kind::Level(_));
    is_any || (!texts.is_empty() && (is_one || may_be_many) && texts.iter().all(|text| kind.fits(text)))
}

/// Scalars as texts; `None` for what no field holds.
fn texts(value: &Value) -> Option<Vec<String>> {
    match value {
        Value::String(text) => Some(vec![text.clone()]),
        Value::Integer(number) => Some(vec![number.to_string()]),
        Value::Boolean(flag) => Some(vec![flag.to_string()]),
        Value::Array(values) => {
            let inner = values.iter().map(|value| (!value.is_array()).then(|| texts(value)).flatten());
            Some(inner.collect::<Option<Vec<_>>>()?.concat())
        }
        Value::Float(_) | Value::Datetime(_) | Value::Table(_) => None,
    }
}

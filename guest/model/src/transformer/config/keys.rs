//! Metadata under an architecture's prefix, checked as it is read.

use alloc::borrow::ToOwned;
use alloc::format;
use alloc::string::{String, ToString};

use crate::gguf::Gguf;
use crate::transformer::architecture::Architecture;
use crate::transformer::error::ModelError;

/// The keys of a file that belong to its architecture.
pub(super) struct Keys<'a> {
    pub(super) gguf: &'a Gguf<'a>,
    pub(super) architecture: &'static Architecture,
}

impl<'a> Keys<'a> {
    pub(super) fn of(gguf: &'a Gguf<'a>) -> Result<Self, ModelError> {
        let key = "general.architecture";
        let name = gguf.str(key);
        let name = name.ok_or(ModelError::Metadata { key: key.to_owned(), expected: "string" })?;
        let architecture = Architecture::of(name).ok_or_else(|| ModelError::Architecture {
            found: name.to_owned(),
            known: Architecture::known(),
        })?;
        Ok(Self { gguf, architecture })
    }
}

impl Keys<'_> {
    /// The whole key.
    pub(super) fn key(&self, name: &str) -> String {
        format!("{}.{name}", self.architecture.name)
    }

    pub(super) fn missing(&self, name: &str, expected: &'static str) -> ModelError {
        ModelError::Metadata { key: self.key(name), expected }
    }

    pub(super) fn str(&self, name: &str) -> Option<&str> {
        self.gguf.str(&self.key(name))
    }

    /// An integer.
    pub(super) fn integer(&self, name: &str) -> Result<Option<u64>, ModelError> {
        let Some(value) = self.gguf.value(&self.key(name)) else { return Ok(None) };
        value.as_u64().ok_or_else(|| self.missing(name, "integer")).map(Some)
    }

    /// A count from 1 to `most` that must be there.
    pub(super) fn count(&self, name: &str, most: usize) -> Result<usize, ModelError> {
        self.optional_count(name, most)?.ok_or_else(|| self.missing(name, "integer"))
    }

    pub(super) fn optional_count(&self, name: &str, most: usize) -> Result<Option<usize>, ModelError> {
        self.integer(name)?.map(|found| in_range(&self.key(name), found, most)).transpose()
    }

    /// A finite float.
    pub(super) fn double(&self, name: &str) -> Result<Option<f64>, ModelError> {
        let Some(value) = self.gguf.value(&self.key(name)) else { return Ok(None) };
        let found = value.as_f64().ok_or_else(|| self.missing(name, "float"))?;
        if found.is_finite() {
            Ok(Some(found))
        } else {
            Err(range(&self.key(name), found, "a finite number"))
        }
    }

    #[expect(clippy::cast_possible_truncation, reason = "constants of models are stored as f32")]
    pub(super) fn float(&self, name: &str) -> Result<Option<f32>, ModelError> {
        Ok(self.double(name)?.map(|found| found as f32))
    }

    /// A float above 0 that must be.
    pub(super) fn positive(&self, name: &str) -> Result<Option<f64>, ModelError> {
        match self.double(name)? {
            Some(found) if found <= 0.0 => Err(range(&self.key(name), found, "above 0")),
            found => Ok(found),
        }
    }

    /// A factor above 0; files write 0 where there is none.
    pub(super) fn factor(&self, name: &str) -> Result<Option<f32>, ModelError> {
        match self.float(name)? {
            Some(found) if found < 0.0 => Err(range(&self.key(name), found, "0 or above")),
            found => Ok(found.filter(|found| *found > 0.0)),
        }
    }

    /// A bound, or its default; 0 is none.
    pub(super) fn cap(&self, name: &str, default: f32) -> Result<Option<f32>, ModelError> {
        let is_given = self.gguf.value(&self.key(name)).is_some();
        let default = Some(default).filter(|cap| *cap > 0.0 && !is_given);
        Ok(self.factor(name)?.or(default))
    }
}

pub(super) fn in_range(key: &str, found: u64, most: usize) -> Result<usize, ModelError> {
    match usize::try_from(found) {
        Ok(count) if (1..=most).contains(&count) => Ok(count),
        _ => Err(range(key, found, format!("1 to {most}"))),
    }
}

pub(super) fn range(key: &str, found: impl ToString, expected: impl ToString) -> ModelError {
    ModelError::Range { key: key.to_owned(), found: found.to_string(), expected: expected.to_string() }
}

//! What is wrong with bytes that have a form: one error for all of them, which names form and field.

/// A field that is missing, or not what its layout says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Malformed {
    /// The form, as `report`.
    pub form: &'static str,
    /// Its field.
    pub field: &'static str,
}

impl core::fmt::Display for Malformed {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        write!(f, "{} {}: not what the layout says", self.form, self.field)
    }
}

impl core::error::Error for Malformed {}

/// A form, by its name in errors.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Form(pub(crate) &'static str);

impl Form {
    /// The error of a field.
    pub(crate) fn malformed(self, field: &'static str) -> Malformed {
        Malformed { form: self.0, field }
    }

    /// Refuses a field that is wrong.
    pub(crate) fn expect(self, is_right: bool, field: &'static str) -> Result<(), Malformed> {
        if is_right { Ok(()) } else { Err(self.malformed(field)) }
    }
}

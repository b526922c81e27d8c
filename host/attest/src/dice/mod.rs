//! DICE: boards without a TEE, whose boot ROM derives a key for every layer that it starts.
//!
//! Spec: Open Profile for DICE v2.5, CBOR certificates (COSE_Sign1, RFC 9052, of CWT claims, RFC 8392).

mod authentic;
mod certificate;
mod key;

use crate::malformed::Form;

const FORM: Form = Form("DICE");

pub use authentic::Dice;
pub(crate) use authentic::authentic;
pub use certificate::{Certificate, Layer, Mode};
pub use key::Key;

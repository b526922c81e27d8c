//! Authenticity: each layer's key was signed by the layer before, the first by the board's own, and the last binds data.

use alloc::vec::Vec;

use coset::cbor::Value;
use coset::{CborSerializable as _, CoseSign1};

use super::FORM;
use super::certificate::{Certificate, Layer, is_signed_by};
use super::key::Key;
use crate::check::Checks;
use crate::malformed::Malformed;

const PROFILE: &str = "Open Profile for DICE";
/// Most layers of a board.
const LAYERS_MAX: usize = 16;

/// What a board says. Its own key is nobody's until a policy vouches for it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Dice {
    /// SHA-256 of the board's own key, as a `COSE_Key`.
    pub root: [u8; 32],
    /// Layers, from the first that the boot ROM started.
    pub layers: Vec<Layer>,
    /// What the last layer bound.
    pub report_data: Vec<u8>,
}

/// An array: the board's key, certificates from the first layer on, and what the last layer signed.
struct Chain {
    root: Key,
    certificates: Vec<Certificate>,
    statement: CoseSign1,
}

impl Chain {
    fn parse(bytes: &[u8]) -> Result<Self, Malformed> {
        let malformed = FORM.malformed("chain");
        let value = Value::from_slice(bytes).map_err(|_| malformed)?;
        let mut parts = value.into_array().map_err(|_| malformed)?.into_iter();
        let mut next = || parts.next().and_then(|part| part.into_bytes().ok());
        let root = Key::parse(&next().ok_or(malformed)?)?;
        let mut rest: Vec<Vec<u8>> = core::iter::from_fn(next).collect();
        let statement = rest.pop().ok_or(malformed)?;
        if parts.next().is_some() || rest.is_empty() || rest.len() > LAYERS_MAX {
            return Err(malformed);
        }
        let certificates = rest.iter().map(|bytes| Certificate::parse(bytes)).collect::<Result<_, _>>()?;
        let statement = CoseSign1::from_slice(&statement).map_err(|_| FORM.malformed("statement"))?;
        Ok(Self { root, certificates, statement })
    }
}

/// Checks form, names and signatures.
pub(crate) fn authentic(bytes: &[u8], checks: &mut Checks) -> Option<Dice> {
    let chain =
        checks.parsed("DICE chain", Chain::parse(bytes), "key, certificates and a statement", PROFILE)?;
    let found = wrong(&chain).unwrap_or("each signed by the one before");
    checks.equal("layers", found, "each signed by the one before", PROFILE)?;
    let last = chain.certificates.last()?;
    let is_right = is_signed_by(&chain.statement, &last.key);
    let found = if is_right { "verifies" } else { "does not verify" };
    checks.holds("statement signature", is_right, found, "by the last layer's key", PROFILE)?;
    let layers: Result<_, _> = chain.certificates.iter().map(Certificate::layer).collect();
    let layers = checks.parsed("layers", layers, "claims of the profile", PROFILE)?;
    let data = chain.statement.payload.ok_or(FORM.malformed("statement"));
    let report_data = checks.parsed("statement", data, "a payload", PROFILE)?;
    Some(Dice { root: chain.root.digest(), layers, report_data })
}

/// What is wrong with the links of a chain.
fn wrong(chain: &Chain) -> Option<&'static str> {
    let first = chain.certificates.first()?;
    if !first.is_signed_by(&chain.root) {
        return Some("the first is not signed by the board's key");
    }
    let mut links = chain.certificates.iter().zip(chain.certificates.iter().skip(1));
    links.find_map(|(above, below)| match (above.subject == below.issuer, below.is_signed_by(&above.key)) {
        (false, _) => Some("one names another issuer than the layer before"),
        (_, false) => Some("one is not signed by the layer before"),
        _ => None,
    })
}

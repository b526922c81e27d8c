//! Receipts as claims of a CWT.

use alloc::string::String;
use alloc::vec;
use alloc::vec::Vec;
use core::fmt;

use coset::cbor::Value;
use coset::cwt::{ClaimName, ClaimsSet, ClaimsSetBuilder, Timestamp};

use crate::receipt::{LeafChecks, Outcome, Receipt, Sampling, Tokens};

/// Why bytes are no receipt.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ReceiptError {
    /// No COSE_Sign1 with claims.
    Form,
    /// Its signature is none of the key that it names.
    Signature,
    /// A claim is missing or of another form.
    Claim(&'static str),
    /// A claim that is not known, or there twice.
    Unknown,
}

impl fmt::Display for ReceiptError {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Form => out.write_str("receipt: found something else, expected a COSE_Sign1 with a CWT"),
            Self::Signature => {
                out.write_str("receipt: found another signature, expected that of the key it names")
            }
            Self::Claim(name) => write!(out, "receipt: {name}: found none or another form, expected one"),
            Self::Unknown => {
                out.write_str("receipt: found a claim that is unknown or there twice, expected none")
            }
        }
    }
}

impl core::error::Error for ReceiptError {}

/// Numbers of our claims. Spec: RFC 8392 §9.1: below -65536 everybody may have his own.
mod name {
    pub(super) const REQUEST: i64 = -70_001;
    pub(super) const RESPONSE: i64 = -70_002;
    pub(super) const RESPONSE_BYTES: i64 = -70_003;
    pub(super) const OUTCOME: i64 = -70_004;
    pub(super) const MANIFEST: i64 = -70_005;
    pub(super) const WEIGHTS: i64 = -70_006;
    pub(super) const DRAFT: i64 = -70_007;
    pub(super) const ENGINE: i64 = -70_008;
    pub(super) const SAMPLING: i64 = -70_009;
    pub(super) const TOKENS: i64 = -70_010;
    pub(super) const LEAF_CHECKS: i64 = -70_011;
    pub(super) const EVIDENCE: i64 = -70_012;
}

/// The claims of a receipt.
pub(crate) fn of(receipt: &Receipt) -> ClaimsSet {
    let bytes = |bytes: &[u8]| Value::Bytes(bytes.to_vec());
    let issued = i64::try_from(receipt.issued_s).unwrap_or(i64::MAX);
    let mut claims = ClaimsSetBuilder::new()
        .issued_at(Timestamp::WholeSeconds(issued))
        .private_claim(name::REQUEST, bytes(&receipt.request))
        .private_claim(name::RESPONSE, bytes(&receipt.response))
        .private_claim(name::RESPONSE_BYTES, receipt.response_bytes.into())
        .private_claim(name::OUTCOME, receipt.outcome.name().into())
        .private_claim(name::MANIFEST, bytes(&receipt.manifest_digest))
        .private_claim(name::WEIGHTS, bytes(&receipt.weights_root))
        .private_claim(name::ENGINE, receipt.engine.as_str().into())
        .private_claim(name::SAMPLING, sampling(&receipt.sampling))
        .private_claim(name::LEAF_CHECKS, pair(receipt.leaf_checks.during, receipt.leaf_checks.since_start))
        .private_claim(name::EVIDENCE, bytes(&receipt.evidence));
    if let Some(root) = &receipt.draft_root {
        claims = claims.private_claim(name::DRAFT, bytes(root));
    }
    if let Some(tokens) = receipt.tokens {
        claims = claims.private_claim(name::TOKENS, pair(tokens.prompt, tokens.completion));
    }
    claims.build()
}

fn pair(one: u64, other: u64) -> Value {
    Value::Array(vec![one.into(), other.into()])
}

fn sampling(sampling: &Sampling) -> Value {
    let number = |number: f32| Value::Float(f64::from(number));
    let entries = [
        ("temperature", number(sampling.temperature)),
        ("top_k", sampling.top_k.into()),
        ("top_p", number(sampling.top_p)),
        ("min_p", number(sampling.min_p)),
        ("repetition_penalty", number(sampling.repetition_penalty)),
        ("presence_penalty", number(sampling.presence_penalty)),
        ("frequency_penalty", number(sampling.frequency_penalty)),
        ("seed", sampling.seed.into()),
        ("deterministic", sampling.is_deterministic.into()),
    ];
    Value::Map(entries.into_iter().map(|(name, value)| (name.into(), value)).collect())
}

/// The receipt that claims make.
pub(crate) fn read(claims: ClaimsSet) -> Result<Receipt, ReceiptError> {
    let Some(Timestamp::WholeSeconds(issued)) = claims.issued_at else {
        return Err(ReceiptError::Claim("issued at"));
    };
    let mut rest = Rest(claims.rest);
    let outcome = rest.text(name::OUTCOME, "outcome")?;
    let outcome = Outcome::ALL.into_iter().find(|known| known.name() == outcome);
    let (during, since_start) =
        rest.pair(name::LEAF_CHECKS, "leaf checks")?.ok_or(ReceiptError::Claim("leaf checks"))?;
    let tokens = rest.pair(name::TOKENS, "tokens")?;
    let receipt = Receipt {
        issued_s: u64::try_from(issued).map_err(|_| ReceiptError::Claim("issued at"))?,
        request: rest.digest(name::REQUEST, "request")?,
        response: rest.digest(name::RESPONSE, "response")?,
        response_bytes: rest.count(name::RESPONSE_BYTES, "response bytes")?,
        outcome: outcome.ok_or(ReceiptError::Claim("outcome"))?,
        manifest_digest: rest.digest(name::MANIFEST, "manifest digest")?,
        weights_root: rest.digest(name::WEIGHTS, "weights root")?,
        draft_root: rest.has(name::DRAFT).then(|| rest.digest(name::DRAFT, "draft root")).transpose()?,
        engine: rest.text(name::ENGINE, "engine")?,
        sampling: rest.sampling()?,
        tokens: tokens.map(|(prompt, completion)| Tokens { prompt, completion }),
        leaf_checks: LeafChecks { during, since_start },
        evidence: rest.digest(name::EVIDENCE, "evidence")?,
    };
    // Whatever is left was read by nobody.
    if rest.0.is_empty() { Ok(receipt) } else { Err(ReceiptError::Unknown) }
}

/// Claims that were not read yet.
struct Rest(Vec<(ClaimName, Value)>);

impl Rest {
    fn has(&self, number: i64) -> bool {
        self.0.iter().any(|(name, _)| *name == ClaimName::PrivateUse(number))
    }

    fn take(&mut self, number: i64, name: &'static str) -> Result<Value, ReceiptError> {
        let at = self.0.iter().position(|(found, _)| *found == ClaimName::PrivateUse(number));
        at.map(|at| self.0.swap_remove(at).1).ok_or(ReceiptError::Claim(name))
    }

    fn digest<const N: usize>(&mut self, number: i64, name: &'static str) -> Result<[u8; N], ReceiptError> {
        let bytes = self.take(number, name)?.into_bytes().ok().and_then(|bytes| bytes.try_into().ok());
        bytes.ok_or(ReceiptError::Claim(name))
    }

    fn text(&mut self, number: i64, name: &'static str) -> Result<String, ReceiptError> {
        self.take(number, name)?.into_text().map_err(|_| ReceiptError::Claim(name))
    }

    fn count(&mut self, number: i64, name: &'static str) -> Result<u64, ReceiptError> {
        count(&self.take(number, name)?).ok_or(ReceiptError::Claim(name))
    }

    fn pair(&mut self, number: i64, name: &'static str) -> Result<Option<(u64, u64)>, ReceiptError> {
        if !self.has(number) {
            return Ok(None);
        }
        let values = self.take(number, name)?.into_array().unwrap_or_default();
        let counts: Option<Vec<_>> = values.iter().map(count).collect();
        match counts.as_deref() {
            Some([one, other]) => Ok(Some((*one, *other))),
            _ => Err(ReceiptError::Claim(name)),
        }
    }

    fn sampling(&mut self) -> Result<Sampling, ReceiptError> {
        let wrong = || ReceiptError::Claim("sampling");
        let entries = self.take(name::SAMPLING, "sampling")?.into_map().map_err(|_| wrong())?;
        let find = |name: &str| {
            let mut found = entries.iter().filter(|(key, _)| key.as_text() == Some(name));
            found.next().map(|(_, value)| value).ok_or_else(wrong)
        };
        let number = |name: &str| -> Result<f32, ReceiptError> {
            #[expect(clippy::cast_possible_truncation, reason = "it was an f32")]
            find(name)?.as_float().map(|number| number as f32).ok_or_else(wrong)
        };
        let read = Sampling {
            temperature: number("temperature")?,
            top_k: count(find("top_k")?).ok_or_else(wrong)?,
            top_p: number("top_p")?,
            min_p: number("min_p")?,
            repetition_penalty: number("repetition_penalty")?,
            presence_penalty: number("presence_penalty")?,
            frequency_penalty: number("frequency_penalty")?,
            seed: count(find("seed")?).ok_or_else(wrong)?,
            is_deterministic: find("deterministic")?.as_bool().ok_or_else(wrong)?,
        };
        if entries.len() == 9 { Ok(read) } else { Err(wrong()) }
    }
}

fn count(value: &Value) -> Option<u64> {
    value.as_integer().and_then(|number| u64::try_from(number).ok())
}

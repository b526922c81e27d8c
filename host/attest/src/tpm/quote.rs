//! Quotes: a TPM's signature over some of its registers and a nonce.
//!
//! Spec: TCG TPM 2.0 Library part 2 rev 1.59 §10.12 (`TPMS_ATTEST`), part 1 §18.4; signatures RSASSA-PKCS1-v1_5, SHA-256.

use alloc::string::String;
use alloc::vec::Vec;

use rsa::PublicKey;
use rsa::pkcs1v15::{Signature, VerifyingKey};
use rsa::pkcs8::EncodePublicKey as _;
use rsa::signature::Verifier as _;
use serde::Deserialize;
use sha2::{Digest as _, Sha256};
use tpm2_protocol::TpmUnmarshal as _;
use tpm2_protocol::data::{TpmAlgId, TpmSt, TpmsAttest, TpmuAttest};

use crate::bytes::unhex;
use crate::check::Checks;
use crate::malformed::{Form, Malformed};

const FORM: Form = Form("TPM quote");

const LAYOUT: &str = "TPM 2.0 part 2 §10.12";
const KEY: &str = "the attestation key";
/// Registers of a bank.
pub const PCRS: usize = 24;

/// A quote as it comes: proves nothing yet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TpmQuote {
    /// `TPMS_ATTEST`.
    pub message: Vec<u8>,
    /// The signature's number, big endian.
    pub signature: Vec<u8>,
    /// Values of the SHA-256 bank, which the message holds a digest of.
    pub pcrs: [[u8; 32]; PCRS],
    /// Public half of the attestation key, as DER of a `SubjectPublicKeyInfo`; none if something else vouches for it.
    pub key: Option<Vec<u8>>,
}

/// A quote's JSON form; all bytes are lower-case hex.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Json {
    message: String,
    signature: String,
    pcrs: Vec<String>,
    #[serde(default)]
    key: Option<String>,
}

impl TpmQuote {
    /// Reads JSON: `message`, `signature`, the 24 `pcrs` of SHA-256, and perhaps the `key`, as lower-case hex.
    ///
    /// # Errors
    /// The field that is malformed.
    pub fn parse(json: &[u8]) -> Result<Self, Malformed> {
        let json: Json = serde_json::from_slice(json).map_err(|_| FORM.malformed("JSON"))?;
        let pcrs: Option<Vec<[u8; 32]>> = json.pcrs.iter().map(|pcr| unhex(pcr)?.try_into().ok()).collect();
        let key = json.key.map(|key| unhex(&key).ok_or(FORM.malformed("key"))).transpose()?;
        Ok(Self {
            message: unhex(&json.message).ok_or(FORM.malformed("message"))?,
            signature: unhex(&json.signature).ok_or(FORM.malformed("signature"))?,
            pcrs: pcrs.and_then(|pcrs| pcrs.try_into().ok()).ok_or(FORM.malformed("pcrs"))?,
            key,
        })
    }
}

/// What a TPM signed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Quoted {
    /// What its requester bound.
    pub nonce: Vec<u8>,
    /// The SHA-256 bank; all of it is quoted.
    pub pcrs: [[u8; 32]; PCRS],
    /// SHA-256 of the attestation key's `SubjectPublicKeyInfo`.
    pub key: [u8; 32],
}

impl Quoted {
    /// The registers by their numbers.
    pub(crate) fn registers(&self) -> Vec<Option<&[u8]>> {
        self.pcrs.iter().map(|pcr| Some(pcr.as_slice())).collect()
    }
}

/// Checks a quote by a key.
pub(crate) fn verify(quote: &TpmQuote, key: &PublicKey, checks: &mut Checks) -> Option<Quoted> {
    let attest = checks.parsed(
        "TPM quote",
        parse(&quote.message),
        "TPMS_ATTEST of a quote, and nothing more",
        LAYOUT,
    )?;
    let signature = Signature::try_from(quote.signature.as_slice());
    let verifier = VerifyingKey::<Sha256>::new(key.clone());
    let is_right = signature.is_ok_and(|signature| verifier.verify(&quote.message, &signature).is_ok());
    let found = if is_right { "verifies" } else { "does not verify" };
    checks.holds(
        "TPM quote signature",
        is_right,
        found,
        "RSASSA with SHA-256 by the attestation key",
        KEY,
    )?;
    let is_whole = selects_all(&attest);
    let found = if is_whole { "all of SHA-256" } else { "some, or of another bank" };
    checks.holds("quoted registers", is_whole, found, "all of SHA-256", LAYOUT)?;
    let TpmuAttest::Quote(quoted) = &attest.attested else { return None };
    checks.same("register values", &Sha256::digest(quote.pcrs.concat()), &quoted.pcr_digest, "the quote")?;
    let encoded = key.to_public_key_der().ok()?;
    let key = Sha256::digest(encoded.as_bytes()).into();
    Some(Quoted { nonce: attest.extra_data.to_vec(), pcrs: quote.pcrs, key })
}

fn parse(message: &[u8]) -> Result<TpmsAttest, &'static str> {
    let (attest, rest) = TpmsAttest::unmarshal(message).map_err(|_| "malformed")?;
    match (attest.attest_type, rest) {
        (TpmSt::AttestQuote, []) => Ok(attest),
        (TpmSt::AttestQuote, _) => Err("bytes after it"),
        _ => Err("another statement of a TPM"),
    }
}

/// Whether it quotes one bank, SHA-256, and all registers of it: what is not quoted could be anything.
fn selects_all(attest: &TpmsAttest) -> bool {
    let TpmuAttest::Quote(quoted) = &attest.attested else { return false };
    match quoted.pcr_select.as_ref() {
        [only] => only.hash == TpmAlgId::Sha256 && *only.pcr_select == [0xFF; PCRS / 8],
        _ => false,
    }
}

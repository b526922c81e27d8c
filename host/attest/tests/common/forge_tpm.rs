//! A TPM of our own, with logs, and a paravisor that has one.

use base64ct::{Base64UrlUnpadded, Encoding as _};
use rsa::traits::PublicKeyParts as _;
use sha2::{Digest as _, Sha256, Sha384};
use vial_attest::snp::Product;
use vial_attest::tpm::{PCRS, TpmQuote};
use vial_attest::{AZURE, Attached, Statement, TPM};

use super::forge::{Hand, certificate, endorsement, public, public_key, report, sign, sign_as_tpm};

/// What the quote binds.
pub(crate) const NONCE: &[u8] = b"a nonce of somebody's";
/// The quote's selection: one bank, SHA-256, three bytes of ones.
pub(crate) const ALL: &[u8] = &[0, 0, 0, 1, 0, 0x0B, 3, 0xFF, 0xFF, 0xFF];

/// One event of a log: register, kind, and what was measured.
pub(crate) type Event = (u32, u32, &'static [u8]);
pub(crate) const EVENTS: [Event; 4] =
    [(0, 8, b"firmware 1"), (4, 0x8000_0003, b"loader"), (4, 4, &[0; 4]), (11, 13, b"kernel")];
/// Told, and not measured.
const NO_ACTION: u32 = 3;

/// The first event of a log with SHA-256 and SHA-384.
pub(crate) fn log_head() -> Vec<u8> {
    let spec = [
        &b"Spec ID Event03\0"[..],
        &[0; 4],
        &[0, 2, 0, 2],
        &[2, 0, 0, 0],
        &[0x0B, 0, 32, 0, 0x0C, 0, 48, 0],
        &[0],
    ]
    .concat();
    [&[0; 4][..], &NO_ACTION.to_le_bytes(), &[0; 20], &length(&spec), &spec].concat()
}

fn length(bytes: &[u8]) -> [u8; 4] {
    u32::try_from(bytes.len()).unwrap().to_le_bytes()
}

pub(crate) fn log_event((register, kind, data): Event) -> Vec<u8> {
    let digests = [&[0x0B, 0][..], &Sha256::digest(data), &[0x0C, 0], &Sha384::digest(data)].concat();
    let head = [register.to_le_bytes(), kind.to_le_bytes(), [2, 0, 0, 0]].concat();
    [head, digests, length(data).to_vec(), data.to_vec()].concat()
}

pub(crate) fn log(events: &[Event]) -> Vec<u8> {
    [log_head(), events.iter().map(|event| log_event(*event)).collect::<Vec<_>>().concat()].concat()
}

/// Registers of SHA-256 after these events.
pub(crate) fn registers(events: &[Event]) -> [[u8; 32]; PCRS] {
    let mut all = [[0; 32]; PCRS];
    for (register, _, data) in events.iter().filter(|(_, kind, _)| *kind != NO_ACTION) {
        let pcr = &mut all[usize::try_from(*register).unwrap()];
        *pcr = Sha256::new().chain_update(*pcr).chain_update(Sha256::digest(data)).finalize().into();
    }
    all
}

/// `TPMS_ATTEST` of a quote.
pub(crate) fn message(selection: &[u8], pcrs: &[[u8; 32]; PCRS]) -> Vec<u8> {
    let counted = |bytes: &[u8]| [&u16::try_from(bytes.len()).unwrap().to_be_bytes(), bytes].concat();
    let digest = Sha256::digest(pcrs.concat());
    [
        &[0xFF, 0x54, 0x43, 0x47, 0x80, 0x18],
        &counted(&[7; 34])[..],
        &counted(NONCE),
        &[0; 17],
        &[0; 8],
        selection,
        &counted(&digest),
    ]
    .concat()
}

/// A quote, signed as it stands.
pub(crate) fn quote(message: Vec<u8>, pcrs: [[u8; 32]; PCRS], hand: Hand) -> TpmQuote {
    let signature = sign_as_tpm(&message, hand);
    TpmQuote { message, signature, pcrs, key: Some(public(hand)) }
}

/// A machine with nothing but a TPM, and its log.
pub(crate) fn tpm() -> Statement {
    let pcrs = registers(&EVENTS);
    let attached = Attached {
        tpm: Some(quote(message(ALL, &pcrs), pcrs, Hand::Root)),
        event_log: Some(log(&EVENTS)),
        td_quote: None,
    };
    Statement { tee: TPM.to_owned(), report: Vec::new(), certificates: Vec::new(), attached }
}

/// What Azure's paravisor says, with the TPM's key in it.
pub(crate) fn runtime(hand: Hand) -> String {
    let key = public_key(hand);
    let text = |bytes: &[u8]| Base64UrlUnpadded::encode_string(bytes);
    let (n, e) = (text(&key.n().to_be_bytes()), text(&[1, 0, 1]));
    format!(
        r#"{{"keys":[{{"kid":"HCLAkPub","key_ops":["sign"],"kty":"RSA","e":"{e}","n":"{n}"}}],"vm-configuration":{{"console-enabled":false,"secure-boot":true,"tpm-enabled":true}},"user-data":""}}"#
    )
}

/// The paravisor's report around an SNP report that binds `bound`.
pub(crate) fn hcl(runtime: &str, bound: &[u8]) -> Vec<u8> {
    let mut report = report(Product::Genoa, 3, false);
    report[0x50..0x50 + bound.len()].copy_from_slice(bound);
    let size = u32::try_from(runtime.len()).unwrap();
    let numbers =
        |numbers: &[u32]| numbers.iter().flat_map(|number| number.to_le_bytes()).collect::<Vec<_>>();
    let head = numbers(&[2, 32 + 1184 + 20 + size, 2, 0, 0, 0, 0]);
    let middle = numbers(&[20 + size, 1, 2, 1, size]);
    let mut all = [b"HCLA".to_vec(), head, sign(report), middle, runtime.as_bytes().to_vec()].concat();
    all.resize(2600, 0);
    all
}

/// A whole machine of Azure's.
pub(crate) fn azure() -> Statement {
    let runtime = runtime(Hand::Root);
    let report = hcl(&runtime, &Sha256::digest(&runtime));
    let certificates = vec![certificate(&endorsement(Product::Genoa, false), Hand::Issuer)];
    Statement { tee: AZURE.to_owned(), report, certificates, attached: tpm().attached }
}

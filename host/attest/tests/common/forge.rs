//! A maker of processors of our own, to sign what no genuine one would. DER is written by hand, apart from what reads it.

use p384::ecdsa::signature::Signer as _;
use p384::ecdsa::{Signature, SigningKey};
use rsa::pkcs8::{DecodePrivateKey as _, EncodePublicKey as _};
use rsa::pss::SigningKey as RsaKey;
use rsa::signature::SignatureEncoding as _;
use sha2::Sha384;
use vial_attest::snp::{Product, Roots};

/// RSASSA-PSS with SHA-384, without the default trailer.
const PSS: &[u8] = &[
    0x30, 0x41, 0x06, 0x09, 0x2A, 0x86, 0x48, 0x86, 0xF7, 0x0D, 0x01, 0x01, 0x0A, 0x30, 0x34, 0xA0, 0x0F,
    0x30, 0x0D, 0x06, 0x09, 0x60, 0x86, 0x48, 0x01, 0x65, 0x03, 0x04, 0x02, 0x02, 0x05, 0x00, 0xA1, 0x1C,
    0x30, 0x1A, 0x06, 0x09, 0x2A, 0x86, 0x48, 0x86, 0xF7, 0x0D, 0x01, 0x01, 0x08, 0x30, 0x0D, 0x06, 0x09,
    0x60, 0x86, 0x48, 0x01, 0x65, 0x03, 0x04, 0x02, 0x02, 0x05, 0x00, 0xA2, 0x03, 0x02, 0x01, 0x30,
];
/// id-ecPublicKey and secp384r1.
const P384: &[u8] = &[
    0x30, 0x10, 0x06, 0x07, 0x2A, 0x86, 0x48, 0xCE, 0x3D, 0x02, 0x01, 0x06, 0x05, 0x2B, 0x81, 0x04, 0x00,
    0x22,
];
/// Below which everything stands that AMD adds.
const AMD: &[u8] = &[0x2B, 0x06, 0x01, 0x04, 0x01, 0x9C, 0x78, 0x01];

/// Serial number of the issuer, as AMD's.
pub(crate) const ISSUER_SERIAL: &[u8] = &[0x01, 0x00, 0x01];
/// Names of root and issuer.
pub(crate) const ROOT: &str = "ARK-Test";
pub(crate) const ISSUER: &str = "SEV-Test";

/// Whose key signs.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Hand {
    Root,
    Issuer,
}

/// One element.
pub(crate) fn tlv(tag: u8, content: &[u8]) -> Vec<u8> {
    let len = u16::try_from(content.len()).unwrap().to_be_bytes();
    let head = match len {
        [0, short] if short < 0x80 => vec![tag, short],
        [0, long] => vec![tag, 0x81, long],
        [high, low] => vec![tag, 0x82, high, low],
    };
    [&head, content].concat()
}

fn sequence(parts: &[&[u8]]) -> Vec<u8> {
    tlv(0x30, &parts.concat())
}

fn name(common: &str) -> Vec<u8> {
    let attribute = sequence(&[&[0x06, 0x03, 0x55, 0x04, 0x03], &tlv(0x0C, common.as_bytes())]);
    sequence(&[&tlv(0x31, &attribute)])
}

/// A span of `UTCTime`.
pub(crate) type Span = (&'static str, &'static str);
/// 2024 to 2030; see [`NOW`].
pub(crate) const VALID: Span = ("240101000000Z", "300101000000Z");
/// 2025-06-01.
pub(crate) const NOW: u64 = 1_748_736_000;

fn time(text: &str) -> Vec<u8> {
    tlv(0x17, text.as_bytes())
}

fn private(hand: Hand) -> rsa::PrivateKey {
    let pem = match hand {
        Hand::Root => include_str!("../data/test-root-key.pem"),
        Hand::Issuer => include_str!("../data/test-issuer-key.pem"),
    };
    let (_, der) = der::pem::decode_vec(pem.as_bytes()).unwrap();
    rsa::PrivateKey::from_pkcs8_der(&der).unwrap()
}

pub(crate) fn public_key(hand: Hand) -> rsa::PublicKey {
    rsa::PublicKey::from(&private(hand))
}

pub(crate) fn public(hand: Hand) -> Vec<u8> {
    public_key(hand).to_public_key_der().unwrap().as_bytes().to_vec()
}

fn signed(content: &[u8], hand: Hand) -> Vec<u8> {
    let signature = RsaKey::<Sha384>::new(private(hand)).sign(content).to_vec();
    sequence(&[content, PSS, &tlv(0x03, &[&[0], signature.as_slice()].concat())])
}

/// RSASSA-PKCS1-v1_5 with SHA-256, as TPMs sign.
pub(crate) fn sign_as_tpm(content: &[u8], hand: Hand) -> Vec<u8> {
    rsa::pkcs1v15::SigningKey::<sha2::Sha256>::new(private(hand)).sign(content).to_vec()
}

/// What a certificate says.
pub(crate) struct Content<'a> {
    pub(crate) serial: &'a [u8],
    pub(crate) issuer: &'a str,
    pub(crate) subject: &'a str,
    pub(crate) span: Span,
    pub(crate) key: Vec<u8>,
    pub(crate) extensions: Vec<Vec<u8>>,
}

pub(crate) fn certificate(content: &Content<'_>, hand: Hand) -> Vec<u8> {
    let extensions = match content.extensions.concat() {
        none if none.is_empty() => Vec::new(),
        some => tlv(0xA3, &tlv(0x30, &some)),
    };
    let validity = sequence(&[&time(content.span.0), &time(content.span.1)]);
    let inner = sequence(&[
        &[0xA0, 0x03, 0x02, 0x01, 0x02],
        &tlv(0x02, content.serial),
        PSS,
        &name(content.issuer),
        &validity,
        &name(content.subject),
        &content.key,
        &extensions,
    ]);
    signed(&inner, hand)
}

/// Root and issuer as PEM.
pub(crate) fn chain() -> String {
    let root = Content { key: public(Hand::Root), ..of_root() };
    let issuer = Content { serial: ISSUER_SERIAL, subject: ISSUER, key: public(Hand::Issuer), ..of_root() };
    pem(&certificate(&root, Hand::Root)) + &pem(&certificate(&issuer, Hand::Root))
}

fn of_root() -> Content<'static> {
    Content {
        serial: &[1],
        issuer: ROOT,
        subject: ROOT,
        span: VALID,
        key: Vec::new(),
        extensions: Vec::new(),
    }
}

pub(crate) fn pem(der: &[u8]) -> String {
    der::pem::encode_string("CERTIFICATE", der::pem::LineEnding::LF, der).unwrap()
}

pub(crate) fn roots(product: Product) -> Roots {
    let mut roots = Roots::none();
    roots.add(product, &chain()).unwrap();
    roots
}

/// An extension of AMD's: its number below AMD's, and what it holds.
pub(crate) fn extension(oid: &[u8], value: &[u8]) -> Vec<u8> {
    sequence(&[&tlv(0x06, &[AMD, oid].concat()), &tlv(0x04, value)])
}

/// Identity of our chip.
pub(crate) const CHIP: [u8; 64] = [0xC5; 64];

/// Extensions of the product's VCEK, or VLEK, in their order.
pub(crate) fn extensions(product: Product, is_cloud: bool) -> Vec<Vec<u8>> {
    let number = |oid: &[u8], value: u8| extension(oid, &tlv(0x02, &[value]));
    let mut all = vec![
        extension(&[2], &tlv(0x16, format!("{product}-B0").as_bytes())),
        number(&[3, 1], 4),
        number(&[3, 2], 1),
        number(&[3, 3], 22),
        number(&[3, 8], 72),
    ];
    all.push(match (is_cloud, product) {
        (true, _) => extension(&[5], &tlv(0x16, b"CN=cloud")),
        (false, Product::Turin) => extension(&[4], &CHIP[..8]),
        (false, _) => extension(&[4], &CHIP),
    });
    if product == Product::Turin {
        all.push(number(&[3, 9], 2));
    }
    all
}

fn chip() -> SigningKey {
    SigningKey::from_slice(&[7; 48]).unwrap()
}

/// The certificate of our chip's key.
pub(crate) fn endorsement(product: Product, is_cloud: bool) -> Content<'static> {
    let point = chip().verifying_key().to_sec1_point(false);
    let key = sequence(&[P384, &tlv(0x03, &[&[0], point.as_bytes()].concat())]);
    let subject = if is_cloud { "SEV-VLEK" } else { "SEV-VCEK" };
    let extensions = extensions(product, is_cloud);
    Content { serial: &[0], issuer: ISSUER, subject, span: VALID, key, extensions }
}

/// Versions as [`extensions`] say them, as they lie in a report.
pub(crate) fn versions(product: Product) -> [u8; 8] {
    if product == Product::Turin { [2, 4, 1, 22, 0, 0, 0, 72] } else { [4, 1, 0, 0, 0, 0, 22, 72] }
}

/// Family, model, stepping.
pub(crate) fn cpuid(product: Product) -> [u8; 3] {
    match product {
        Product::Milan => [0x19, 0x01, 1],
        Product::Genoa => [0x19, 0xA0, 2],
        Product::Turin => [0x1A, 0x02, 1],
    }
}

/// A report of our chip, not yet signed.
pub(crate) fn report(product: Product, version: u8, is_cloud: bool) -> Vec<u8> {
    let mut bytes = vec![0; 0x4A0];
    let chip = match (is_cloud, product) {
        (true, _) => vec![0; 64],
        (false, Product::Turin) => [&CHIP[..8], &[0; 56]].concat(),
        (false, _) => CHIP.to_vec(),
    };
    let cpuid = if version > 2 { cpuid(product) } else { [0; 3] };
    let versions = versions(product);
    let fields: [(usize, &[u8]); 11] = [
        (0x00, &[version]),
        (0x0A, &[3]),
        (0x34, &[1]),
        (0x38, &versions),
        (0x40, &[0x25]),
        (0x48, &[if is_cloud { 4 } else { 0 }]),
        (0x180, &versions),
        (0x188, &cpuid),
        (0x1A0, &chip),
        (0x1E0, &versions),
        (0x1F0, &versions),
    ];
    for (at, field) in fields {
        bytes[at..at + field.len()].copy_from_slice(field);
    }
    bytes
}

/// Signs a report as it stands.
pub(crate) fn sign(mut report: Vec<u8>) -> Vec<u8> {
    let signature: Signature = chip().sign(&report[..0x2A0]);
    let numbers = signature.to_bytes();
    for (at, number) in [(0x2A0, &numbers[..48]), (0x2E8, &numbers[48..])] {
        for (to, from) in report[at..].iter_mut().zip(number.iter().rev()) {
            *to = *from;
        }
    }
    report
}

/// A revocation list: who it says issued it, who signed, when it is valid, and serial numbers.
pub(crate) fn revocation_list(
    issuer: &str,
    hand: Hand,
    this: &str,
    next: Option<&str>,
    serials: &[&[u8]],
) -> Vec<u8> {
    let entries = serials.iter().map(|serial| sequence(&[&tlv(0x02, serial), &time(VALID.0)]));
    let entries = entries.collect::<Vec<_>>().concat();
    let revoked = if entries.is_empty() { Vec::new() } else { tlv(0x30, &entries) };
    let next = next.map(time).unwrap_or_default();
    let inner = sequence(&[&[0x02, 0x01, 0x01], PSS, &name(issuer), &time(this), &next, &revoked]);
    signed(&inner, hand)
}

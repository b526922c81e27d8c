//! Boards with DICE: a chain of our own, with one thing wrong each, and links that Google signed.
#![expect(clippy::tests_outside_test_module, reason = "an integration test is one")]
#![expect(clippy::unwrap_used, reason = "a test")]

mod common;

use common::{open_but, other_than, recorded, refusal};
use coset::cbor::Value;
use coset::cwt::ClaimsSetBuilder;
use coset::iana::{Algorithm, EllipticCurve, EnumI64 as _, OkpKeyParameter};
use coset::{CborSerializable as _, CoseKeyBuilder, CoseSign1Builder, HeaderBuilder};
use ed25519_dalek::Signer as _;
use sha2::{Digest as _, Sha256};
use vial_attest::dice::{Certificate, Key};
use vial_attest::policy::Field;
use vial_attest::snp::Roots;
use vial_attest::{Assurance, DICE, PolicyFile, Statement, Trust, Verdict, appraise};

/// Keys of the board and of its layers: one of each algorithm.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Hand {
    Board,
    Loader,
    Firmware,
    Stranger,
}

const LAYERS: [Hand; 3] = [Hand::Board, Hand::Loader, Hand::Firmware];

impl Hand {
    fn edwards(self) -> ed25519_dalek::SigningKey {
        ed25519_dalek::SigningKey::from_bytes(&[if self == Self::Board { 1 } else { 9 }; 32])
    }

    fn sign(self, message: &[u8]) -> Vec<u8> {
        match self {
            Self::Board | Self::Stranger => self.edwards().sign(message).to_bytes().to_vec(),
            Self::Loader => {
                let signature: p384::ecdsa::Signature = loader().sign(message);
                signature.to_bytes().to_vec()
            }
            Self::Firmware => {
                let signature: p256::ecdsa::Signature = firmware().sign(message);
                signature.to_bytes().to_vec()
            }
        }
    }

    fn algorithm(self) -> Algorithm {
        match self {
            Self::Board | Self::Stranger => Algorithm::EdDSA,
            Self::Loader => Algorithm::ES384,
            Self::Firmware => Algorithm::ES256,
        }
    }

    fn key(self) -> Vec<u8> {
        let of_point = |curve, point: &[u8]| {
            let (x, y) = point[1..].split_at(point.len() / 2);
            CoseKeyBuilder::new_ec2_pub_key(curve, x.to_vec(), y.to_vec())
        };
        let builder = match self {
            Self::Board | Self::Stranger => CoseKeyBuilder::new_okp_key()
                .param(OkpKeyParameter::Crv.to_i64(), Value::from(EllipticCurve::Ed25519.to_i64()))
                .param(
                    OkpKeyParameter::X.to_i64(),
                    Value::Bytes(self.edwards().verifying_key().to_bytes().to_vec()),
                ),
            Self::Loader => {
                of_point(EllipticCurve::P_384, loader().verifying_key().to_sec1_point(false).as_bytes())
            }
            Self::Firmware => {
                of_point(EllipticCurve::P_256, firmware().verifying_key().to_sec1_point(false).as_bytes())
            }
        };
        builder.algorithm(self.algorithm()).build().to_vec().unwrap()
    }
}

fn loader() -> p384::ecdsa::SigningKey {
    p384::ecdsa::SigningKey::from_slice(&[5; 48]).unwrap()
}

fn firmware() -> p256::ecdsa::SigningKey {
    p256::ecdsa::SigningKey::from_slice(&[6; 32]).unwrap()
}

/// Claims of the profile: number and value.
type Claim = (i64, Value);
const CODE: i64 = -4_670_545;
const CONFIGURATION: i64 = -4_670_547;
const AUTHORITY: i64 = -4_670_549;
const MODE: i64 = -4_670_551;
const KEY: i64 = -4_670_552;
const USAGE: i64 = -4_670_553;

/// What a certificate says of the layer at `at`, 1 or 2.
fn claims(at: usize) -> Vec<Claim> {
    let hash = |fill: usize| Value::Bytes(vec![u8::try_from(fill).unwrap(); 64]);
    vec![
        (CODE, hash(10 * at)),
        (CONFIGURATION, hash(10 * at + 1)),
        (AUTHORITY, hash(10 * at + 2)),
        (MODE, Value::Bytes(vec![1])),
        (KEY, Value::Bytes(LAYERS[at].key())),
        (USAGE, Value::Bytes(vec![0x20])),
    ]
}

fn certificate(issuer: &str, subject: &str, claims: &[Claim], hand: Hand) -> Vec<u8> {
    let mut set = ClaimsSetBuilder::new().issuer(issuer.to_owned()).subject(subject.to_owned());
    for (claim, value) in claims {
        set = set.private_claim(*claim, value.clone());
    }
    signed(set.build().to_vec().unwrap(), hand, hand.algorithm())
}

fn signed(payload: Vec<u8>, hand: Hand, algorithm: Algorithm) -> Vec<u8> {
    let header = HeaderBuilder::new().algorithm(algorithm).build();
    let builder = CoseSign1Builder::new().protected(header).payload(payload);
    builder.create_signature(&[], |message| hand.sign(message)).build().to_vec().unwrap()
}

const DATA: &[u8] = &[0xDA; 64];

/// Key, two certificates and a statement.
fn parts() -> Vec<Vec<u8>> {
    vec![
        Hand::Board.key(),
        certificate("board", "loader", &claims(1), Hand::Board),
        certificate("loader", "firmware", &claims(2), Hand::Loader),
        signed(DATA.to_vec(), Hand::Firmware, Algorithm::ES256),
    ]
}

fn chain(parts: &[Vec<u8>]) -> Vec<u8> {
    Value::Array(parts.iter().cloned().map(Value::Bytes).collect()).to_vec().unwrap()
}

fn verdict(report: Vec<u8>, file: PolicyFile, data: Option<&[u8]>) -> Verdict {
    let statement =
        Statement { tee: DICE.to_owned(), report, certificates: Vec::new(), attached: Default::default() };
    let amd = Roots::none();
    let trust = Trust { now: 0, amd: &amd, amd_revocation_lists: &[], intel: None };
    appraise(&statement, &file.complete().unwrap(), data, &trust)
}

/// A policy that vouches for our board, and states this.
fn vouched(stated: &[(&str, &str)]) -> PolicyFile {
    let root: String = Sha256::digest(Hand::Board.key()).iter().map(|byte| format!("{byte:02x}")).collect();
    open_but(&[&[("dice.root", root.as_str())], stated].concat())
}

/// The check that refuses these parts, and what was found.
fn refused(parts: &[Vec<u8>]) -> (&'static str, String) {
    let verdict = verdict(chain(parts), vouched(&[]), None);
    let check = refusal(&verdict);
    (check.name, check.found.clone())
}

fn with(at: usize, part: Vec<u8>) -> Vec<Vec<u8>> {
    let mut parts = parts();
    parts[at] = part;
    parts
}

#[test]
fn a_board_is_accepted_where_the_policy_vouches_for_its_key() {
    let accepted = verdict(chain(&parts()), vouched(&[]), Some(DATA));
    assert!(accepted.accepted, "{:?}", accepted.checks);
    assert_eq!(accepted.assurance, Some(Assurance::MeasuredBoot));
    assert_eq!(
        refusal(&verdict(chain(&parts()), open_but(&[]), None)).name,
        "who vouches for the board's key"
    );
    let other = open_but(&[("dice.root", "00".repeat(32).as_str())]);
    assert_eq!(refusal(&verdict(chain(&parts()), other, None)).name, "dice.root");
    assert_eq!(refusal(&verdict(chain(&parts()), vouched(&[]), Some(&[0; 64]))).name, "report data");
}

#[test]
fn what_a_policy_states_of_the_last_layer_has_a_refusing_twin() {
    for (name, value) in [
        ("dice.code", "14".repeat(64)),
        ("dice.configuration", "15".repeat(64)),
        ("dice.authority", "16".repeat(64)),
        ("dice.mode", "normal".to_owned()),
    ] {
        assert!(verdict(chain(&parts()), vouched(&[(name, &value)]), None).accepted, "{name}");
        let other = other_than(Field::of(name).unwrap().kind, &value).unwrap();
        assert_eq!(refusal(&verdict(chain(&parts()), vouched(&[(name, &other)]), None)).name, name);
    }
}

#[test]
fn a_layer_that_is_not_normal_is_refused_wherever_it_is() {
    for (mode, name) in [(0, "not-configured"), (2, "debug"), (3, "recovery")] {
        for at in [1, 2] {
            let mut claims = claims(at);
            claims[3].1 = Value::Bytes(vec![mode]);
            let (issuer, subject) = [("board", "loader"), ("loader", "firmware")][at - 1];
            let parts = with(at, certificate(issuer, subject, &claims, LAYERS[at - 1]));
            let verdict = verdict(chain(&parts), vouched(&[("dice.mode", "normal")]), None);
            let check = refusal(&verdict);
            assert_eq!((check.name, check.found.as_str()), ("dice.mode", name));
        }
    }
}

#[test]
fn links_of_a_chain_that_do_not_hold_are_refused() {
    let links = |what: &str| ("layers", what.to_owned());
    let stranger = |issuer, subject, at| certificate(issuer, subject, &claims(at), Hand::Stranger);
    let board = "the first is not signed by the board's key";
    assert_eq!(refused(&with(1, stranger("board", "loader", 1))), links(board));
    assert_eq!(refused(&with(0, Hand::Stranger.key())), links(board));
    assert_eq!(
        refused(&with(2, stranger("loader", "firmware", 2))),
        links("one is not signed by the layer before")
    );
    let other = certificate("another", "firmware", &claims(2), Hand::Loader);
    assert_eq!(refused(&with(2, other)), links("one names another issuer than the layer before"));
    let (mut without, mut twice) = (parts(), parts());
    without.remove(1);
    assert_eq!(refused(&without), links(board));
    twice.insert(1, twice[1].clone());
    assert_eq!(refused(&twice), links("one names another issuer than the layer before"));
    let by_other = signed(DATA.to_vec(), Hand::Loader, Algorithm::ES384);
    assert_eq!(refused(&with(3, by_other)).0, "statement signature");
    // The right signature under the name of another algorithm.
    let mislabeled = signed(DATA.to_vec(), Hand::Firmware, Algorithm::ES384);
    assert_eq!(refused(&with(3, mislabeled)).0, "statement signature");
}

#[test]
fn every_signed_byte_of_a_chain_is_covered() {
    let whole = chain(&parts());
    for at in (0..whole.len()).step_by(3) {
        let mut changed = whole.clone();
        changed[at] ^= 1;
        let verdict = verdict(changed, vouched(&[]), Some(DATA));
        assert!(!verdict.accepted, "byte {at}");
    }
}

#[test]
fn claims_that_are_missing_or_malformed_are_refused_by_name() {
    let malformed = |field: &str| format!("DICE {field}: not what the layout says");
    let found = |change: &dyn Fn(&mut Vec<Claim>)| {
        let mut claims = claims(2);
        change(&mut claims);
        refused(&with(2, certificate("loader", "firmware", &claims, Hand::Loader))).1
    };
    let fields = ["code hash", "configuration hash", "authority hash", "mode", "subject's key", "key usage"];
    for (at, field) in fields.into_iter().enumerate() {
        let missing = found(&|claims| drop(claims.remove(at)));
        assert_eq!(missing, malformed(field));
        let text = found(&|claims| claims[at].1 = Value::Text("text".to_owned()));
        assert_eq!(text, malformed(field));
    }
    assert_eq!(found(&|claims| claims[0].1 = Value::Bytes(vec![1; 32])), malformed("code hash"));
    assert_eq!(found(&|claims| claims[3].1 = Value::Bytes(vec![4])), malformed("mode"));
    assert_eq!(found(&|claims| claims[3].1 = Value::Bytes(vec![1, 0])), malformed("mode"));
    assert_eq!(found(&|claims| claims[4].1 = Value::Bytes(vec![0xA0])), malformed("key"));
    assert_eq!(found(&|claims| claims[5].1 = Value::Bytes(vec![0x60])), malformed("key usage"));
    assert_eq!(found(&|claims| claims.push(claims[0].clone())), malformed("claims"), "twice");
}

#[test]
fn chains_of_another_form_are_refused() {
    let found = |report: Vec<u8>| refusal(&verdict(report, vouched(&[]), None)).found.clone();
    let malformed = "DICE chain: not what the layout says";
    assert_eq!(found(Vec::new()), malformed);
    assert_eq!(found([chain(&parts()), vec![0]].concat()), malformed);
    assert_eq!(found(chain(&parts()[..2])), malformed);
    assert_eq!(found(chain(&vec![parts()[0].clone(); 19])), malformed, "too many layers");
    let mixed =
        Value::Array(vec![Value::Bytes(parts()[0].clone()), Value::Null, Value::Bytes(parts()[3].clone())]);
    assert_eq!(found(mixed.to_vec().unwrap()), malformed);
    assert_eq!(found(chain(&with(3, vec![1]))), "DICE statement: not what the layout says");
    assert_eq!(found(chain(&with(1, vec![1]))), "DICE certificate: not what the layout says");
}

#[test]
fn links_that_google_signed_hold_under_their_keys_alone() {
    let Some(evidence) = recorded("snp/turin-oak/evidence.binarypb") else { return };
    // `root_layer.eca_public_key`, and `layers.eca_certificate`, by their lengths in the protobuf.
    let at = |needle: &[u8]| evidence.windows(needle.len()).position(|window| window == needle).unwrap();
    let root = at(&[0x1A, 102, 0xA7]) + 2;
    let mut key = Key::parse(&evidence[root..root + 102]).unwrap();
    let board = key.clone();
    let starts = evidence
        .windows(8)
        .enumerate()
        .filter(|(_, window)| *window == [0x0A, 0xD7, 0x02, 0x84, 0x43, 0xA1, 1, 0x26]);
    let certificates: Vec<_> =
        starts.map(|(at, _)| Certificate::parse(&evidence[at + 3..at + 3 + 343]).unwrap()).collect();
    assert_eq!(certificates.len(), 3);
    for certificate in certificates {
        assert!(certificate.is_signed_by(&key));
        assert!(key == board || !certificate.is_signed_by(&board));
        assert_eq!(certificate.layer().unwrap_err().field, "code hash", "Oak has claims of its own");
        key = certificate.key;
    }
}

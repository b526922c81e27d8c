//! ID blocks: their bytes, and their signatures by openssl.

use std::process::{Command, Stdio};
use tempfile::TempDir;
use vial_kvm::{IdBlock, Identity, Launch, OwnerKey, Policy};

use crate::appliance::{launch, memory, plan, start};
use crate::kernel::under;
use crate::script::{Call, Script};
use crate::wire::{u32_at, u64_at};

fn openssl(arguments: &[&str], folder: &TempDir) -> Vec<u8> {
    let mut command = Command::new("openssl");
    let output = command.args(arguments).current_dir(folder.path()).stdin(Stdio::null()).output().unwrap();
    assert!(output.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
    output.stdout
}

fn block() -> IdBlock {
    let (family_id, image_id) = (*b"family of images", *b"name of an image");
    IdBlock { digest: plan().digest(), family_id, image_id, svn: 3, policy: Policy::STRICT.with_smt() }
}

/// What the secure processor gets to see at the end.
fn finish(identity: &Identity) -> Call {
    let (memory, plan) = (memory(), plan());
    let with = Launch { identity: Some(identity), ..launch(&plan) };
    let (started, record) = under(Script::default(), || start(&memory, &with).map(drop));
    started.unwrap();
    record.of("SEV 102").next().unwrap().clone()
}

/// DER of a public key from its form at the secure processor: a curve, then two numbers of 72 bytes from the least on.
fn public_der(key: &[u8]) -> Vec<u8> {
    assert_eq!((key.len(), u32_at(key, 0)), (1028, 2));
    assert!(key[148..].iter().all(|byte| *byte == 0), "reserved");
    let head =
        b"\x30\x76\x30\x10\x06\x07\x2a\x86\x48\xce\x3d\x02\x01\x06\x05\x2b\x81\x04\x00\x22\x03\x62\x00\x04";
    [&head[..], &number(&key[4..76]), &number(&key[76..148])].concat()
}

fn signature_der(signature: &[u8]) -> Vec<u8> {
    assert!(signature.len() == 512 && signature[144..].iter().all(|byte| *byte == 0), "reserved");
    let integer = |number: Vec<u8>| [&[2, 49, 0][..], &number].concat();
    // A leading zero of a number that does not need it is refused, so it is stripped.
    let strip = |integer: Vec<u8>| {
        let digits: Vec<u8> = integer[2..].iter().copied().skip_while(|byte| *byte == 0).collect();
        let sign: &[u8] = if digits[0] > 127 { &[0] } else { &[] };
        let body = [sign, &digits].concat();
        [&[2, u8::try_from(body.len()).unwrap()][..], &body].concat()
    };
    let body = [&signature[..72], &signature[72..144]].map(|half| strip(integer(number(half)))).concat();
    [&[0x30, u8::try_from(body.len()).unwrap()][..], &body].concat()
}

/// 48 bytes, the most significant first.
fn number(little: &[u8]) -> Vec<u8> {
    assert!(little[48..].iter().all(|byte| *byte == 0));
    little[..48].iter().rev().copied().collect()
}

fn verifies(folder: &TempDir, key: &[u8], signature: &[u8], message: &[u8]) {
    for (name, bytes) in
        [("key", public_der(key)), ("signature", signature_der(signature)), ("message", message.to_vec())]
    {
        std::fs::write(folder.path().join(name), bytes).unwrap();
    }
    let arguments =
        ["dgst", "-sha384", "-verify", "key", "-keyform", "DER", "-signature", "signature", "message"];
    assert_eq!(openssl(&arguments, folder), b"Verified OK\n");
}

/// An owner's key as openssl writes it, and its public half by openssl.
fn key(folder: &TempDir, arguments: &[&str]) -> (OwnerKey, Vec<u8>) {
    let pem = openssl(arguments, folder);
    std::fs::write(folder.path().join("secret"), &pem).unwrap();
    let public = openssl(&["pkey", "-in", "secret", "-pubout", "-outform", "DER"], folder);
    (OwnerKey::parse(&pem).unwrap(), public)
}

const PKCS8: [&str; 5] = ["genpkey", "-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-384"];
const SEC1: [&str; 4] = ["ecparam", "-genkey", "-name", "secp384r1"];

#[test]
fn an_owners_block_goes_to_the_secure_processor_as_it_was_signed() {
    let folder = tempfile::tempdir().unwrap();
    let (key, public) = key(&folder, &PKCS8);
    let call = finish(&Identity::sign(&block(), &key, None));
    assert_eq!(call.data[16..19], [1, 0, 0], "a block, no author, vcek_disabled 0");
    let [id_block, auth] = &call.contents[..] else { panic!("{}", call.contents.len()) };
    assert_eq!(id_block[..48], plan().digest());
    assert_eq!((&id_block[48..64], &id_block[64..80]), (&b"family of images"[..], &b"name of an image"[..]));
    assert_eq!((u32_at(id_block, 80), u32_at(id_block, 84), u64_at(id_block, 88)), (1, 3, 0x3_0000));
    assert_eq!((u32_at(auth, 0), u32_at(auth, 4)), (1, 0));
    assert_eq!(public_der(&auth[0x240..0x644]), public);
    verifies(&folder, &auth[0x240..0x644], &auth[0x40..0x240], id_block);
    let rest = [0x8..0x40, 0x644..0x1000];
    assert!(rest.into_iter().all(|range| auth[range].iter().all(|byte| *byte == 0)));
}

#[test]
fn an_author_vouches_for_the_owners_key() {
    let folder = tempfile::tempdir().unwrap();
    let ((key, _), (author, public)) = (key(&folder, &PKCS8), key(&folder, &SEC1));
    let call = finish(&Identity::sign(&block(), &key, Some(&author)));
    assert_eq!(call.data[16..19], [1, 1, 0]);
    let auth = &call.contents[1];
    assert_eq!((u32_at(auth, 0), u32_at(auth, 4)), (1, 1));
    assert_eq!(public_der(&auth[0x880..0xC84]), public);
    verifies(&folder, &auth[0x880..0xC84], &auth[0x680..0x880], &auth[0x240..0x644]);
    let rest = [0x8..0x40, 0x644..0x680, 0xC84..0x1000];
    assert!(rest.into_iter().all(|range| auth[range].iter().all(|byte| *byte == 0)));
}

#[test]
fn what_is_no_owners_key_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let other_curve = openssl(&["ecparam", "-genkey", "-name", "prime256v1"], &folder);
    let encrypted = [&PKCS8[..], &["-aes256", "-pass", "pass:secret"]].concat();
    let encrypted = openssl(&encrypted, &folder);
    let cases: [&[u8]; 6] = [b"", b"-----BEGIN ", &[0; 48], &[1; 47], &other_curve, &encrypted];
    for bytes in cases {
        let error = OwnerKey::parse(bytes).unwrap_err();
        assert!(
            error.to_string().contains(&format!("found {} bytes, expected a P-384", bytes.len())),
            "{error}"
        );
    }
    OwnerKey::parse(&[1; 48]).unwrap();
}

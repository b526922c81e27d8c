//! Where keys are while an appliance with encrypted weights serves, and where they are not.
//!
//! The owner's key never comes to the appliance. The image key that is released to it is gone once the files' keys were derived, and
//! so is the secret of HPKE that it came under. What must be there is in the guest's private memory alone: the files' keys, as the
//! first words of AES's schedules, and the seed of the channel's key.
//!
//! What this cannot show: that no register, and no part of a key shorter than all of it, was left anywhere; nor anything of keys of
//! TLS, which no test knows.
#![expect(clippy::tests_outside_test_module, reason = "an integration test is one")]
#![expect(clippy::unwrap_used, reason = "a test")]

use core::convert::Infallible;
use hkdf::Hkdf;
use hpke::kem::X25519HkdfSha256;
use hpke::rand_core::{TryCryptoRng, TryRng};
use hpke::{Deserializable as _, Kem};
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};
use std::path::PathBuf;
use vial_abi::memory::{DMA_BYTES, DMA_PA, ROM_TEXT_PA};
use vial_channel::Identity;
use vial_channel::unlock::{Offer, Secret};
use vial_client::Connection;
use vial_image::SealedImage;
use vial_runner::memory::{self, find};
use vial_runner::{Appliance, Vial, text};
use vial_weights::cipher::{ImageKey, OwnerKey};
use vial_weights::tree::Hex;

const MEMORY: u64 = 128 << 20;
const FLAGS: [&str; 4] = ["--memory", "128M", "--tee", "simulated-snp"];

/// A locked appliance, and the keys that open it.
struct Bench {
    folder: tempfile::TempDir,
    appliance: Appliance,
    owner: [u8; 32],
    image: ImageKey,
    /// Of the model's leaves.
    file: [u8; 32],
    digest: [u8; 48],
}

impl Bench {
    fn new() -> Option<Self> {
        let vial = Vial::from_env()?;
        let folder = tempfile::tempdir().unwrap();
        let path = |name: &str| folder.path().join(name);
        let [model, key, image]: [PathBuf; 3] = ["tiny.gguf", "key", "sealed.img"].map(path);
        std::fs::write(&model, vial_model::tiny::llama(1)).unwrap();
        vial.new_key(&key).unwrap();
        let [model, sealed] = [&model, &image].map(|path| text(path).unwrap());
        let built = vial.run(&["build", model, "-o", sealed, "--encrypt", text(&key).unwrap()]).unwrap();
        assert!(built.status.success(), "{}", String::from_utf8_lossy(&built.stderr));
        let mut appliance = vial.start(&image, &FLAGS).unwrap();
        assert_eq!(appliance.await_event("ready").unwrap()["locked"], true);
        let owner = unhex(std::fs::read_to_string(key).unwrap().lines().nth(1).unwrap());
        let sealed = SealedImage::open(&image).unwrap();
        let encryption = sealed.manifest().encryption.unwrap();
        let image = OwnerKey::new(&owner).image_key(&encryption.image_id());
        let file = file_key(&image, &encryption.plaintext_root);
        Some(Self { folder, appliance, owner, image, file, digest: sealed.manifest().digest() })
    }

    /// Where a secret stands, in bytes or as hex.
    fn places(&self, secret: &[u8]) -> Places {
        Places::of(self.appliance.process(), &[secret, Hex(secret).to_string().as_bytes()])
    }

    /// As `vial unlock`, with randomness that everybody knows: gives the secret of HPKE.
    fn unlock(&self) -> Vec<u8> {
        let mut connection = self.appliance.connect().unwrap();
        let told = ask(&mut connection, "GET", None);
        let offer = Offer::decode(&unhex(told["offer"].as_str().unwrap()));
        let secret = Secret::new(*self.image.bytes());
        let release = offer.release(connection.key(), &self.digest, &secret, sevens).unwrap();
        let body = json!({ "release": Hex(&release).to_string() }).to_string();
        ask(&mut connection, "POST", Some(body.as_bytes()));
        let (recipient, _) =
            offer.encode().split_first_chunk::<32>().map(|(key, rest)| (*key, rest.len())).unwrap();
        let recipient = <X25519HkdfSha256 as Kem>::PublicKey::from_bytes(&recipient).unwrap();
        let (shared, encapsulated) = X25519HkdfSha256::encap_with_rng(&recipient, None, &mut Sevens).unwrap();
        assert_eq!(hpke::Serializable::to_bytes(&encapsulated)[..], release[..32], "the same secret");
        shared.0.to_vec()
    }
}

/// Addresses: in the guest's private memory, in what it shares, and elsewhere in the process that runs it.
#[derive(Debug, Default, PartialEq, Eq)]
struct Places {
    private: Vec<u64>,
    shared: Vec<u64>,
    vmm: Vec<u64>,
}

impl Places {
    fn of(process: u32, secrets: &[&[u8]]) -> Self {
        let mut places = Self::default();
        for mapping in memory::of(process).unwrap() {
            let is_guest = mapping.bytes.len() as u64 == MEMORY;
            for at in secrets.iter().flat_map(|secret| find(&mapping.bytes, secret)) {
                let at = at as u64;
                let is_shared = at < ROM_TEXT_PA || (DMA_PA..DMA_PA + DMA_BYTES).contains(&at);
                match (is_guest, is_shared) {
                    (true, false) => places.private.push(at),
                    (true, true) => places.shared.push(at),
                    (false, _) => places.vmm.push(mapping.start + at),
                }
            }
        }
        places
    }

    fn is_private_alone(&self) -> bool {
        !self.private.is_empty() && self.shared.is_empty() && self.vmm.is_empty()
    }
}

fn unhex<const N: usize>(hex: &str) -> [u8; N] {
    core::array::from_fn(|at| u8::from_str_radix(&hex[2 * at..2 * at + 2], 16).unwrap())
}

/// As `vial_weights::cipher` says it.
fn file_key(image: &ImageKey, root: &[u8; 32]) -> [u8; 32] {
    let id =
        Sha256::new().chain_update(b"vial sealed weights image 1").chain_update(root).chain_update([0; 32]);
    let (mut key, info) = ([0; 32], [&b"leaf key"[..], &id.finalize(), &[0; 8]].concat());
    let derived = Hkdf::<Sha256>::new(Some(b"vial sealed weights 1"), image.bytes()).expand(&info, &mut key);
    derived.map(|()| key).unwrap()
}

fn ask(connection: &mut Connection, method: &str, body: Option<&[u8]>) -> Value {
    let response = connection.ask(method, "/v1/unlock", body, 4096).unwrap();
    assert_eq!(response.status, 200, "{}", String::from_utf8_lossy(&response.body));
    serde_json::from_slice(&response.body).unwrap()
}

fn sevens(bytes: &mut [u8]) -> bool {
    bytes.fill(7);
    true
}

struct Sevens;

impl TryRng for Sevens {
    type Error = Infallible;
    fn try_next_u32(&mut self) -> Result<u32, Infallible> {
        Ok(0x0707_0707)
    }
    fn try_next_u64(&mut self) -> Result<u64, Infallible> {
        Ok(0x0707_0707_0707_0707)
    }
    fn try_fill_bytes(&mut self, bytes: &mut [u8]) -> Result<(), Infallible> {
        sevens(bytes);
        Ok(())
    }
}

impl TryCryptoRng for Sevens {}

#[test]
fn the_keys_that_opened_the_weights_are_gone_and_those_in_use_are_in_private_memory_alone() {
    let Some(bench) = Bench::new() else { return };
    for secret in [&bench.owner, bench.image.bytes(), &bench.file] {
        assert_eq!(bench.places(secret), Places::default(), "before");
    }
    let shared = bench.unlock();
    let (status, answer) =
        bench.appliance.send("/v1/completions", &json!({ "prompt": "a", "max_tokens": 4 })).unwrap();
    assert_eq!(status, 200, "{answer}");
    let file = bench.places(&bench.file);
    assert!(file.is_private_alone(), "the search finds what is there: {file:x?}");
    assert_eq!(bench.places(&bench.owner), Places::default(), "the owner's");
    assert_eq!(bench.places(bench.image.bytes()), Places::default(), "the image's");
    assert_eq!(bench.places(&shared), Places::default(), "what it came under");
    drop(bench.folder);
}

#[test]
fn the_seed_of_the_channels_key_is_in_private_memory_alone() {
    let Some(bench) = Bench::new() else { return };
    let public = *bench.appliance.connect().unwrap().key();
    let guest = memory::guest(bench.appliance.process(), MEMORY, (0, MEMORY)).unwrap().bytes;
    // The two halves lie near each other, on words.
    let near = |at: usize| guest[at.saturating_sub(512)..(at + 512).min(guest.len())].windows(32).step_by(8);
    let candidates = find(&guest, &public).into_iter().flat_map(near);
    let mut seeds = candidates.filter_map(|bytes| <[u8; 32]>::try_from(bytes).ok());
    let seed = seeds.find(|seed| Identity::new(seed).public() == public);
    let seed = seed.expect("the search finds what is there");
    let places = bench.places(&seed);
    assert!(places.is_private_alone(), "{places:x?}");
}

//! Releasing a key to an appliance: HPKE (RFC 9180, base mode, X25519, HKDF-SHA-256, ChaCha20-Poly1305) to a key that the channel's
//! key vouches for.
//!
//! The appliance makes a recipient and an [`Offer`] for one connection; whoever verified that connection makes a release for it. An
//! offer is taken once: a release that was recorded opens nothing at another offer, as at another start.
//!
//! ```text
//! offer     = recipient (X25519, 32) ‖ challenge (32) ‖ signature of the channel's key (64)
//!             over "vial unlock offer 1" ‖ manifest digest ‖ recipient ‖ challenge
//! release   = encapsulated key (32) ‖ ciphertext of the image key (32) ‖ tag (16)
//! HPKE info = "vial unlock release 1" ‖ manifest digest ‖ channel key ‖ challenge
//! ```

use core::convert::Infallible;
use core::fmt;

use ed25519_dalek::{Signature, VerifyingKey};
use hpke::aead::{AeadTag, ChaCha20Poly1305};
use hpke::inout::InOutBuf;
use hpke::kdf::HkdfSha256;
use hpke::kem::X25519HkdfSha256;
use hpke::rand_core::{TryCryptoRng, TryRng};
use hpke::{
    Deserializable as _, Kem, OpModeR, OpModeS, Serializable as _, single_shot_open_inout_detached,
    single_shot_seal_inout_detached_with_rng,
};
use zeroize::Zeroizing;

use crate::identity::Identity;
use crate::provider::Random;

/// Bytes of an offer.
pub const OFFER_BYTES: usize = 32 + 32 + 64;
/// Bytes of a release.
pub const RELEASE_BYTES: usize = 32 + 32 + 16;

const OFFER: &[u8; 19] = b"vial unlock offer 1";
const RELEASE: &[u8; 21] = b"vial unlock release 1";

type Suite = X25519HkdfSha256;
type Private = <Suite as Kem>::PrivateKey;
type Public = <Suite as Kem>::PublicKey;
type Encapsulated = <Suite as Kem>::EncappedKey;
type Tag = AeadTag<ChaCha20Poly1305>;

/// A secret of 32 bytes, wiped when it is dropped.
pub type Secret = Zeroizing<[u8; 32]>;

/// To whom a key may be released. From the network: worth what [`Offer::release`] finds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Offer {
    recipient: [u8; 32],
    challenge: [u8; 32],
    signature: [u8; 64],
}

/// The appliance's side of an offer. Its secret half is wiped when it is dropped.
pub struct Recipient {
    secret: Private,
    info: [u8; INFO_BYTES],
}

impl fmt::Debug for Recipient {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Recipient(..)")
    }
}

/// Why no key is released.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NoRelease {
    /// The channel's key did not sign the offer: it is somebody else's.
    Signature,
    /// The recipient is no key.
    Recipient,
    /// There is no randomness.
    Randomness,
}

impl fmt::Display for NoRelease {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Signature => "offer: found no signature of the channel's key",
            Self::Recipient => "offer: found a recipient that is no key of X25519",
            Self::Randomness => "found no randomness",
        })
    }
}

impl core::error::Error for NoRelease {}

impl Recipient {
    /// A recipient of its own for one connection, and what is said of it; `None` without randomness.
    #[must_use]
    pub fn new(identity: &Identity, manifest_digest: &[u8; 48], random: Random) -> Option<(Self, Offer)> {
        let (mut seed, mut challenge) = (Secret::default(), [0; 32]);
        if !random(seed.as_mut_slice()) || !random(&mut challenge) {
            return None;
        }
        let (secret, public) = Suite::derive_keypair(seed.as_slice());
        let recipient = public.to_bytes().into();
        let signature = identity.sign(&signed(manifest_digest, &recipient, &challenge));
        let info = info(manifest_digest, &identity.public(), &challenge);
        Some((Self { secret, info }, Offer { recipient, challenge, signature }))
    }

    /// The key that was released to it; `None` if that was done for another offer, or changed on its way.
    #[must_use]
    pub fn open(self, release: &[u8; RELEASE_BYTES]) -> Option<Secret> {
        let (encapsulated, rest) = release.split_first_chunk::<32>()?;
        let (ciphertext, tag) = rest.split_first_chunk::<32>()?;
        let encapsulated = Encapsulated::from_bytes(encapsulated).ok()?;
        let mut secret = Zeroizing::new(*ciphertext);
        let opened = single_shot_open_inout_detached::<ChaCha20Poly1305, HkdfSha256, Suite>(
            &OpModeR::Base,
            &self.secret,
            &encapsulated,
            &self.info,
            InOutBuf::from(secret.as_mut_slice()),
            &[],
            &Tag::from_bytes(tag).ok()?,
        );
        opened.ok().map(|()| secret)
    }
}

impl Offer {
    /// Its bytes.
    #[must_use]
    pub fn encode(&self) -> [u8; OFFER_BYTES] {
        let mut bytes = self.recipient.into_iter().chain(self.challenge).chain(self.signature);
        core::array::from_fn(|_| bytes.next().unwrap_or_default())
    }

    /// Reads one. Every such number of bytes is one; [`Self::release`] finds whose.
    #[must_use]
    pub fn decode(bytes: &[u8; OFFER_BYTES]) -> Self {
        let mut bytes = bytes.iter().copied();
        let mut next = || bytes.next().unwrap_or_default();
        let (recipient, challenge) = (core::array::from_fn(|_| next()), core::array::from_fn(|_| next()));
        Self { recipient, challenge, signature: core::array::from_fn(|_| next()) }
    }

    /// Releases `secret` to whoever made the offer, if that is who has `channel_key`: which must have been accepted before, with that
    /// manifest, over the connection that the offer came by.
    ///
    /// # Errors
    /// Another key signed the offer, or none of it is of use.
    pub fn release(
        &self,
        channel_key: &[u8; 32],
        manifest_digest: &[u8; 48],
        secret: &Secret,
        random: Random,
    ) -> Result<[u8; RELEASE_BYTES], NoRelease> {
        let key = VerifyingKey::from_bytes(channel_key).map_err(|_| NoRelease::Signature)?;
        let message = signed(manifest_digest, &self.recipient, &self.challenge);
        key.verify_strict(&message, &Signature::from_bytes(&self.signature))
            .map_err(|_| NoRelease::Signature)?;
        let recipient = Public::from_bytes(&self.recipient).map_err(|_| NoRelease::Recipient)?;
        let (mut ciphertext, mut source) = (secret.clone(), Source { random, is_dry: false });
        let sealed = single_shot_seal_inout_detached_with_rng::<ChaCha20Poly1305, HkdfSha256, Suite>(
            &OpModeS::Base,
            &recipient,
            &info(manifest_digest, channel_key, &self.challenge),
            InOutBuf::from(ciphertext.as_mut_slice()),
            &[],
            &mut source,
        );
        let (encapsulated, tag) = sealed.map_err(|_| NoRelease::Recipient)?;
        if source.is_dry {
            return Err(NoRelease::Randomness);
        }
        let (encapsulated, tag) = (encapsulated.to_bytes(), tag.to_bytes());
        let mut bytes = encapsulated.iter().chain(ciphertext.iter()).chain(tag.iter()).copied();
        Ok(core::array::from_fn(|_| bytes.next().unwrap_or_default()))
    }
}

const SIGNED_BYTES: usize = OFFER.len() + 48 + 32 + 32;
const INFO_BYTES: usize = RELEASE.len() + 48 + 32 + 32;

fn signed(manifest_digest: &[u8; 48], recipient: &[u8; 32], challenge: &[u8; 32]) -> [u8; SIGNED_BYTES] {
    joined([OFFER, manifest_digest, recipient, challenge])
}

fn info(manifest_digest: &[u8; 48], channel_key: &[u8; 32], challenge: &[u8; 32]) -> [u8; INFO_BYTES] {
    joined([RELEASE, manifest_digest, channel_key, challenge])
}

/// All of them have fixed lengths.
fn joined<const N: usize>(parts: [&[u8]; 4]) -> [u8; N] {
    let mut bytes = parts.into_iter().flatten().copied();
    core::array::from_fn(|_| bytes.next().unwrap_or_default())
}

/// Randomness as HPKE takes it, which knows of none that fails: what came of it is then thrown away.
struct Source {
    random: Random,
    is_dry: bool,
}

impl TryRng for Source {
    type Error = Infallible;

    fn try_next_u32(&mut self) -> Result<u32, Infallible> {
        let mut bytes = [0; 4];
        self.try_fill_bytes(&mut bytes).map(|()| u32::from_le_bytes(bytes))
    }

    fn try_next_u64(&mut self) -> Result<u64, Infallible> {
        let mut bytes = [0; 8];
        self.try_fill_bytes(&mut bytes).map(|()| u64::from_le_bytes(bytes))
    }

    fn try_fill_bytes(&mut self, bytes: &mut [u8]) -> Result<(), Infallible> {
        self.is_dry |= !(self.random)(bytes);
        Ok(())
    }
}

impl TryCryptoRng for Source {}

#[cfg(test)]
mod tests {
    use super::*;
    use core::sync::atomic::{AtomicU64, Ordering};

    const DIGEST: [u8; 48] = [4; 48];

    /// Different every time, which is all that tests need.
    fn random(bytes: &mut [u8]) -> bool {
        static STATE: AtomicU64 = AtomicU64::new(1);
        for byte in bytes {
            let state = STATE.fetch_add(0x9E37_79B9_7F4A_7C15, Ordering::Relaxed);
            *byte = (state.wrapping_mul(0xBF58_476D_1CE4_E5B9) >> 56).to_le_bytes()[0];
        }
        true
    }

    fn identity() -> Identity {
        Identity::new(&[7; 32])
    }

    fn secret() -> Secret {
        Secret::new([0x5A; 32])
    }

    fn offered() -> (Recipient, Offer) {
        let (recipient, offer) = Recipient::new(&identity(), &DIGEST, random).unwrap();
        (recipient, Offer::decode(&offer.encode()))
    }

    #[test]
    fn a_key_comes_to_the_appliance_whose_offer_it_was_released_for() {
        let (recipient, offer) = offered();
        let release = offer.release(&identity().public(), &DIGEST, &secret(), random).unwrap();
        assert!(release.windows(32).all(|window| window != secret().as_slice()));
        assert_eq!(recipient.open(&release), Some(secret()));
    }

    #[test]
    fn a_release_opens_nothing_at_another_offer_start_or_image_nor_changed() {
        let (recipient, _) = offered();
        let release =
            |offer: &Offer| offer.release(&identity().public(), &DIGEST, &secret(), random).unwrap();
        // Replayed at the next offer of the same start.
        let recorded = release(&offered().1);
        assert_eq!(recipient.open(&recorded), None);
        for at in 0..RELEASE_BYTES {
            let (recipient, offer) = offered();
            let mut changed = release(&offer);
            changed[at] ^= 1;
            assert_eq!(recipient.open(&changed), None, "byte {at}");
        }
        // One key, and what it is for is another image or appliance.
        let other = |digest: &[u8; 48], key: &[u8; 32]| {
            let (recipient, offer) = offered();
            Recipient { info: info(digest, key, &offer.challenge), ..recipient }.open(&release(&offer))
        };
        assert_eq!(other(&[5; 48], &identity().public()), None);
        assert_eq!(other(&DIGEST, &[9; 32]), None);
        assert_eq!(other(&DIGEST, &identity().public()), Some(secret()));
    }

    #[test]
    fn an_offer_of_somebody_else_or_changed_gets_no_key() {
        let (_, offer) = offered();
        let refused = |offer: &Offer, key: &[u8; 32], digest: &[u8; 48]| {
            offer.release(key, digest, &secret(), random).unwrap_err()
        };
        let other = Identity::new(&[8; 32]).public();
        assert_eq!(refused(&offer, &other, &DIGEST), NoRelease::Signature);
        assert_eq!(refused(&offer, &identity().public(), &[5; 48]), NoRelease::Signature);
        for at in 0..OFFER_BYTES {
            let mut bytes = offer.encode();
            bytes[at] ^= 1;
            let changed = Offer::decode(&bytes);
            assert_eq!(refused(&changed, &identity().public(), &DIGEST), NoRelease::Signature, "byte {at}");
        }
    }

    #[test]
    fn without_randomness_nothing_is_offered_or_released() {
        let none: Random = |_| false;
        assert!(Recipient::new(&identity(), &DIGEST, none).is_none());
        let refused = offered().1.release(&identity().public(), &DIGEST, &secret(), none);
        assert_eq!(refused, Err(NoRelease::Randomness));
    }
}

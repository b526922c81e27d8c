//! Key exchange: X25519 (RFC 7748), and P-256 for clients that know no other.

use alloc::boxed::Box;
use alloc::vec::Vec;
use core::fmt;

use p256::elliptic_curve::sec1::ToSec1Point as _;
use p256::{PublicKey, SecretKey};
use rustls::crypto::{ActiveKeyExchange, GetRandomFailed, SharedSecret, SupportedKxGroup};
use rustls::ffdhe_groups::FfdheGroup;
use rustls::{Error, NamedGroup, PeerMisbehaved};
use x25519_dalek::{X25519_BASEPOINT_BYTES, x25519};
use zeroize::Zeroizing;

use super::Random;

/// Tries for a scalar: one in 2^32 is none of P-256.
const TRIES: u32 = 4;

/// X25519.
#[derive(Debug)]
pub(super) struct X25519(pub(super) Random);
/// The NIST curve of 256 bits.
#[derive(Debug)]
pub(super) struct P256(pub(super) Random);

fn random(source: Random) -> Result<Zeroizing<[u8; 32]>, Error> {
    let mut bytes = Zeroizing::new([0; 32]);
    if source(bytes.as_mut_slice()) { Ok(bytes) } else { Err(GetRandomFailed.into()) }
}

fn invalid() -> Error {
    PeerMisbehaved::InvalidKeyShare.into()
}

impl SupportedKxGroup for X25519 {
    fn start(&self) -> Result<Box<dyn ActiveKeyExchange>, Error> {
        let secret = random(self.0)?;
        let public = x25519(*secret, X25519_BASEPOINT_BYTES);
        Ok(Box::new(X25519Share { secret, public }))
    }

    fn ffdhe_group(&self) -> Option<FfdheGroup<'static>> {
        None
    }

    fn name(&self) -> NamedGroup {
        NamedGroup::X25519
    }
}

struct X25519Share {
    secret: Zeroizing<[u8; 32]>,
    public: [u8; 32],
}

impl ActiveKeyExchange for X25519Share {
    fn complete(self: Box<Self>, peer: &[u8]) -> Result<SharedSecret, Error> {
        let peer: [u8; 32] = peer.try_into().map_err(|_| invalid())?;
        let shared = Zeroizing::new(x25519(*self.secret, peer));
        // Spec: RFC 8446 §7.4.2: a point of small order gives zero.
        let is_zero = shared.iter().fold(0, |all, byte| all | byte) == 0;
        if is_zero { Err(invalid()) } else { Ok(SharedSecret::from(shared.as_slice())) }
    }

    fn ffdhe_group(&self) -> Option<FfdheGroup<'static>> {
        None
    }

    fn pub_key(&self) -> &[u8] {
        &self.public
    }

    fn group(&self) -> NamedGroup {
        NamedGroup::X25519
    }
}

impl SupportedKxGroup for P256 {
    fn start(&self) -> Result<Box<dyn ActiveKeyExchange>, Error> {
        let mut tries =
            (0..TRIES).map(|_| random(self.0).ok().and_then(|it| SecretKey::from_slice(&*it).ok()));
        let secret = tries.find_map(|secret| secret).ok_or(GetRandomFailed)?;
        let public = secret.public_key().to_sec1_point(false).as_bytes().to_vec();
        Ok(Box::new(P256Share { secret, public }))
    }

    fn ffdhe_group(&self) -> Option<FfdheGroup<'static>> {
        None
    }

    fn name(&self) -> NamedGroup {
        NamedGroup::secp256r1
    }
}

struct P256Share {
    /// Wiped when it is dropped.
    secret: SecretKey,
    public: Vec<u8>,
}

impl fmt::Debug for P256Share {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("P256Share(..)")
    }
}

impl ActiveKeyExchange for P256Share {
    fn complete(self: Box<Self>, peer: &[u8]) -> Result<SharedSecret, Error> {
        // Spec: RFC 8446 §4.2.8.2: uncompressed points alone.
        let peer = Some(peer).filter(|peer| peer.first() == Some(&4)).ok_or_else(invalid)?;
        let peer = PublicKey::from_sec1_bytes(peer).map_err(|_| invalid())?;
        let shared = p256::ecdh::diffie_hellman(self.secret.to_nonzero_scalar(), peer.as_affine());
        Ok(SharedSecret::from(shared.raw_secret_bytes().as_slice()))
    }

    fn ffdhe_group(&self) -> Option<FfdheGroup<'static>> {
        None
    }

    fn pub_key(&self) -> &[u8] {
        &self.public
    }

    fn group(&self) -> NamedGroup {
        NamedGroup::secp256r1
    }
}

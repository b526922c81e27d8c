//! Cryptography for rustls: three suites, two groups, one kind of signature.
//!
//! rustls has no such provider without a C compiler or std; RustCrypto's own is an alpha for older crates. So its crates are
//! joined to rustls here, and nothing is computed here.

mod aead;
mod digest;
mod exchange;
mod signature;

use alloc::boxed::Box;
use alloc::sync::Arc;
use alloc::vec;

use rustls::crypto::tls13::HkdfUsingHmac;
use rustls::crypto::{CipherSuiteCommon, CryptoProvider, GetRandomFailed, SecureRandom};
use rustls::{CipherSuite, SupportedCipherSuite, Tls13CipherSuite};

use self::aead::Aead;
use self::digest::{HmacOf, Sha};
use self::exchange::{P256, X25519};
use self::signature::NoKeys;

pub(crate) use self::signature::Signing;

/// Fills with random bytes that nobody else knows; `false` if there are none.
pub type Random = fn(&mut [u8]) -> bool;

/// Spec: RFC 8446 §5.5: records under one key before it must change.
const GCM_RECORDS: u64 = 1 << 24;

static AES_256: Tls13CipherSuite = Tls13CipherSuite {
    common: CipherSuiteCommon {
        suite: CipherSuite::TLS13_AES_256_GCM_SHA384,
        hash_provider: &Sha::<sha2::Sha384>::NEW,
        confidentiality_limit: GCM_RECORDS,
    },
    hkdf_provider: &HkdfUsingHmac(&HmacOf::<sha2::Sha384>::NEW),
    aead_alg: &Aead::<aes_gcm::Aes256Gcm>::NEW,
    quic: None,
};

static AES_128: Tls13CipherSuite = Tls13CipherSuite {
    common: CipherSuiteCommon {
        suite: CipherSuite::TLS13_AES_128_GCM_SHA256,
        hash_provider: &Sha::<sha2::Sha256>::NEW,
        confidentiality_limit: GCM_RECORDS,
    },
    hkdf_provider: &HkdfUsingHmac(&HmacOf::<sha2::Sha256>::NEW),
    aead_alg: &Aead::<aes_gcm::Aes128Gcm>::NEW,
    quic: None,
};

static CHACHA20: Tls13CipherSuite = Tls13CipherSuite {
    common: CipherSuiteCommon {
        suite: CipherSuite::TLS13_CHACHA20_POLY1305_SHA256,
        hash_provider: &Sha::<sha2::Sha256>::NEW,
        confidentiality_limit: u64::MAX,
    },
    hkdf_provider: &HkdfUsingHmac(&HmacOf::<sha2::Sha256>::NEW),
    aead_alg: &Aead::<chacha20poly1305::ChaCha20Poly1305>::NEW,
    quic: None,
};

#[derive(Debug)]
struct Source(Random);

impl SecureRandom for Source {
    fn fill(&self, buffer: &mut [u8]) -> Result<(), GetRandomFailed> {
        if (self.0)(buffer) { Ok(()) } else { Err(GetRandomFailed) }
    }
}

/// A provider over `random`. It lives as long as the program, since rustls wants it so: make one.
#[must_use]
pub fn provider(random: Random) -> Arc<CryptoProvider> {
    let suites = [&AES_256, &AES_128, &CHACHA20];
    Arc::new(CryptoProvider {
        cipher_suites: suites.map(SupportedCipherSuite::Tls13).to_vec(),
        kx_groups: vec![Box::leak(Box::new(X25519(random))), Box::leak(Box::new(P256(random)))],
        signature_verification_algorithms: signature::ALGORITHMS,
        secure_random: Box::leak(Box::new(Source(random))),
        key_provider: &NoKeys,
    })
}

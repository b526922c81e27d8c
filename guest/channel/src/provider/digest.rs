//! Hashes, and HMAC over them.

use alloc::boxed::Box;
use core::marker::PhantomData;

use hmac::{EagerHash, Hmac, KeyInit as _, Mac as _};
use rustls::crypto::hash::{Context, Hash, HashAlgorithm, Output};
use rustls::crypto::hmac::{Hmac as TlsHmac, Key, Tag};
use sha2::{Digest, Sha256, Sha384};

/// Names a hash to rustls.
pub(super) trait Named: Digest + Clone + Send + Sync + 'static {
    const ALGORITHM: HashAlgorithm;
}

impl Named for Sha256 {
    const ALGORITHM: HashAlgorithm = HashAlgorithm::SHA256;
}

impl Named for Sha384 {
    const ALGORITHM: HashAlgorithm = HashAlgorithm::SHA384;
}

/// A hash.
pub(super) struct Sha<D>(PhantomData<D>);

impl<D> Sha<D> {
    pub(super) const NEW: Self = Self(PhantomData);
}

impl<D: Named> Hash for Sha<D> {
    fn start(&self) -> Box<dyn Context> {
        Box::new(Running(D::new()))
    }

    fn hash(&self, data: &[u8]) -> Output {
        Output::new(&D::digest(data))
    }

    fn output_len(&self) -> usize {
        <D as Digest>::output_size()
    }

    fn algorithm(&self) -> HashAlgorithm {
        D::ALGORITHM
    }
}

struct Running<D>(D);

impl<D: Named> Context for Running<D> {
    fn fork_finish(&self) -> Output {
        Output::new(&self.0.clone().finalize())
    }

    fn fork(&self) -> Box<dyn Context> {
        Box::new(Self(self.0.clone()))
    }

    fn finish(self: Box<Self>) -> Output {
        Output::new(&self.0.finalize())
    }

    fn update(&mut self, data: &[u8]) {
        self.0.update(data);
    }
}

/// HMAC over a hash.
pub(super) struct HmacOf<D>(PhantomData<D>);

impl<D> HmacOf<D> {
    pub(super) const NEW: Self = Self(PhantomData);
}

impl<D> TlsHmac for HmacOf<D>
where
    D: Named + EagerHash,
    Hmac<D>: Send + Sync,
{
    fn with_key(&self, key: &[u8]) -> Box<dyn Key> {
        Box::new(Keyed::<D>(Hmac::new_from_slice(key).ok()))
    }

    fn hash_output_len(&self) -> usize {
        <D as Digest>::output_size()
    }
}

/// HMAC takes keys of any length, so there always is one.
struct Keyed<D: EagerHash>(Option<Hmac<D>>);

impl<D> Key for Keyed<D>
where
    D: Named + EagerHash,
    Hmac<D>: Send + Sync,
{
    fn sign_concat(&self, first: &[u8], middle: &[&[u8]], last: &[u8]) -> Tag {
        let Some(mut hmac) = self.0.clone() else { return Tag::new(&[]) };
        hmac.update(first);
        middle.iter().for_each(|part| hmac.update(part));
        hmac.update(last);
        Tag::new(&hmac.finalize().into_bytes())
    }

    fn tag_len(&self) -> usize {
        <D as Digest>::output_size()
    }
}

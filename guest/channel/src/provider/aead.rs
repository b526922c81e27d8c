//! Records under an AEAD. Spec: RFC 8446 §5.2.

use alloc::boxed::Box;
use core::marker::PhantomData;

use aes_gcm::aead::array::typenum::U12;
use aes_gcm::aead::{AeadCore, AeadInOut, KeyInit};
use rustls::crypto::cipher::{
    AeadKey, InboundOpaqueMessage, InboundPlainMessage, Iv, MessageDecrypter, MessageEncrypter, Nonce,
    OutboundOpaqueMessage, OutboundPlainMessage, PrefixedPayload, Tls13AeadAlgorithm,
    UnsupportedOperationError, make_tls13_aad,
};
use rustls::{ConnectionTrafficSecrets, ContentType, Error, ProtocolVersion};

/// All three have tags of 16 bytes.
const TAG_BYTES: usize = 16;

/// An AEAD of RustCrypto's as an algorithm of TLS.
pub(super) struct Aead<A>(PhantomData<A>);

impl<A> Aead<A> {
    pub(super) const NEW: Self = Self(PhantomData);
}

impl<A> Tls13AeadAlgorithm for Aead<A>
where
    A: AeadInOut + AeadCore<NonceSize = U12> + KeyInit + Send + Sync + 'static,
{
    fn encrypter(&self, key: AeadKey, iv: Iv) -> Box<dyn MessageEncrypter> {
        Box::new(Records::<A> { aead: of_key(&key), iv })
    }

    fn decrypter(&self, key: AeadKey, iv: Iv) -> Box<dyn MessageDecrypter> {
        Box::new(Records::<A> { aead: of_key(&key), iv })
    }

    fn key_len(&self) -> usize {
        A::key_size()
    }

    /// Keys stay here.
    fn extract_keys(&self, _: AeadKey, _: Iv) -> Result<ConnectionTrafficSecrets, UnsupportedOperationError> {
        Err(UnsupportedOperationError)
    }
}

struct Records<A> {
    /// `None` for a key of another length than rustls was told, which it never makes.
    aead: Option<A>,
    iv: Iv,
}

fn of_key<A: KeyInit>(key: &AeadKey) -> Option<A> {
    key.as_ref().get(..A::key_size()).and_then(|key| A::new_from_slice(key).ok())
}

impl<A> MessageEncrypter for Records<A>
where
    A: AeadInOut + AeadCore<NonceSize = U12> + Send + Sync,
{
    fn encrypt(
        &mut self,
        message: OutboundPlainMessage<'_>,
        sequence: u64,
    ) -> Result<OutboundOpaqueMessage, Error> {
        let total = self.encrypted_payload_len(message.payload.len());
        let mut payload = PrefixedPayload::with_capacity(total);
        payload.extend_from_chunks(&message.payload);
        payload.extend_from_slice(&message.typ.to_array());
        let nonce = Nonce::new(&self.iv, sequence).0.into();
        let aead = self.aead.as_ref().ok_or(Error::EncryptError)?;
        let tag = aead.encrypt_inout_detached(&nonce, &make_tls13_aad(total), payload.as_mut().into());
        payload.extend_from_slice(&tag.map_err(|_| Error::EncryptError)?);
        Ok(OutboundOpaqueMessage::new(ContentType::ApplicationData, ProtocolVersion::TLSv1_2, payload))
    }

    fn encrypted_payload_len(&self, payload_len: usize) -> usize {
        payload_len + 1 + TAG_BYTES
    }
}

impl<A> MessageDecrypter for Records<A>
where
    A: AeadInOut + AeadCore<NonceSize = U12> + Send + Sync,
{
    fn decrypt<'a>(
        &mut self,
        mut message: InboundOpaqueMessage<'a>,
        sequence: u64,
    ) -> Result<InboundPlainMessage<'a>, Error> {
        let payload = &mut message.payload;
        let associated = make_tls13_aad(payload.len());
        let plain = payload.len().checked_sub(TAG_BYTES).ok_or(Error::DecryptError)?;
        let (text, tag) = payload.split_at_mut(plain);
        let tag = (&*tag).try_into().map_err(|_| Error::DecryptError)?;
        let nonce = Nonce::new(&self.iv, sequence).0.into();
        let aead = self.aead.as_ref().ok_or(Error::DecryptError)?;
        aead.decrypt_inout_detached(&nonce, &associated, text.into(), tag)
            .map_err(|_| Error::DecryptError)?;
        payload.truncate(plain);
        message.into_tls13_unpadded_message()
    }
}

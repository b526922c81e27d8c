//! The other side's settings.

use alloc::string::ToString as _;
use alloc::sync::Arc;
use alloc::vec;
use alloc::vec::Vec;

use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::client::{ClientConfig, Resumption};
use rustls::crypto::CryptoProvider;
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::version::TLS13;
use rustls::{CertificateError, DigitallySignedStruct, Error, PeerIncompatible, SignatureScheme};

use crate::acceptor::NoClock;
use crate::certificate::{NotOurs, Said, read, verify};
use crate::provider::{Random, provider};

/// Settings that let any certificate of an appliance in. The handshake then proves that the peer has the certificate's key,
/// and nothing else: whoever connects must compare that key with one that verified evidence binds.
///
/// # Errors
/// None that is known; rustls may refuse a provider.
pub fn config(random: Random) -> Result<ClientConfig, Error> {
    with(provider(random))
}

pub(crate) fn with(provider: Arc<CryptoProvider>) -> Result<ClientConfig, Error> {
    let builder = ClientConfig::builder_with_details(provider, Arc::new(NoClock));
    let builder = builder.with_protocol_versions(&[&TLS13])?.dangerous();
    let mut config = builder.with_custom_certificate_verifier(Arc::new(AnyAppliance)).with_no_client_auth();
    config.resumption = Resumption::disabled();
    config.enable_sni = false;
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    Ok(config)
}

/// What the peer of a connection said by the certificates that it showed.
///
/// # Errors
/// It showed none of an appliance.
pub fn said(shown: Option<&[CertificateDer<'_>]>) -> Result<Said, NotOurs> {
    match shown {
        Some([only]) => read(only),
        _ => Err(NotOurs::Form),
    }
}

#[derive(Debug)]
struct AnyAppliance;

impl ServerCertVerifier for AnyAppliance {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        _name: &ServerName<'_>,
        _ocsp: &[u8],
        _now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        let is_alone = intermediates.is_empty();
        let _said = read(end_entity).map_err(|error| Error::General(error.to_string()))?;
        if is_alone {
            Ok(ServerCertVerified::assertion())
        } else {
            Err(CertificateError::UnknownIssuer.into())
        }
    }

    fn verify_tls12_signature(
        &self,
        _message: &[u8],
        _certificate: &CertificateDer<'_>,
        _signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        Err(PeerIncompatible::ServerDoesNotSupportTls12Or13.into())
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        let bad = || Error::from(CertificateError::BadSignature);
        let said = read(certificate).map_err(|_| bad())?;
        let is_ed25519 = signature.scheme == SignatureScheme::ED25519;
        let holds = is_ed25519.then(|| verify(&said.key, message, signature.signature())).flatten();
        holds.map(|()| HandshakeSignatureValid::assertion()).ok_or_else(bad)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        vec![SignatureScheme::ED25519]
    }
}

//! What all sessions of an appliance share.

use alloc::sync::Arc;
use alloc::vec;

use rustls::crypto::CryptoProvider;
use rustls::pki_types::{CertificateDer, UnixTime};
use rustls::server::{ClientHello, NoServerSessionStorage, ResolvesServerCert, UnbufferedServerConnection};
use rustls::sign::CertifiedKey;
use rustls::time_provider::TimeProvider;
use rustls::{Error, ServerConfig, version::TLS13};

use crate::certificate;
use crate::identity::Identity;
use crate::provider::{Random, Signing, provider};
use crate::session::Session;

/// The appliance's side of all connections: its key, and the certificate that it shows now.
#[derive(Debug)]
pub struct Acceptor {
    identity: Arc<Identity>,
    provider: Arc<CryptoProvider>,
    config: Option<Arc<ServerConfig>>,
}

impl Acceptor {
    /// An acceptor that has no certificate yet.
    #[must_use]
    pub fn new(identity: Arc<Identity>, random: Random) -> Self {
        Self { identity, provider: provider(random), config: None }
    }

    /// Shows `evidence` in the certificate of sessions from now on.
    ///
    /// # Errors
    /// No certificate can be made of it, or the processor gives no randomness.
    pub fn certify(&mut self, evidence: &[u8]) -> Result<(), Error> {
        let certificate = certificate::make(&self.identity, evidence)
            .map_err(|_| Error::General("no certificate can be made of the evidence".into()))?;
        let key = Arc::new(Signing(Arc::clone(&self.identity)));
        let shown = CertifiedKey::new(vec![CertificateDer::from(certificate)], key);
        let builder = ServerConfig::builder_with_details(Arc::clone(&self.provider), Arc::new(NoClock));
        let builder = builder.with_protocol_versions(&[&TLS13])?.with_no_client_auth();
        let mut config = builder.with_cert_resolver(Arc::new(Shown(Arc::new(shown))));
        config.send_tls13_tickets = 0;
        config.session_storage = Arc::new(NoServerSessionStorage {});
        config.alpn_protocols = vec![b"http/1.1".to_vec()];
        self.config = Some(Arc::new(config));
        Ok(())
    }

    /// A session for a connection that begins; `None` before there is a certificate.
    #[must_use]
    pub fn accept(&self) -> Option<Session> {
        let tls = UnbufferedServerConnection::new(Arc::clone(self.config.as_ref()?)).ok()?;
        Some(Session::new(tls))
    }
}

/// One certificate for every client, whatever name it asks for.
#[derive(Debug)]
struct Shown(Arc<CertifiedKey>);

impl ResolvesServerCert for Shown {
    fn resolve(&self, _: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        Some(Arc::clone(&self.0))
    }
}

/// Only tickets and other people's certificates are dated, and there are none.
#[derive(Debug)]
pub(crate) struct NoClock;

impl TimeProvider for NoClock {
    fn current_time(&self) -> Option<UnixTime> {
        Some(UnixTime::since_unix_epoch(core::time::Duration::ZERO))
    }
}

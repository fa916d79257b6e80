//! TLS, by rustls.

use std::{
    fmt,
    sync::{Arc, OnceLock},
};

use rustls::{
    ClientConfig, RootCertStore,
    client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier},
    crypto::{CryptoProvider, ring, verify_tls12_signature, verify_tls13_signature},
    pki_types::{CertificateDer, PrivateKeyDer, ServerName, UnixTime, pem::PemObject},
};
use sockeye_protocol::engine::Failure;
use tokio::net::TcpStream;
use tokio_rustls::{TlsConnector, client::TlsStream};

/// How a client makes sure that it speaks to the right server, and who it is itself.
///
/// Without any of this, servers are trusted whose certificates the system trusts.
#[derive(Clone, Debug, Default)]
pub struct Tls {
    roots: Vec<CertificateDer<'static>>,
    identity: Option<Arc<Identity>>,
    accepts_anyone: bool,
    given: Option<Arc<ClientConfig>>,
    /// Made for the first connection; reading the system's certificates takes a moment. Copies share
    /// it until one is changed, which must not change what the others check.
    made: Arc<OnceLock<Arc<ClientConfig>>>,
}

/// A client's own certificate.
struct Identity {
    chain: Vec<CertificateDer<'static>>,
    key: PrivateKeyDer<'static>,
}

impl fmt::Debug for Identity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Identity").field("chain", &self.chain.len()).finish_non_exhaustive()
    }
}

/// What was given is no certificate, or no key.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct TlsError(String);

impl Tls {
    /// Trust in what the system trusts.
    pub fn new() -> Self {
        Self::default()
    }

    /// Exactly this configuration of rustls.
    pub fn from_config(config: Arc<ClientConfig>) -> Self {
        Self { given: Some(config), ..Self::default() }
    }

    /// Trusts these certificates, in PEM, instead of the system's: those of a private authority, or
    /// a server's own.
    ///
    /// # Errors
    /// If it holds no certificate.
    pub fn root_certificates_pem(mut self, pem: &[u8]) -> Result<Self, TlsError> {
        self.roots.extend(certificates(pem)?);
        self.made = Arc::default();
        Ok(self)
    }

    /// Shows servers that ask for it who this client is: a chain of certificates, and the key of
    /// the first one, in PEM.
    ///
    /// # Errors
    /// If they hold no certificate, or no key.
    pub fn client_certificate_pem(mut self, chain: &[u8], key: &[u8]) -> Result<Self, TlsError> {
        let chain = certificates(chain)?;
        let key = PrivateKeyDer::from_pem_slice(key)
            .map_err(|error| TlsError(format!("no private key: {error}")))?;
        self.identity = Some(Arc::new(Identity { chain, key }));
        self.made = Arc::default();
        Ok(self)
    }

    /// Accepts whatever certificate a server shows, **so that anyone on the way can read and change
    /// everything**. For tests only. Every connection is logged as a warning.
    pub fn dangerous_accept_any_certificate(mut self) -> Self {
        self.accepts_anyone = true;
        self.made = Arc::default();
        self
    }

    pub(super) async fn connect(
        &self,
        host: &str,
        tcp: TcpStream,
    ) -> Result<TlsStream<TcpStream>, Failure> {
        if self.accepts_anyone {
            tracing::warn!(host, "connecting without checking the server's certificate");
        }
        let config = self.made().await.map_err(Failure::Tls)?;
        let name = ServerName::try_from(host.to_owned())
            .map_err(|_| Failure::Tls(format!("`{host}` can be no server's name")))?;
        let connecting = TlsConnector::from(config).connect(name, tcp);
        connecting.await.map_err(|error| Failure::Tls(error.to_string()))
    }

    /// The configuration, made where it may block: the system's certificates are files.
    async fn made(&self) -> Result<Arc<ClientConfig>, String> {
        if let Some(made) = self.made.get() {
            return Ok(made.clone());
        }
        let tls = self.clone();
        let making = tokio::task::spawn_blocking(move || tls.config());
        // A failure is not kept: what is missing may be there the next time.
        let made = making.await.map_err(|error| error.to_string())??;
        Ok(self.made.get_or_init(|| made).clone())
    }

    fn config(&self) -> Result<Arc<ClientConfig>, String> {
        if let Some(given) = &self.given {
            return Ok(given.clone());
        }
        let provider = Arc::new(ring::default_provider());
        let builder = ClientConfig::builder_with_provider(provider.clone())
            .with_safe_default_protocol_versions()
            .map_err(|error| error.to_string())?;
        let builder = if self.accepts_anyone {
            builder.dangerous().with_custom_certificate_verifier(Arc::new(Anyone(provider)))
        } else {
            builder.with_root_certificates(self.root_store()?)
        };
        let config = match &self.identity {
            None => builder.with_no_client_auth(),
            Some(identity) => builder
                .with_client_auth_cert(identity.chain.clone(), identity.key.clone_key())
                .map_err(|error| error.to_string())?,
        };
        Ok(Arc::new(config))
    }

    fn root_store(&self) -> Result<RootCertStore, String> {
        let mut store = RootCertStore::empty();
        if self.roots.is_empty() {
            let found = rustls_native_certs::load_native_certs();
            store.add_parsable_certificates(found.certs);
            if store.is_empty() {
                let errors: Vec<_> = found.errors.iter().map(ToString::to_string).collect();
                let errors = errors.join(", ");
                return Err(format!("the system has no trusted certificates ({errors})"));
            }
        }
        for root in &self.roots {
            store.add(root.clone()).map_err(|error| error.to_string())?;
        }
        Ok(store)
    }
}

fn certificates(pem: &[u8]) -> Result<Vec<CertificateDer<'static>>, TlsError> {
    let certificates: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(pem).collect();
    match certificates {
        Ok(certificates) if certificates.is_empty() => {
            Err(TlsError("no certificate in the PEM text".to_owned()))
        }
        Ok(certificates) => Ok(certificates),
        Err(error) => Err(TlsError(format!("no certificate: {error}"))),
    }
}

/// Takes every certificate, and checks only that who shows it has its key.
#[derive(Debug)]
struct Anyone(Arc<CryptoProvider>);

impl ServerCertVerifier for Anyone {
    fn verify_server_cert(
        &self,
        _: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &rustls::DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        let algorithms = &self.0.signature_verification_algorithms;
        verify_tls12_signature(message, certificate, signature, algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &rustls::DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        let algorithms = &self.0.signature_verification_algorithms;
        verify_tls13_signature(message, certificate, signature, algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<rustls::SignatureScheme> {
        self.0.signature_verification_algorithms.supported_schemes()
    }
}

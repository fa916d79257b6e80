//! TLS: certificates that are right, wrong, or not looked at.

use std::{net::SocketAddr, sync::Arc};

use rcgen::{CertifiedKey, generate_simple_self_signed};
use sockeye::Server;
use sockeye_client::{Client, ConnectErrorKind, Error, Tls, Transport};
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::{TlsAcceptor, rustls};

use crate::{serve, within};

/// Puts TLS before a server.
async fn secured(inner: SocketAddr) -> (SocketAddr, String) {
    let names = vec!["localhost".to_owned()];
    let CertifiedKey { cert, signing_key } = generate_simple_self_signed(names).unwrap();
    let key = rustls::pki_types::PrivateKeyDer::try_from(signing_key.serialize_der()).unwrap();
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = rustls::ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![cert.der().clone()], key)
        .unwrap();
    let acceptor = TlsAcceptor::from(Arc::new(config));
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let acceptor = acceptor.clone();
            tokio::spawn(async move {
                let Ok(mut outer) = acceptor.accept(stream).await else { return };
                let Ok(mut inner) = TcpStream::connect(inner).await else { return };
                let _ = tokio::io::copy_bidirectional(&mut outer, &mut inner).await;
            });
        }
    });
    (address, cert.pem())
}

#[tokio::test]
async fn only_a_certificate_that_is_trusted_will_do() {
    let (io, inner) = serve(Server::builder()).await;
    io.on("echo", |text: String| text);
    let (address, certificate) = secured(inner).await;
    let url = format!("https://localhost:{}", address.port());
    for transport in [Transport::Polling, Transport::WebSocket] {
        let client = Client::builder(&url).transports([transport]).reconnection(false);
        let Err(Error::Connect(error)) = within("connect", client.connect()).await else {
            panic!("nobody vouches for this certificate")
        };
        assert_eq!(error.kind(), ConnectErrorKind::Tls, "{error}");

        let trusting = Tls::new().root_certificates_pem(certificate.as_bytes()).unwrap();
        let wrong_name = format!("https://127.0.0.1:{}", address.port());
        let client = Client::builder(wrong_name).transports([transport]).reconnection(false);
        let Err(Error::Connect(error)) =
            within("connect", client.tls(trusting.clone()).connect()).await
        else {
            panic!("the certificate is for another name")
        };
        assert_eq!(error.kind(), ConnectErrorKind::Tls, "{error}");

        for tls in [trusting, Tls::new().dangerous_accept_any_certificate()] {
            let client = Client::builder(&url).transports([transport]).tls(tls);
            let client = within("connect", client.connect()).await.unwrap();
            let text: String = within("answer", client.emit_with_ack("echo", "hi")).await.unwrap();
            assert_eq!(text, "hi");
            client.close().await;
        }
    }
}

#[test]
fn what_is_no_certificate_says_so() {
    assert!(Tls::new().root_certificates_pem(b"nothing").is_err());
    assert!(Tls::new().client_certificate_pem(b"nothing", b"nothing").is_err());
}

#[tokio::test]
async fn what_is_changed_in_a_copy_is_changed_in_that_copy_only() {
    let (_io, inner) = serve(Server::builder()).await;
    let (address, _) = secured(inner).await;
    let url = format!("https://localhost:{}", address.port());
    let strict = Tls::new();
    let careless = strict.clone().dangerous_accept_any_certificate();
    let builder = |tls| Client::builder(&url).tls(tls).reconnection(false);
    let client = within("connect", builder(careless).connect()).await.unwrap();
    client.close().await;
    let Err(Error::Connect(error)) = within("connect", builder(strict).connect()).await else {
        panic!("nobody vouches for this certificate")
    };
    assert_eq!(error.kind(), ConnectErrorKind::Tls, "{error}");
}

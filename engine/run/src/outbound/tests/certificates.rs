//! TLS: which certificates are taken, and in which words the others are refused.

use std::time::Duration;

use cartwright_core::woo::WooMethod;
use cartwright_woo::transport::{HttpRequest, Transport, TransportError, TransportFailure};
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair, date_time_ymd};
use rustls::{ServerConfig, pki_types::PrivateKeyDer};
use tokio_rustls::TlsAcceptor;

use super::*;

fn authority() -> CertifiedIssuer<'static, KeyPair> {
    let mut params = CertificateParams::new(Vec::new()).expect("parameters");
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    CertifiedIssuer::self_signed(params, KeyPair::generate().expect("a key")).expect("an authority")
}

/// A certificate for 127.0.0.1 unless `change` says otherwise.
fn params(change: fn(&mut CertificateParams)) -> CertificateParams {
    let mut params = CertificateParams::new(vec!["127.0.0.1".into()]).expect("parameters");
    change(&mut params);
    params
}

/// A server that answers 200 over TLS with this certificate.
async fn server(certificate: rcgen::Certificate, key: &KeyPair) -> SocketAddr {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let key = PrivateKeyDer::try_from(key.serialize_der()).expect("a key");
    let config = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .expect("versions")
        .with_no_client_auth()
        .with_single_cert(vec![certificate.der().clone()], key)
        .expect("a certificate");
    let acceptor = TlsAcceptor::from(Arc::new(config));
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let address = listener.local_addr().expect("bound");
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let acceptor = acceptor.clone();
            tokio::spawn(async move {
                let Ok(mut stream) = acceptor.accept(stream).await else { return };
                let mut bytes = [0; 4096];
                if stream.read(&mut bytes).await.is_ok_and(|count| count > 0) {
                    stream.write_all(&answer("200 OK", "", "hello").expect("bytes")).await.ok();
                    stream.shutdown().await.ok();
                }
            });
        }
    });
    address
}

async fn get(address: SocketAddr, roots: ExtraRoots) -> Result<u16, TransportError> {
    let options = OutboundOptions {
        allowed: vec!["127.0.0.1".parse().expect("range")],
        extra_roots: roots,
        ..OutboundOptions::default()
    };
    let request = HttpRequest {
        method: WooMethod::Get,
        url: format!("https://{address}/").parse().expect("an address"),
        headers: Vec::new(),
        body: None,
        timeout: Duration::from_secs(20),
        max_answer_bytes: 1000,
    };
    let outbound = HttpOutbound::new(options).expect("a client");
    Transport::exchange(&outbound, request).await.map(|answer| answer.status)
}

fn roots(authority: &CertifiedIssuer<'static, KeyPair>) -> ExtraRoots {
    ExtraRoots::from_pem(authority.pem().as_bytes()).expect("a root")
}

#[tokio::test]
async fn an_authority_of_the_operators_own_is_trusted_once_it_is_named() {
    let (authority, key) = (authority(), KeyPair::generate().expect("a key"));
    let certificate = params(|_| ()).signed_by(&key, &authority).expect("signed");
    let address = server(certificate, &key).await;
    assert_eq!(get(address, roots(&authority)).await, Ok(200));
    let error = get(address, ExtraRoots::default()).await.expect_err("unknown");
    assert_eq!((error.failure, error.may_have_arrived), (TransportFailure::Tls, false));
    assert!(error.message.contains("its issuer is not known here"), "{}", error.message);
}

#[tokio::test]
async fn refused_certificates_are_named_by_what_is_wrong_with_them() {
    type Change = fn(&mut CertificateParams);
    let (authority, key) = (authority(), KeyPair::generate().expect("a key"));
    let cases: [(Change, &str); 3] = [
        (|params| params.not_after = date_time_ymd(2020, 1, 1), "has expired"),
        (|params| params.not_before = date_time_ymd(2999, 1, 1), "is not valid yet"),
        (|params| params.subject_alt_names.clear(), "is for another name"),
    ];
    for (change, word) in cases {
        let certificate = params(change).signed_by(&key, &authority).expect("signed");
        let address = server(certificate, &key).await;
        let error = get(address, roots(&authority)).await.expect_err(word);
        assert_eq!((error.failure, error.may_have_arrived), (TransportFailure::Tls, false), "{}", error.message);
        assert!(error.message.contains(word), "{}", error.message);
    }
}

#[tokio::test]
async fn a_certificate_that_signs_itself_is_refused_in_those_words() {
    let key = KeyPair::generate().expect("a key");
    let cases: [fn(&mut CertificateParams); 2] =
        [|_| (), |params| params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained)];
    for change in cases {
        let address = server(params(change).self_signed(&key).expect("signed"), &key).await;
        let error = get(address, ExtraRoots::default()).await.expect_err("self-signed");
        assert_eq!(error.failure, TransportFailure::Tls);
        assert!(error.message.contains("is self-signed"), "{}", error.message);
    }
}

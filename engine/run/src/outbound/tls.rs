//! Certificates: additional roots that the operator trusts, and refused ones in words a shop's owner can act on.

use std::fmt;

use reqwest::Certificate;
use rustls::{CertificateError, Error};

/// Certificates of authorities that are trusted besides the system's.
#[derive(Clone, Default)]
pub struct ExtraRoots(pub(super) Vec<Certificate>);

/// Why a file cannot be used as additional roots.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum InvalidRoots {
    /// There is none in it.
    #[error("there is no certificate in it: it must hold at least one `-----BEGIN CERTIFICATE-----` block")]
    Empty,
    /// Not a certificate, or cut off.
    #[error("certificate {0} in it cannot be read")]
    Damaged(usize),
}

impl ExtraRoots {
    /// Certificates in PEM form, one after another; other blocks (keys, say) are refused as no certificate.
    pub fn from_pem(pem: &[u8]) -> Result<Self, InvalidRoots> {
        provide();
        let roots = Certificate::from_pem_bundle(pem).map_err(|_| InvalidRoots::Damaged(1))?;
        if roots.is_empty() {
            return Err(InvalidRoots::Empty);
        }
        // reqwest would refuse a damaged certificate only when the client is made, without saying which.
        for (at, root) in roots.iter().enumerate() {
            let made = reqwest::Client::builder().tls_certs_only([root.clone()]).build();
            made.map_err(|_| InvalidRoots::Damaged(at + 1))?;
        }
        Ok(Self(roots))
    }
}

impl fmt::Debug for ExtraRoots {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("ExtraRoots").field(&self.0.len()).finish()
    }
}

/// The binary installs the provider at start; a test or an embedder may not have.
pub(super) fn provide() {
    if rustls::crypto::CryptoProvider::get_default().is_none() {
        drop(rustls::crypto::ring::default_provider().install_default());
    }
}

/// Why TLS with this host cannot be established.
pub(super) fn words(error: &Error, host: &str) -> String {
    match error {
        Error::InvalidCertificate(problem) => certificate(problem, host),
        Error::InvalidMessage(_) => format!("what answers at {host} on this port does not speak TLS"),
        Error::AlertReceived(alert) => format!("{host} refuses the TLS connection ({alert:?})"),
        Error::PeerIncompatible(_) => format!("{host} speaks no version of TLS that is safe (1.2 or newer): {error}"),
        other => format!("no TLS connection with {host} can be established: {other}"),
    }
}

fn certificate(problem: &CertificateError, host: &str) -> String {
    match problem {
        CertificateError::Expired | CertificateError::ExpiredContext { .. } => {
            format!("the certificate of {host} has expired")
        }
        CertificateError::NotValidYet | CertificateError::NotValidYetContext { .. } => {
            format!("the certificate of {host} is not valid yet (or this machine's clock is wrong)")
        }
        CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. } => {
            format!("the certificate that {host} shows is for another name")
        }
        CertificateError::UnknownIssuer => {
            format!("the certificate of {host} is self-signed, or its issuer is not known here")
        }
        CertificateError::Revoked => format!("the certificate of {host} has been revoked"),
        // A certificate that is its own authority, as many self-signed ones are, is refused under a name of webpki's.
        CertificateError::Other(other) if other.to_string().contains("CaUsedAsEndEntity") => {
            format!("the certificate of {host} is self-signed")
        }
        other => format!("the certificate of {host} cannot be used: {other}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_that_hold_no_certificate_are_refused() {
        let key = "-----BEGIN PRIVATE KEY-----\nMAo=\n-----END PRIVATE KEY-----\n";
        for text in ["", "hello", key] {
            assert_eq!(ExtraRoots::from_pem(text.as_bytes()).expect_err(text), InvalidRoots::Empty, "{text}");
        }
        let torn = "-----BEGIN CERTIFICATE-----\nMIIB\n";
        let nonsense = "-----BEGIN CERTIFICATE-----\nMAo=\n-----END CERTIFICATE-----\n";
        for text in [torn, nonsense] {
            assert_eq!(ExtraRoots::from_pem(text.as_bytes()).expect_err(text), InvalidRoots::Damaged(1), "{text}");
        }
    }
}

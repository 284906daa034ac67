//! TLS by rustls, with the meaning that libpq gives to each `sslmode`.
//!
//! Client certificates and revocation lists are not offered.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::client::{verify_server_cert_signed_by_trust_anchor, verify_server_name};
use rustls::crypto::{ring, verify_tls12_signature, verify_tls13_signature, WebPkiSupportedAlgorithms};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{pem, CertificateDer, ServerName, UnixTime};
use rustls::server::ParsedCertificate;
use rustls::{ClientConfig, DigitallySignedStruct, RootCertStore, SignatureScheme};
use tokio_postgres_rustls::MakeRustlsConnect;

use super::parameters::SslMode;

/// Where systems keep the authorities that they trust, as one PEM file.
const SYSTEM_FILES: [&str; 4] = [
    "/etc/ssl/certs/ca-certificates.crt",
    "/etc/pki/tls/certs/ca-bundle.crt",
    "/etc/ssl/ca-bundle.pem",
    "/etc/ssl/cert.pem",
];

#[derive(Debug, thiserror::Error)]
pub enum TlsError {
    #[error("cannot read the certificates in {path:?}")]
    Pem { path: PathBuf, source: pem::Error },
    #[error("a certificate in {path:?} cannot be used")]
    Certificate { path: PathBuf, source: rustls::Error },
    #[error("{path:?} holds no certificate")]
    Empty { path: PathBuf },
    #[error("this system has no file of trusted authorities")]
    NoSystemStore,
    #[error("the TLS library cannot be set up")]
    Setup(#[source] rustls::Error),
}

/// What a server's certificate has to be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Trust {
    /// Anything at all: the line is encrypted, nobody knows to whom.
    Anyone,
    /// Signed by one of the roots.
    Chain,
    /// And made for the host connected to.
    ChainAndName,
}

/// The connector for a mode; the system's store where no root certificate is named.
pub fn connector(mode: SslMode, roots: Option<&Path>) -> Result<MakeRustlsConnect, TlsError> {
    let provider = Arc::new(ring::default_provider());
    let algorithms = provider.signature_verification_algorithms;
    let trust = match mode {
        SslMode::Disable | SslMode::Prefer | SslMode::Require => Trust::Anyone,
        SslMode::VerifyCa => Trust::Chain,
        SslMode::VerifyFull => Trust::ChainAndName,
    };
    let (roots, certificates) = match trust {
        Trust::Anyone => (RootCertStore::empty(), Vec::new()),
        Trust::Chain | Trust::ChainAndName => load(roots)?,
    };
    let verifier = Verifier { trust, roots, certificates, algorithms };
    let config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(TlsError::Setup)?
        .dangerous()
        .with_custom_certificate_verifier(Arc::new(verifier))
        .with_no_client_auth();
    Ok(MakeRustlsConnect::new(config))
}

fn load(named: Option<&Path>) -> Result<(RootCertStore, Vec<CertificateDer<'static>>), TlsError> {
    let path = match named {
        Some(path) => path,
        None => {
            let files = SYSTEM_FILES.iter().map(Path::new);
            files.into_iter().find(|path| path.is_file()).ok_or(TlsError::NoSystemStore)?
        }
    };
    let broken = |source| TlsError::Pem { path: path.to_owned(), source };
    let certificates =
        CertificateDer::pem_file_iter(path).and_then(|found| found.collect::<Result<Vec<_>, _>>()).map_err(broken)?;
    let mut roots = RootCertStore::empty();
    if named.is_some() {
        for certificate in &certificates {
            let unusable = |source| TlsError::Certificate { path: path.to_owned(), source };
            roots.add(certificate.clone()).map_err(unusable)?;
        }
    } else {
        // Systems carry a few authorities that no library can read.
        roots.add_parsable_certificates(certificates.iter().cloned());
    }
    if roots.is_empty() {
        return Err(TlsError::Empty { path: path.to_owned() });
    }
    Ok((roots, certificates))
}

#[derive(Debug)]
struct Verifier {
    trust: Trust,
    roots: RootCertStore,
    /// The roots once more, as they stand in the file.
    certificates: Vec<CertificateDer<'static>>,
    algorithms: WebPkiSupportedAlgorithms,
}

impl ServerCertVerifier for Verifier {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        server_name: &ServerName<'_>,
        _ocsp_response: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        if self.trust == Trust::Anyone {
            return Ok(ServerCertVerified::assertion());
        }
        let certificate = ParsedCertificate::try_from(end_entity)?;
        // A server's self-signed certificate, handed to the client as its root, is what
        // PostgreSQL's documentation begins with; as an authority the verifier would refuse it.
        if !self.certificates.contains(end_entity) {
            let all = self.algorithms.all;
            verify_server_cert_signed_by_trust_anchor(&certificate, &self.roots, intermediates, now, all)?;
        }
        if self.trust == Trust::ChainAndName {
            verify_server_name(&certificate, server_name)?;
        }
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls12_signature(message, certificate, signed, &self.algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls13_signature(message, certificate, signed, &self.algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.algorithms.supported_schemes()
    }
}

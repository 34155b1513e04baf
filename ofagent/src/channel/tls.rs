//! TLS as Open vSwitch does it: both sides show a certificate, and each believes what its CA signed
//! (ovs-vsctl(8), Public Key Infrastructure Configuration). Names in certificates mean nothing:
//! those that `ovs-pki` makes carry none of hosts.

use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::client::verify_server_cert_signed_by_trust_anchor;
use rustls::crypto::{CryptoProvider, ring, verify_tls12_signature, verify_tls13_signature};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName, UnixTime};
use rustls::server::{ParsedCertificate, WebPkiClientVerifier};
use rustls::{
    ClientConfig, ClientConnection, DigitallySignedStruct, RootCertStore, ServerConfig,
    ServerConnection, SignatureScheme,
};
use std::fmt;
use std::net::IpAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// Where key and certificates are, PEM each.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TlsFiles {
    /// The switch's private key.
    pub private_key: PathBuf,
    /// Its certificate, with those between it and the CA's, if there are any.
    pub certificate: PathBuf,
    /// Certificates of those who sign the controllers'.
    pub ca_cert: PathBuf,
}

/// Keys and certificates, read and found to fit.
pub struct Tls {
    client: Arc<ClientConfig>,
    server: Arc<ServerConfig>,
    /// What was read, to tell whether it changed.
    content: [Vec<u8>; 3],
}

impl Tls {
    /// Reads the files.
    ///
    /// # Errors
    /// Which file is wrong, and what is.
    pub fn load(files: &TlsFiles) -> Result<Self, String> {
        let paths = [&files.private_key, &files.certificate, &files.ca_cert];
        let read = |path: &Path| {
            let wrong = |e| format!("{}: cannot read it: {e}", path.display());
            std::fs::read(path).map_err(wrong)
        };
        let content = [read(paths[0])?, read(paths[1])?, read(paths[2])?];
        let wrong = |i: usize, e: &dyn fmt::Display| format!("{}: {e}", paths[i].display());
        let key = PrivateKeyDer::from_pem_slice(&content[0])
            .map_err(|e| wrong(0, &format_args!("expected a private key in PEM: {e:?}")))?;
        let chain = certificates(&content[1]).map_err(|e| wrong(1, &e))?;
        let mut roots = RootCertStore::empty();
        for ca in certificates(&content[2]).map_err(|e| wrong(2, &e))? {
            roots.add(ca).map_err(|e| wrong(2, &e))?;
        }
        let provider = Arc::new(ring::default_provider());
        let roots = Arc::new(roots);
        // Versions and cipher suites are the provider's own, which fit each other.
        let fits = "the provider has TLS 1.2 and 1.3";
        let verifier =
            Arc::new(SignedByCa { roots: Arc::clone(&roots), provider: Arc::clone(&provider) });
        let client = ClientConfig::builder_with_provider(Arc::clone(&provider))
            .with_safe_default_protocol_versions()
            .expect(fits)
            .dangerous()
            .with_custom_certificate_verifier(verifier)
            .with_client_auth_cert(chain.clone(), key.clone_key())
            .map_err(|e| wrong(0, &e))?;
        let clients = WebPkiClientVerifier::builder_with_provider(roots, Arc::clone(&provider))
            .build()
            .map_err(|e| wrong(2, &e))?;
        let server = ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .expect(fits)
            .with_client_cert_verifier(clients)
            .with_single_cert(chain, key)
            .map_err(|e| wrong(0, &e))?;
        Ok(Self { client: Arc::new(client), server: Arc::new(server), content })
    }

    /// Our side of a connection that we made to `peer`.
    pub(super) fn client(&self, peer: IpAddr) -> Result<rustls::Connection, rustls::Error> {
        let name = ServerName::IpAddress(peer.into());
        ClientConnection::new(Arc::clone(&self.client), name).map(Into::into)
    }

    /// Our side of a connection that a peer made.
    pub(super) fn server(&self) -> Result<rustls::Connection, rustls::Error> {
        ServerConnection::new(Arc::clone(&self.server)).map(Into::into)
    }
}

impl PartialEq for Tls {
    fn eq(&self, other: &Self) -> bool {
        self.content == other.content
    }
}

impl Eq for Tls {}

impl fmt::Debug for Tls {
    /// Without the key.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Tls").finish_non_exhaustive()
    }
}

/// The certificates of a PEM file, at least one.
fn certificates(pem: &[u8]) -> Result<Vec<CertificateDer<'static>>, String> {
    let all: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(pem).collect();
    let all = all.map_err(|e| format!("expected certificates in PEM: {e:?}"))?;
    if all.is_empty() { Err("expected a certificate in PEM".into()) } else { Ok(all) }
}

/// Believes a controller whose certificate a CA signed, whatever its name is.
#[derive(Debug)]
struct SignedByCa {
    roots: Arc<RootCertStore>,
    provider: Arc<CryptoProvider>,
}

impl ServerCertVerifier for SignedByCa {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        let certificate = ParsedCertificate::try_from(end_entity)?;
        let algorithms = self.provider.signature_verification_algorithms.all;
        verify_server_cert_signed_by_trust_anchor(
            &certificate,
            &self.roots,
            intermediates,
            now,
            algorithms,
        )?;
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        let algorithms = &self.provider.signature_verification_algorithms;
        verify_tls12_signature(message, certificate, signature, algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        let algorithms = &self.provider.signature_verification_algorithms;
        verify_tls13_signature(message, certificate, signature, algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.provider.signature_verification_algorithms.supported_schemes()
    }
}

//! Where requests go: an address taken apart, and its TLS.

use std::io;
use std::net::IpAddr;
use std::net::SocketAddr;
use std::net::ToSocketAddrs as _;
use std::sync::Arc;

use http::Uri;
use http::uri::Scheme;
use rustls::ClientConfig;
use rustls::RootCertStore;
use rustls::client::danger::HandshakeSignatureValid;
use rustls::client::danger::ServerCertVerified;
use rustls::client::danger::ServerCertVerifier;
use rustls::crypto::CryptoProvider;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::ServerName;
use rustls::pki_types::UnixTime;

use crate::event::run::Found;
use crate::scenario::plan;
use crate::scenario::plan::Plan;

use super::EngineError;

/// HTTP/2 as TLS calls it.
pub(super) const ALPN_HTTP2: &[u8] = b"h2";

/// Where requests go.
#[derive(Debug, Clone)]
pub(super) struct Target {
    host: String,
    port: u16,
    pub(super) tls: Option<Tls>,
    /// Host and port, as they stand in the address.
    pub(super) authority: String,
    /// The path of the address, which comes before a request's own.
    pub(super) path: String,
}

/// How a connection is secured.
#[derive(Clone)]
pub(super) struct Tls {
    pub(super) config: Arc<ClientConfig>,
    pub(super) name: ServerName<'static>,
}

impl std::fmt::Debug for Tls {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Tls").field("name", &self.name).finish_non_exhaustive()
    }
}

impl Target {
    /// Takes an address apart.
    pub(super) fn new(plan: &Plan, found: &Found) -> Result<Self, EngineError> {
        let error =
            |why: &str| EngineError::Address { url: found.url.clone(), why: why.to_owned() };
        let uri: Uri = found.url.parse().map_err(|_| error("it is not a URL"))?;
        let is_tls = match uri.scheme() {
            Some(scheme) if *scheme == Scheme::HTTP => false,
            Some(scheme) if *scheme == Scheme::HTTPS => true,
            _ => return Err(error("it must begin with http:// or https://")),
        };
        let host = uri.host().ok_or_else(|| error("it has no host"))?;
        let host = host.trim_start_matches('[').trim_end_matches(']').to_owned();
        let port = uri.port_u16().unwrap_or(if is_tls { 443 } else { 80 });
        let authority = match uri.port_u16() {
            Some(port) => format!("{}:{port}", uri.host().unwrap_or_default()),
            None => uri.host().unwrap_or_default().to_owned(),
        };
        let host_header = found.host.as_deref().unwrap_or(&authority);
        let path = uri.path().trim_end_matches('/').to_owned();
        let tls = match is_tls {
            true => Some(Tls::new((host_header, &host), &plan.target).map_err(|why| error(&why))?),
            false => None,
        };
        Ok(Self { host, port, tls, authority, path })
    }

    /// Whether there is a name to ask for.
    pub(super) fn is_name(&self) -> bool {
        self.host.parse::<IpAddr>().is_err()
    }

    /// Asks the resolver, which may take its time.
    pub(super) fn resolve(&self) -> io::Result<Vec<SocketAddr>> {
        (self.host.as_str(), self.port).to_socket_addrs().map(Iterator::collect)
    }
}

impl Tls {
    /// The name that is verified is the one that the gateway routes by, as a browser would.
    fn new((host_header, host): (&str, &str), plan: &plan::Target) -> Result<Self, String> {
        let name = host_header.rsplit_once(':').map_or(host_header, |(name, _)| name);
        let name = ServerName::try_from(name.to_owned())
            .or_else(|_| ServerName::try_from(host.to_owned()))
            .map_err(|_| format!("{name:?} is no name for TLS"))?;
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let builder = ClientConfig::builder_with_provider(Arc::clone(&provider))
            .with_safe_default_protocol_versions()
            .map_err(|error| error.to_string())?;
        let mut config = if plan.insecure {
            builder
                .dangerous()
                .with_custom_certificate_verifier(Arc::new(Anyone(provider)))
                .with_no_client_auth()
        } else {
            let mut roots = RootCertStore::empty();
            // What cannot be read is left out; a certificate that then fails says so.
            roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
            builder.with_root_certificates(roots).with_no_client_auth()
        };
        if plan.streams.is_some() {
            config.alpn_protocols = vec![ALPN_HTTP2.to_vec()];
        }
        Ok(Self { config: Arc::new(config), name })
    }
}

/// Trusts anyone, because the person said so; signatures are still checked.
#[derive(Debug)]
struct Anyone(Arc<CryptoProvider>);

impl ServerCertVerifier for Anyone {
    fn verify_server_cert(
        &self,
        _end_entity: &CertificateDer<'_>,
        _intermediates: &[CertificateDer<'_>],
        _server_name: &ServerName<'_>,
        _ocsp_response: &[u8],
        _now: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        signature: &rustls::DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        let algorithms = &self.0.signature_verification_algorithms;
        rustls::crypto::verify_tls12_signature(message, cert, signature, algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        signature: &rustls::DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        let algorithms = &self.0.signature_verification_algorithms;
        rustls::crypto::verify_tls13_signature(message, cert, signature, algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<rustls::SignatureScheme> {
        self.0.signature_verification_algorithms.supported_schemes()
    }
}

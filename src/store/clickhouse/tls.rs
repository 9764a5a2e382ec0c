//! Who vouches for a server over TLS: the machine's authorities, or those that the configuration names.
//!
//! The driver's own connector loads the machine's authorities for plain HTTP too, and panics where there are none. So each
//! way has a connector of its own here.

use super::Endpoint;
use hyper_rustls::HttpsConnectorBuilder;
use hyper_util::client::legacy::{Client as Hyper, connect::HttpConnector};
use hyper_util::rt::TokioExecutor;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject as _;
use rustls::{ClientConfig, RootCertStore};
use std::sync::Arc;
use std::time::Duration;

/// A server keeps an idle connection for three seconds; it must not be used while it is being closed.
const IDLE: Duration = Duration::from_secs(2);
/// How long a connection may be silent before the system asks whether it is still there.
const KEEPALIVE: Duration = Duration::from_secs(60);

/// ServerAuthorities that are trusted instead of the machine's.
#[derive(Debug, Clone)]
pub struct ServerAuthorities(Arc<RootCertStore>);

impl ServerAuthorities {
    /// Those of a PEM file's content; what else stands in it is left alone.
    ///
    /// # Errors
    /// It is no PEM, or has no certificate.
    pub fn parse(pem: &[u8]) -> Result<ServerAuthorities, String> {
        let mut roots = RootCertStore::empty();
        for certificate in CertificateDer::pem_slice_iter(pem) {
            let certificate = certificate.map_err(|why| why.to_string())?;
            roots.add(certificate).map_err(|why| why.to_string())?;
        }
        if roots.is_empty() {
            return Err("it contains no certificate".to_owned());
        }
        Ok(ServerAuthorities(Arc::new(roots)))
    }
}

/// The driver for a place.
///
/// # Errors
/// Nobody can vouch for a server over TLS: the machine has no authorities, and none are named.
pub(super) fn driver(
    endpoint: &Endpoint,
    authorities: Option<&ServerAuthorities>,
) -> Result<clickhouse::Client, String> {
    let mut http = HttpConnector::new();
    http.set_keepalive(Some(KEEPALIVE));
    let builder = || {
        let mut builder = Hyper::builder(TokioExecutor::new());
        builder.pool_idle_timeout(IDLE);
        builder
    };
    if !endpoint.tls {
        return Ok(clickhouse::Client::with_http_client(builder().build(http)));
    }
    http.enforce_http(false);
    let provider = rustls::crypto::ring::default_provider();
    let connector = match authorities {
        None => HttpsConnectorBuilder::new()
            .with_provider_and_native_roots(provider)
            .map_err(|why| {
                format!("{why}: install the package ca-certificates, or name a PEM file with `ca_file` of [clickhouse]")
            })?,
        Some(ServerAuthorities(roots)) => {
            let config = ClientConfig::builder_with_provider(Arc::new(provider))
                .with_safe_default_protocol_versions()
                .map_err(|why| why.to_string())?
                .with_root_certificates(Arc::clone(roots))
                .with_no_client_auth();
            HttpsConnectorBuilder::new().with_tls_config(config)
        }
    };
    let connector = connector.https_only().enable_http1().wrap_connector(http);
    Ok(clickhouse::Client::with_http_client(builder().build(connector)))
}

/// What to do about a connection over TLS that fails. The client tells the reason only in words.
pub(super) fn hint(why: &str) -> Option<&'static str> {
    let hints: [(&[&str], &str); 7] = [
        (
            &["UnknownIssuer"],
            "no trusted authority has signed the server's certificate: name its authority's PEM file with `ca_file` \
             of [clickhouse]",
        ),
        (
            &["NotValidForName", "not valid for name"],
            "the certificate is for another name: use the name in the certificate in the URL",
        ),
        (
            &["certificate: Expired", "certificate expired"],
            "the server's certificate has expired: renew it",
        ),
        (
            &["NotValidYet", "not valid yet"],
            "the server's certificate is not valid yet: compare the clocks of both machines",
        ),
        (
            &["CaUsedAsEndEntity"],
            "the server presents the authority's certificate as its own: have the authority sign a certificate for \
             the server",
        ),
        (
            &["InvalidContentType", "corrupt message"],
            "this port does not use TLS: write clickhouse:// instead of clickhouses://, or name the TLS port (8443)",
        ),
        (
            &["ca-certificates"],
            "without an authority a right server cannot be told from a wrong one",
        ),
    ];
    let is_it = |(words, _): &&(&[&str], &'static str)| words.iter().any(|word| why.contains(word));
    hints.iter().find(is_it).map(|(_, hint)| *hint)
}

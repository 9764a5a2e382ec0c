//! The HTTP client of the channels: bounded in time; servers are vouched for by the machine's authorities, or by those
//! that the configuration names.

use super::{TIMEOUT, Undelivered};
use std::sync::Arc;
use ureq::Agent;
use ureq::tls::{Certificate, PemItem, RootCerts, TlsConfig, parse_pem};

/// Authorities that are trusted instead of the machine's.
#[derive(Debug, Clone)]
pub struct Authorities(Arc<Vec<Certificate<'static>>>);

impl Authorities {
    /// Those of a PEM file's content; what else stands in it is left alone.
    ///
    /// # Errors
    /// It is no PEM, or has no certificate.
    pub fn parse(pem: &[u8]) -> Result<Authorities, String> {
        let mut all = Vec::new();
        for item in parse_pem(pem) {
            if let PemItem::Certificate(certificate) = item.map_err(|why| why.to_string())? {
                all.push(certificate);
            }
        }
        if all.is_empty() {
            return Err("there is no certificate in it".to_owned());
        }
        Ok(Authorities(Arc::new(all)))
    }
}

/// A client.
pub(super) fn agent(authorities: Option<Authorities>) -> Agent {
    let roots = match authorities {
        Some(Authorities(all)) => RootCerts::Specific(all),
        None => RootCerts::PlatformVerifier,
    };
    let tls = TlsConfig::builder().root_certs(roots).build();
    let config = Agent::config_builder()
        .timeout_global(Some(TIMEOUT))
        .max_redirects(0)
        .tls_config(tls)
        .build();
    config.into()
}

/// Posts JSON; anything but 2xx is no delivery.
pub(super) fn post(agent: &Agent, url: &str, headers: &[(&str, String)], body: &[u8]) -> Result<(), Undelivered> {
    let mut request = agent.post(url).header("Content-Type", "application/json");
    for (name, value) in headers {
        request = request.header(*name, value);
    }
    match request.send(body) {
        Ok(answer) if answer.status().is_success() => Ok(()),
        Ok(answer) => Err(Undelivered(format!("{url}: answered {}", answer.status()))),
        Err(why) => {
            let why = why.to_string();
            Err(Undelivered(match cure(&why) {
                Some(cure) => format!("{url}: {why}; {cure}"),
                None => format!("{url}: {why}"),
            }))
        }
    }
}

/// What to do about a certificate that is not trusted. The client tells the reason only in words.
fn cure(why: &str) -> Option<&'static str> {
    let cures: [(&[&str], &str); 5] = [
        (
            &["UnknownIssuer"],
            "no trusted authority vouches for the server: name its authority's PEM file with `ca_file`",
        ),
        (
            &["NotValidForName", "not valid for name"],
            "the certificate is for another name: write in `url` the name that the certificate has",
        ),
        (
            &["certificate: Expired", "certificate expired"],
            "the server's certificate has expired: renew it there",
        ),
        (
            &["NotValidYet", "not valid yet"],
            "the server's certificate is not valid yet: compare the clocks of both machines",
        ),
        (
            &["CaUsedAsEndEntity"],
            "the server shows the authority's certificate as its own: let the authority sign one for the server",
        ),
    ];
    let is_it = |(words, _): &&(&[&str], &'static str)| words.iter().any(|word| why.contains(word));
    cures.iter().find(is_it).map(|(_, cure)| *cure)
}

//! The HTTP client of the channels: bounded in time, with the machine's certificates.

use super::{TIMEOUT, Undelivered};
use ureq::Agent;
use ureq::tls::{RootCerts, TlsConfig};

/// A client.
pub(super) fn agent() -> Agent {
    let tls = TlsConfig::builder().root_certs(RootCerts::PlatformVerifier).build();
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
        Err(why) => Err(Undelivered(format!("{url}: {why}"))),
    }
}

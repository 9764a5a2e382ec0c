//! A webhook: one POST a notice. With a key the header `X-Mailpulse-Signature: sha256=HEX` holds the HMAC-SHA256 of the
//! body.

use super::delivery::one_by_one;
use super::{AlertChannel, AlertTarget, Notice, Results, TrustedAuthorities, Undelivered, body, http};
use hmac::{Hmac, KeyInit as _, Mac as _};
use sha2::Sha256;

/// A webhook.
pub struct Webhook {
    target: AlertTarget,
    key: Option<Vec<u8>>,
    agent: ureq::Agent,
}

impl Webhook {
    /// At a URL, signed with a key if there is one; with authorities of its own, if there are some.
    pub fn new(url: &str, key: Option<Vec<u8>>, authorities: Option<TrustedAuthorities>) -> Self {
        Webhook {
            target: AlertTarget::new(url),
            key,
            agent: http::agent(authorities),
        }
    }
}

impl AlertChannel for Webhook {
    fn name(&self) -> String {
        format!("webhook {}", self.target.name())
    }

    fn former_name(&self) -> Option<String> {
        Some(format!("webhook {}", self.target.url()))
    }

    fn deliver(&self, notices: &[Notice], now: i64) -> Results {
        one_by_one(notices, |notice| {
            let body = body(&notice.json());
            let headers: Vec<(&str, String)> = match &self.key {
                Some(key) => vec![("X-Mailpulse-Signature", signature(key, body.as_bytes())?)],
                None => Vec::new(),
            };
            http::post(&self.agent, &self.target, &headers, body.as_bytes(), now).map(|_| ())
        })
    }
}

fn signature(key: &[u8], body: &[u8]) -> Result<String, Undelivered> {
    let mut mac = Hmac::<Sha256>::new_from_slice(key).map_err(|why| Undelivered::channel(why.to_string()))?;
    mac.update(body);
    Ok(format!("sha256={}", hex::encode(mac.finalize().into_bytes())))
}

#[cfg(test)]
mod tests {
    #[test]
    fn signs_as_rfc_4231_has_it() {
        let got = super::signature(b"Jefe", b"what do ya want for nothing?").unwrap();
        assert_eq!(
            got,
            "sha256=5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843"
        );
    }
}

//! A webhook: one POST a notice, in the form that its receiver wants. Of our own form the header
//! `X-Mailpulse-Signature: sha256=HEX` holds the HMAC-SHA256 of the body, if there is a key.

use super::delivery::one_by_one;
use super::receivers::{WebhookFormat, request};
use super::{AlertChannel, AlertTarget, Notice, NoticeLinks, Results, TrustedAuthorities, Undelivered, http};
use crate::model::time::UtcS;
use hmac::{Hmac, KeyInit as _, Mac as _};
use sha2::Sha256;

/// A webhook.
pub(crate) struct Webhook {
    target: AlertTarget,
    format: WebhookFormat,
    key: Option<Vec<u8>>,
    links: NoticeLinks,
    agent: ureq::Agent,
}

impl Webhook {
    /// At a URL, with authorities of its own, if there are some.
    pub(crate) fn new(
        url: &str,
        format: WebhookFormat,
        links: NoticeLinks,
        authorities: Option<TrustedAuthorities>,
    ) -> Self {
        Webhook {
            target: AlertTarget::new(url),
            format,
            key: None,
            links,
            agent: http::agent(authorities),
        }
    }

    /// With a key: what signs our own form, the routing key of PagerDuty, the access token of ntfy. It is shown nowhere.
    #[must_use]
    pub(crate) fn keyed(mut self, key: Vec<u8>) -> Self {
        if let Ok(text) = std::str::from_utf8(&key) {
            self.target = self.target.hiding(text);
        }
        self.key = Some(key);
        self
    }

    fn post(&self, notice: &Notice, now: UtcS) -> Result<(), Undelivered> {
        let key = self.key.as_deref().map(std::str::from_utf8);
        let (is_ours, key) = (self.format == WebhookFormat::Json, key.and_then(Result::ok));
        let mut request = request(self.format, notice, &self.links, key);
        if let Some(key) = self.key.as_ref().filter(|_| is_ours) {
            let signature = signature(key, request.body.as_bytes())?;
            request.headers.push(("X-Mailpulse-Signature", signature));
        }
        let taken = http::post(&self.agent, &self.target, &request, now)?;
        match taken.is_page && !is_ours {
            false => Ok(()),
            true => Err(Undelivered::channel(format!(
                "{}: answered with a web page, perhaps a login: set `url` to the address that takes webhooks",
                self.target
            ))),
        }
    }
}

impl AlertChannel for Webhook {
    fn name(&self) -> String {
        format!("{} {}", self.format.as_str(), self.target.name())
    }

    fn former_name(&self) -> Option<String> {
        Some(format!("{} {}", self.format.as_str(), self.target.url()))
    }

    fn deliver(&self, notices: &[Notice], now: UtcS) -> Results {
        one_by_one(notices, |notice| self.post(notice, now))
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

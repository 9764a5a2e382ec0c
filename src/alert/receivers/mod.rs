//! What usual receivers of webhooks want: a file each.

mod ntfy;
mod pagerduty;
mod request;
mod slack;
mod teams;

use super::Notice;
use super::links::NoticeLinks;
use super::told::{ToldNotice, json};

pub(super) use request::ReceiverRequest;

/// Where PagerDuty takes events.
pub(crate) const PAGERDUTY_URL: &str = "https://events.pagerduty.com/v2/enqueue";

/// The form of a webhook's body.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum WebhookFormat {
    /// Our own, signed if there is a key.
    #[default]
    Json,
    /// Incoming webhooks of Slack, and of those that understand the same (Mattermost, Rocket.Chat).
    Slack,
    /// The webhook trigger of Workflows in Microsoft Teams.
    Teams,
    /// PagerDuty Events API v2.
    Pagerduty,
    /// ntfy.
    Ntfy,
}

impl WebhookFormat {
    /// Its name, in the configuration and in messages.
    pub fn as_str(self) -> &'static str {
        match self {
            WebhookFormat::Json => "webhook",
            WebhookFormat::Slack => "slack",
            WebhookFormat::Teams => "teams",
            WebhookFormat::Pagerduty => "pagerduty",
            WebhookFormat::Ntfy => "ntfy",
        }
    }
}

/// The request for a notice; `key` is the routing key of PagerDuty, or the access token of ntfy.
pub(super) fn request(
    format: WebhookFormat,
    notice: &Notice,
    links: &NoticeLinks,
    key: Option<&str>,
) -> ReceiverRequest {
    let told = ToldNotice::of(notice, links);
    match format {
        WebhookFormat::Json => ReceiverRequest::json(&json(notice, links)),
        WebhookFormat::Slack => ReceiverRequest::json(&slack::message(&told)),
        WebhookFormat::Teams => ReceiverRequest::json(&teams::card(&told)),
        WebhookFormat::Pagerduty => ReceiverRequest::json(&pagerduty::event(notice, &told, key.unwrap_or_default())),
        WebhookFormat::Ntfy => ntfy::request(&told, key),
    }
}

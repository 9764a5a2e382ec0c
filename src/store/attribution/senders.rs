//! A segment's senders, as a judge of them asks.

use crate::model::event::Kind;
use crate::model::log_kinds::is_mta;
use crate::normalise::judge::{RowEvidence, StoredFacts};
use crate::store::columnar::StoredSender;

/// What a source's rows of a kind tell.
fn told(source_kind: &str, kind: &str) -> RowEvidence {
    match kind {
        _ if !is_mta(source_kind) => RowEvidence::Application,
        kind if kind == Kind::Accepted.as_str() => RowEvidence::Arrival,
        kind if kind == Kind::Rejected.as_str() => RowEvidence::Refused,
        _ => RowEvidence::Delivery,
    }
}

/// A segment's sender, for a judge.
pub(super) fn facts<'a>(sender: &StoredSender<'a>, host: &'a str, source_kind: &str) -> StoredFacts<'a> {
    StoredFacts {
        told: told(source_kind, sender.kind),
        service: sender.service,
        client: sender.client,
        client_ip: sender.client_ip,
        sender_local: sender.sender_local,
        sender_domain: sender.sender_domain,
        origin: sender.origin,
        host,
    }
}

/// A sender as rows of a source have it: service, client, address, local part, domain, whose mail it is.
pub(crate) type SenderKey = (i64, RowEvidence, [String; 6]);

/// Senders whose service is remembered.
pub(crate) const JUDGED_MAX: usize = 100_000;

/// The key of a sender.
pub(crate) fn sender_key(source: i64, facts: &StoredFacts<'_>) -> SenderKey {
    let texts = [
        facts.service,
        facts.client,
        facts.client_ip,
        facts.sender_local,
        facts.sender_domain,
        facts.origin,
    ];
    (source, facts.told, texts.map(str::to_owned))
}

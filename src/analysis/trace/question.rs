//! What a mail is looked up by.

use crate::model::queue_id::exim_time_ms;
use crate::model::time::UtcMs;
use crate::normalise::redact::{LocalParts, Redactor, is_pseudonym, message_key};
use crate::query::quoted;
use crate::store::columnar::LookupKey;

/// Shortest and longest queue ID of the MTAs that are read: Postfix' short ones, Exim's of 4.97.
const QUEUE_ID_BYTES: std::ops::RangeInclusive<usize> = 5..=23;

/// Rows that each mail has of its sender.
const ARRIVALS: &str = "kind IN ('accepted', 'submitted', 'submit_failed', 'rejected')";

/// What a text may mean.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct TraceQuestion {
    /// A queue ID.
    pub queue_id: Option<String>,
    /// When a mail of this queue ID arrived, UTC milliseconds, where an ID holds it.
    pub arrived_ms: Option<UtcMs>,
    /// The key of a Message-ID.
    pub message_key: Option<u64>,
    /// An address as it is stored: local part and domain.
    pub address: Option<(String, String)>,
}

impl TraceQuestion {
    /// What a text may mean; addresses are looked up by what a redactor makes of them. Without one, no address is known, but
    /// for one that bears the hash of its local part, as answers show it.
    ///
    /// # Errors
    /// It is neither a queue ID nor a Message-ID nor an address that the store can know.
    pub(crate) fn of(text: &str, redactor: Option<&Redactor>) -> Result<TraceQuestion, String> {
        let text = text.trim();
        let text = text
            .strip_prefix('<')
            .and_then(|text| text.strip_suffix('>'))
            .unwrap_or(text);
        let is_id = |text: &str| text.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-');
        if QUEUE_ID_BYTES.contains(&text.len()) && is_id(text) {
            return Ok(TraceQuestion {
                queue_id: Some(text.to_owned()),
                arrived_ms: exim_time_ms(text.as_bytes()),
                ..TraceQuestion::default()
            });
        }
        let parts = text.rsplit_once('@');
        if text.is_empty() || text.chars().any(char::is_whitespace) || parts.is_none_or(|(_, right)| right.is_empty()) {
            return Err(format!(
                "`{}` is neither a queue ID (1rTQGH-00000005x3P-2b9N, 4XyZ1234) nor a Message-ID (<x@example.org>) nor an address \
                 (user@example.org)",
                text.escape_debug()
            ));
        }
        let mode = redactor.map(Redactor::mode);
        let stored = |(local, domain): (&str, &str)| {
            let local = match is_pseudonym(local) {
                true => local.to_owned(),
                false => String::from_utf8(redactor?.stored(text.as_bytes())).ok()?,
            };
            Some((local, domain.to_ascii_lowercase()))
        };
        Ok(TraceQuestion {
            message_key: Some(message_key(text.as_bytes())),
            address: parts.filter(|_| mode != Some(LocalParts::Drop)).and_then(stored),
            ..TraceQuestion::default()
        })
    }

    /// Conditions on rows of `events`, of which any may hold, each with the key of its rows, if they have one. They are asked one by one: each leaves out most rows by columns of
    /// few values, which no `OR` over them could.
    pub(super) fn conditions(&self) -> Vec<(String, Vec<LookupKey>)> {
        let mut any = Vec::new();
        if let Some(id) = &self.queue_id {
            let key = LookupKey::of_queue_id(id.as_bytes());
            any.push((format!("queue_id = {}", quoted(id)), key.into_iter().collect()));
        }
        if let Some(key) = self.message_key {
            any.push((format!("message_key = {key}"), Vec::new()));
        }
        if let Some((local, domain)) = &self.address {
            let key = LookupKey::of_address(local, domain);
            let (local, domain) = (quoted(local), quoted(domain));
            // Domains are stored as a log spells them, nearly always in small letters.
            let recipient = format!("LOWER(recipient_domain) = {domain} AND recipient_local = {local}");
            let sender = format!("{ARRIVALS} AND LOWER(sender_domain) = {domain} AND sender_local = {local}");
            any.extend([recipient, sender].map(|condition| (condition, vec![key])));
        }
        any
    }

    /// As what a text was looked up, for people.
    pub(crate) fn words(&self) -> String {
        let kinds = [
            (self.queue_id.is_some(), "queue ID"),
            (self.message_key.is_some(), "Message-ID"),
            (self.address.is_some(), "address of a sender or recipient"),
        ];
        let meant: Vec<&str> = kinds
            .iter()
            .filter(|(is_it, _)| *is_it)
            .map(|(_, word)| *word)
            .collect();
        meant.join(" and ")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn redactor(mode: LocalParts) -> Redactor {
        Redactor::new(mode, [7; 32])
    }

    #[test]
    fn a_text_is_a_queue_id_or_a_message_id_and_an_address() {
        let keep = redactor(LocalParts::Keep);
        let of = |text| TraceQuestion::of(text, Some(&keep)).unwrap();
        // 2018-06-06 18:55:00 UTC, by Exim's own arithmetic.
        let id = of("1fQdSG-0001Ab-Cd");
        assert_eq!(id.conditions(), [("queue_id = '1fQdSG-0001Ab-Cd'".to_owned(), vec![])]);
        assert_eq!(id.arrived_ms.map(|at| at.day().get()), Some(17_688));
        assert_eq!(of("4XyZ1234").arrived_ms, None);
        let both = of("<It's@Example.org>");
        assert_eq!(both.address, Some(("It's".to_owned(), "example.org".to_owned())));
        let conditions = both.conditions();
        assert_eq!(conditions.len(), 3);
        assert!(conditions[1].0.contains("recipient_local = 'It''s'"), "{conditions:?}");
        assert_eq!(both.words(), "Message-ID and address of a sender or recipient");
        for wrong in ["", "<>", "a b@example.org", "x@", "no.address", "1fQ"] {
            assert!(TraceQuestion::of(wrong, Some(&keep)).is_err(), "{wrong}");
        }
    }

    #[test]
    fn an_address_is_looked_up_as_it_is_stored() {
        let address = "root@example.org";
        let of = |mode| TraceQuestion::of(address, Some(&redactor(mode))).unwrap().address;
        let hash = String::from_utf8(redactor(LocalParts::Hash).stored(address.as_bytes())).unwrap();
        assert_eq!(of(LocalParts::Hash), Some((hash, "example.org".to_owned())));
        assert_eq!(of(LocalParts::Drop), None);
        assert_eq!(TraceQuestion::of(address, None).unwrap().address, None);
    }

    #[test]
    fn a_hash_is_looked_up_as_it_is_and_needs_no_key() {
        let hash = redactor(LocalParts::Hash).stored(b"root@example.org");
        let hashed = format!("{}@Example.ORG", String::from_utf8(hash.clone()).unwrap());
        let stored = Some((String::from_utf8(hash).unwrap(), "example.org".to_owned()));
        let of = |redactor: Option<&Redactor>| TraceQuestion::of(&hashed, redactor).unwrap().address;
        assert_eq!(of(None), stored);
        assert_eq!(of(Some(&redactor(LocalParts::Hash))), stored);
        assert_eq!(of(Some(&redactor(LocalParts::Drop))), None);
        // Seven letters are no hash.
        assert_eq!(TraceQuestion::of("~AbCdEfG@example.org", None).unwrap().address, None);
    }
}

//! What the remote sides said of mail that failed or was put off: the most frequent reply, by its codes and its reason.

use crate::detect::alarm::{Alarm, Scope, State};
use crate::detect::fleet::{Id, Names};
use crate::detect::impact::{Impact, ServiceImpact};
use crate::query::history::MailHistory;
use crate::query::{QueryError, Window, quoted};
use std::collections::{BTreeMap, BTreeSet};

/// The reply that came most often.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct FrequentReply {
    /// SMTP code.
    pub smtp_code: Option<i64>,
    /// `5.7.1`; empty if it had none.
    pub enhanced_code: String,
    /// Its class.
    pub reason: String,
    /// The provider's own code; empty if it had none.
    pub provider_code: String,
    /// How often it came.
    pub times: i64,
    /// The words that came most often with it, where they are kept.
    pub said: String,
}

impl FrequentReply {
    /// `550 5.7.1 policy`, with the provider's own code in place of the enhanced one if that says more.
    pub(crate) fn words(&self) -> String {
        let smtp = self.smtp_code.map(|code| code.to_string());
        let words = [smtp.as_deref().unwrap_or_default(), &self.enhanced_code, &self.reason];
        let mut words: Vec<&str> = words.into_iter().filter(|word| !word.is_empty()).collect();
        if !self.provider_code.is_empty() && self.provider_code != self.enhanced_code {
            words.push(&self.provider_code);
        }
        words.join(" ")
    }
}

/// Most frequent replies of what failed, and of what was put off.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Replies {
    failed: BTreeMap<Scope, FrequentReply>,
    deferred: BTreeMap<Scope, FrequentReply>,
}

impl Replies {
    /// Of an alarm, or of a service that has an impact.
    pub(crate) fn of(&self, scope: Scope, state: State) -> Option<&FrequentReply> {
        match state {
            State::Failing => self.failed.get(&scope),
            // It may also refuse.
            State::Throttled => {
                let both = [self.failed.get(&scope), self.deferred.get(&scope)];
                both.into_iter().flatten().max_by_key(|reply| reply.times)
            }
            _ => None,
        }
    }
}

/// What is asked of events: the columns that name a scope, with their numbers in a fleet.
const OF_SERVICES: &str = "service";
const OF_RELAYS: &str = "relay";
const OF_PROVIDERS: &str = "provider";

/// Replies in a window to what alarms and impacts are about; nothing is read where there is none.
pub(super) fn replies(
    store: &dyn MailHistory,
    names: &Names,
    alarms: &[Alarm],
    services: &[ServiceImpact],
    window: Window,
) -> Result<Replies, QueryError> {
    let mut failed = BTreeSet::new();
    let mut deferred = BTreeSet::new();
    for alarm in alarms.iter().filter(|alarm| alarm.state.is_of_outcomes()) {
        failed.insert(alarm.scope);
        if alarm.state == State::Throttled {
            deferred.insert(alarm.scope);
        }
    }
    let bounced = services.iter().filter(|one| one.impact == Impact::Bounced);
    failed.extend(bounced.map(|one| Scope::Service(one.service)));
    Ok(Replies {
        failed: frequent(
            store,
            names,
            "kind IN ('bounced', 'expired', 'discarded')",
            &failed,
            window,
        )?,
        deferred: frequent(store, names, "kind = 'deferred'", &deferred, window)?,
    })
}

/// The reply that came most often until an alarm of outcomes was found; what came later does not speak for it.
///
/// # Errors
/// The history cannot be read.
pub(crate) fn reply_until_found(
    store: &dyn MailHistory,
    names: &Names,
    alarm: &Alarm,
) -> Result<Option<FrequentReply>, QueryError> {
    if !alarm.state.is_of_outcomes() {
        return Ok(None);
    }
    let window = Window {
        since_ms: alarm.onset.start(),
        until_ms: alarm.detected.start(),
    };
    let replies = replies(store, names, std::slice::from_ref(alarm), &[], window)?;
    Ok(replies.of(alarm.scope, alarm.state).cloned())
}

fn frequent(
    store: &dyn MailHistory,
    names: &Names,
    kinds: &str,
    scopes: &BTreeSet<Scope>,
    window: Window,
) -> Result<BTreeMap<Scope, FrequentReply>, QueryError> {
    let mut replies = Vec::new();
    let id = |known: &[String], name: &str| known.iter().position(|one| one == name).map(|at| at as Id);
    for column in [OF_SERVICES, OF_RELAYS, OF_PROVIDERS] {
        let scope_of = |name: &str| match column {
            OF_SERVICES => id(&names.services, name).map(Scope::Service),
            OF_RELAYS => id(&names.hosts, name).map(Scope::Relay),
            _ => id(&names.providers, name).map(Scope::Provider),
        };
        let is_of = |scope: &Scope| match scope {
            Scope::Service(_) => column == OF_SERVICES,
            Scope::Relay(_) => column == OF_RELAYS,
            Scope::Provider(_) => column == OF_PROVIDERS,
            _ => false,
        };
        if !scopes.iter().any(is_of) {
            continue;
        }
        let table = store.select(
            &format!(
                "SELECT {column} AS about, smtp_code, enhanced_code, reason, provider_code, COUNT(*) AS times FROM events \
                 WHERE {kinds} AND {} GROUP BY {column}, smtp_code, enhanced_code, reason, provider_code",
                store.view().condition()
            ),
            window,
        )?;
        for row in 0..table.rows() {
            let Some(scope) = scope_of(table.text(0, row)).filter(|scope| scopes.contains(scope)) else {
                continue;
            };
            let reply = FrequentReply {
                smtp_code: table.number(1, row),
                enhanced_code: table.text(2, row).to_owned(),
                reason: table.text(3, row).to_owned(),
                provider_code: table.text(4, row).to_owned(),
                times: table.number(5, row).unwrap_or(0),
                said: String::new(),
            };
            replies.push((scope, reply));
        }
    }
    let mut all = most_frequent(replies);
    for (scope, reply) in &mut all {
        reply.said = said(store, (scope.named(names), kinds), reply, window)?;
    }
    Ok(all)
}

/// The reply that came most often, by what it is about; of two that came as often the one that is first by its words, whoever
/// answers. None where most mail failed without a word: replies to the rest say nothing of it.
fn most_frequent(replies: Vec<(Scope, FrequentReply)>) -> BTreeMap<Scope, FrequentReply> {
    let mut all: BTreeMap<Scope, FrequentReply> = BTreeMap::new();
    for (scope, reply) in replies {
        let best = all.entry(scope).or_default();
        if (reply.times, best.words()) > (best.times, reply.words()) {
            *best = reply;
        }
    }
    all.retain(|_, reply| !reply.words().is_empty());
    all
}

/// The words that came most often with a reply; nothing where none are kept.
fn said(
    store: &dyn MailHistory,
    ((about, name), kinds): ((&str, &str), &str),
    reply: &FrequentReply,
    window: Window,
) -> Result<String, QueryError> {
    let text = format!(
        "SELECT reply, COUNT(*) AS times FROM events WHERE {kinds} AND {about} = {} AND reason = {} AND enhanced_code = {} \
         AND reply <> '' AND {} GROUP BY reply ORDER BY times DESC, reply LIMIT 1",
        quoted(name),
        quoted(&reply.reason),
        quoted(&reply.enhanced_code),
        store.view().condition()
    );
    let table = store.select(&text, window)?;
    Ok(match table.rows() {
        0 => String::new(),
        _ => table.text(0, 0).to_owned(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn reply(reason: &str, times: i64) -> FrequentReply {
        FrequentReply {
            reason: reason.to_owned(),
            times,
            ..FrequentReply::default()
        }
    }

    #[test]
    fn what_failed_without_a_word_is_not_told_by_the_words_of_the_rest() {
        let (silent, told) = (Scope::Service(1), Scope::Service(2));
        let found = most_frequent(vec![
            (silent, reply("policy", 1)),
            (silent, reply("", 4)),
            (told, reply("", 2)),
            (told, reply("mailbox_full", 3)),
            (told, reply("bad_recipient", 3)),
        ]);
        assert_eq!(found, [(told, reply("bad_recipient", 3))].into());
    }
}

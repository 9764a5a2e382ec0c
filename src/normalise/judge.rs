//! Stored mail attributed anew: by today's rules, from what a row still knows of its mail. Where the row knows too little,
//! the answer is that nobody can say.

use super::attribution::Attribution;
use crate::model::direction::MailOrigin;
use crate::model::service_names::{BOUNCES, INBOUND, UNATTRIBUTED};
use crate::normalise::ours::HandedIn;
use crate::normalise::redact::{LocalParts, PSEUDONYM_LEN};
use crate::normalise::rules::{FactKey, Facts, KnownFacts, candidates, derive};
use std::net::IpAddr;

/// What a row tells.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum RowEvidence {
    /// A message came in.
    Arrival,
    /// What became of one.
    Delivery,
    /// Mail was refused: strangers make no services.
    Refused,
    /// An application's log speaks of a mail.
    Application,
}

/// Who sent a mail, as a row says.
#[derive(Debug, Clone, Copy)]
pub struct StoredFacts<'a> {
    /// What the row tells.
    pub told: RowEvidence,
    /// The service that it has.
    pub service: &'a str,
    /// Name of whoever handed it in; the log's own host for mail that was handed in by a command.
    pub client: &'a str,
    /// Address; empty if there is none.
    pub client_ip: &'a str,
    /// The sender's local part, as stored.
    pub sender_local: &'a str,
    /// The sender's domain.
    pub sender_domain: &'a str,
    /// Whose mail it is; empty in rows of earlier versions.
    pub origin: &'a str,
    /// Whose log.
    pub host: &'a str,
}

/// What is known beside the row.
pub struct Beside<'a> {
    /// Names that were derived for this log's mails.
    pub is_derived: &'a dyn Fn(&str) -> bool,
    /// Services that a source's configuration gives to its log, or a kind of log has.
    pub of_logs: &'a [String],
}

/// Why nobody can say.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Undecided {
    /// The sender's local part is a pseudonym, or left out.
    LocalPart,
    /// Who was authenticated is not stored.
    Auth,
    /// The local user is not stored.
    User,
    /// The Message-ID is not stored.
    MessageId,
    /// Router and transport are not stored.
    Route,
    /// A sender that was refused is a service's from its first mail on, and which was first is not stored.
    Refused,
    /// The application's log may name the service itself.
    Application,
    /// The arrival has not been read.
    Orphan,
    /// An earlier version did not store whose mail it is.
    Origin,
}

impl Undecided {
    /// In words.
    pub fn as_str(self) -> &'static str {
        match self {
            Undecided::LocalPart => "the sender's local part is not stored in clear",
            Undecided::Auth => "who was authenticated is not stored",
            Undecided::User => "the local user is not stored",
            Undecided::MessageId => "the Message-ID is not stored",
            Undecided::Route => "router and transport are not stored",
            Undecided::Refused => "it is not stored whether the sender was known when it was refused",
            Undecided::Application => "the application's log may name the service itself",
            Undecided::Orphan => "the arrival has not been read",
            Undecided::Origin => "it is not stored whether a client from the outside was authenticated",
        }
    }

    fn of(key: FactKey) -> Undecided {
        match key {
            FactKey::Auth => Undecided::Auth,
            FactKey::User => Undecided::User,
            FactKey::MessageIdHost => Undecided::MessageId,
            FactKey::Router | FactKey::Transport => Undecided::Route,
            _ => Undecided::LocalPart,
        }
    }
}

/// The service of a stored row.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Judgement {
    /// This one.
    Is(String),
    /// One of these, or, if `any`, one that nobody can name.
    Unknown {
        /// Services that may be its.
        may_be: Vec<String>,
        /// Others may be too.
        any: bool,
        /// What would have to be known.
        lacks: Undecided,
    },
}

impl Judgement {
    /// Whether it may be this service.
    pub fn may_be(&self, service: &str) -> bool {
        match self {
            Judgement::Is(is) => is == service,
            Judgement::Unknown { may_be, any, .. } => *any || may_be.iter().any(|name| name == service),
        }
    }
}

/// The hostgroup of a stored row: all that decides is stored.
pub fn hostgroup<'a>(with: &'a Attribution, row: &StoredFacts<'_>) -> &'a str {
    let client_ip = row.client_ip.parse().ok();
    with.hostgroups
        .find(Some(row.client.as_bytes()), client_ip)
        .unwrap_or_default()
}

/// What is certain of a row that an application's log has told, before any rule.
fn told_by_application(with: &Attribution, row: &StoredFacts<'_>, beside: &Beside<'_>) -> Option<Judgement> {
    if row.told != RowEvidence::Application {
        return None;
    }
    if beside.of_logs.iter().any(|name| name == row.service) {
        return Some(Judgement::Is(row.service.to_owned()));
    }
    let is_named_here =
        row.service == UNATTRIBUTED || (beside.is_derived)(row.service) || with.services.spelt(row.service).is_some();
    // A rule that there is no more gave it, or whoever read the log said so: that goes before all rules.
    (!is_named_here).then(|| Judgement::Unknown {
        may_be: vec![row.service.to_owned()],
        any: false,
        lacks: Undecided::Application,
    })
}

/// Attributes a stored row. A name that is derived for the first time is not looked at for its room.
pub fn judge(with: &Attribution, row: &StoredFacts<'_>, beside: &Beside<'_>) -> Judgement {
    if let Some(judgement) = told_by_application(with, row, beside) {
        return judgement;
    }
    let client_ip: Option<IpAddr> = row.client_ip.parse().ok();
    if row.told != RowEvidence::Application && row.origin == MailOrigin::Outside.as_str() {
        return Judgement::Is(row.service.to_owned());
    }
    let is_own = client_ip.is_none() && row.client == row.host && row.told != RowEvidence::Application;
    let mut facts = Facts {
        client_name: Some(row.client.as_bytes()).filter(|client| !client.is_empty() && !is_own),
        client_ip,
        host: row.host,
        ..Facts::default()
    };
    if row.told != RowEvidence::Application && row.origin.is_empty() && !is_own {
        let handed_in = HandedIn {
            client_name: facts.client_name,
            client_ip,
            is_authenticated: false,
            host: row.host,
        };
        if with.ours.origin(&handed_in) == MailOrigin::Outside {
            return Judgement::Unknown {
                may_be: vec![row.service.to_owned(), INBOUND.to_owned()],
                any: false,
                lacks: Undecided::Origin,
            };
        }
    }
    let mut unknown = not_stored(row.told, is_own);
    let domain_only = format!("@{}", row.sender_domain);
    let is_pseudonym = row.sender_local.starts_with('~') && row.sender_local.len() == PSEUDONYM_LEN;
    let hash = |address: &[u8]| match (with.redactor.mode(), is_pseudonym) {
        (LocalParts::Hash, true) => Some(with.redactor.stored(address) == row.sender_local.as_bytes()),
        _ => None,
    };
    let sender = sender(row, is_pseudonym, &hash, &facts);
    match &sender {
        SenderEvidence::Is(address) => facts.sender = Some(address),
        SenderEvidence::AtDomain => facts.sender = Some(domain_only.as_bytes()),
        SenderEvidence::Unknown => unknown.push(FactKey::Sender),
    }
    let known = KnownFacts {
        facts,
        unknown: &unknown,
        is_sender: matches!(sender, SenderEvidence::AtDomain).then_some(&hash),
    };
    let possible = with.services.possible(&known);
    let names = possible.services.iter().map(|service| with.services.name(*service));
    let mut may_be: Vec<String> = names.map(str::to_owned).collect();
    let mut lacks = possible.lacks.map(Undecided::of);
    let mut any = false;
    if possible.none {
        match unnamed(with, row, beside, &known, &sender) {
            Ok(name) if may_be.contains(&name) => {}
            Ok(name) => may_be.push(name),
            Err(lack) => {
                any = true;
                lacks = lacks.or(Some(lack));
            }
        }
    }
    match (may_be.as_slice(), any) {
        ([only], false) => Judgement::Is(only.clone()),
        _ => Judgement::Unknown {
            may_be,
            any,
            lacks: lacks.unwrap_or(Undecided::LocalPart),
        },
    }
}

/// What a row says nothing of, whatever its sender.
fn not_stored(told: RowEvidence, is_own: bool) -> Vec<FactKey> {
    let mut unknown = match (told, is_own) {
        (RowEvidence::Application, _) => vec![],
        (_, true) => vec![FactKey::User, FactKey::MessageIdHost],
        (_, false) => vec![FactKey::Auth, FactKey::MessageIdHost],
    };
    if told == RowEvidence::Delivery {
        unknown.extend([FactKey::Router, FactKey::Transport]);
    }
    unknown
}

/// What is known of the sender.
enum SenderEvidence {
    Is(Vec<u8>),
    /// The domain.
    AtDomain,
    /// Nothing, or that there is none.
    Unknown,
}

fn sender(
    row: &StoredFacts<'_>,
    is_pseudonym: bool,
    hash: &dyn Fn(&[u8]) -> Option<bool>,
    facts: &Facts<'_>,
) -> SenderEvidence {
    let (local, domain) = (row.sender_local.as_bytes(), row.sender_domain.as_bytes());
    match (local.is_empty(), domain.is_empty()) {
        (true, true) if matches!(row.told, RowEvidence::Arrival | RowEvidence::Delivery) => {
            SenderEvidence::Is(Vec::new())
        }
        (true, true) => SenderEvidence::Unknown,
        (true, false) => SenderEvidence::AtDomain,
        (false, no_domain) if !is_pseudonym => SenderEvidence::Is(match no_domain {
            true => local.to_vec(),
            false => [local, b"@", domain].concat(),
        }),
        (false, _) => {
            // Local parts that are nobody's, and those that name services: of these a pseudonym can be told.
            let address = |word: String| [word.as_bytes(), b"@", domain].concat();
            let found = candidates(domain, facts).into_iter().map(address);
            let mut found = found.filter(|address| hash(address) == Some(true));
            found.next().map_or(SenderEvidence::AtDomain, SenderEvidence::Is)
        }
    }
}

/// The service of a mail that no rule names.
fn unnamed(
    with: &Attribution,
    row: &StoredFacts<'_>,
    beside: &Beside<'_>,
    known: &KnownFacts<'_>,
    sender: &SenderEvidence,
) -> Result<String, Undecided> {
    let KnownFacts { facts, unknown, .. } = known;
    let stored = row.service.to_owned();
    let was_derived = (beside.is_derived)(row.service) && with.services.spelt(row.service).is_none();
    if !with.derive {
        // Its channel names an application's mail, whatever the rules.
        return match row.told {
            RowEvidence::Application if stored != UNATTRIBUTED && derived(with, facts, sender, unknown)? != stored => {
                Err(Undecided::Application)
            }
            _ => Ok(UNATTRIBUTED.to_owned()),
        };
    }
    if was_derived {
        return Ok(stored);
    }
    let spelt = |name: String| with.services.spelt(&name).map(str::to_owned).unwrap_or(name);
    match row.told {
        RowEvidence::Refused if stored == UNATTRIBUTED && matches!(sender, SenderEvidence::Unknown) => Ok(stored),
        RowEvidence::Refused => Err(Undecided::Refused),
        _ => derived(with, facts, sender, unknown).map(spelt),
    }
}

/// The derived name, if what is not known does not touch it.
fn derived(
    with: &Attribution,
    facts: &Facts<'_>,
    sender: &SenderEvidence,
    unknown: &[FactKey],
) -> Result<String, Undecided> {
    if !matches!(sender, SenderEvidence::Is(_)) {
        return Err(Undecided::LocalPart);
    }
    let name = derive(facts, with.naming());
    if name == BOUNCES {
        return Ok(name);
    }
    // A user that would show if users were asked for, and an account.
    let probes: [(FactKey, &[&[u8]], Undecided); 2] = [
        (FactKey::Auth, &[b"plain:qqqq"], Undecided::Auth),
        (FactKey::User, &[b"cron", b"root"], Undecided::User),
    ];
    for (key, values, lack) in probes {
        let shows = |value: &&[u8]| {
            let with_it = match key {
                FactKey::Auth => Facts {
                    auth: Some(value),
                    ..*facts
                },
                _ => Facts {
                    user: Some(value),
                    ..*facts
                },
            };
            derive(&with_it, with.naming()) != name
        };
        if unknown.contains(&key) && values.iter().any(shows) {
            return Err(lack);
        }
    }
    Ok(name)
}

#[cfg(test)]
#[path = "judge_tests.rs"]
mod tests;

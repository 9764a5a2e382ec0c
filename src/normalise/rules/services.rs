//! Service rules: the first service in file order that has an entry of which every condition holds.
//!
//! Every entry is filed under **one** of its conditions, the one that most mails fail (a literal, else a network, else
//! a glob); the others are tested only when that one holds. A lookup is thus one hash lookup and one short trie walk
//! per key in use, whatever the number of rules. Entries are numbered in file order and the lowest number wins.

use ipnet::IpNet;
use prefix_trie::joint::JointPrefixMap;

use super::condition::{Condition, ConditionTrace};
use super::facts::{FactKey, FactView, Facts};
use super::index::{NONE, TextIndex};

/// A service and its entries, as written.
#[derive(Debug, Clone, Default)]
pub struct RuleInput {
    /// Name of the service.
    pub service: String,
    /// Any of these suffices.
    pub entries: Vec<EntryInput>,
}

/// One entry, as written: all of its conditions must hold.
#[derive(Debug, Clone, Default)]
pub struct EntryInput {
    /// Keys with their patterns.
    pub conditions: Vec<(FactKey, String)>,
}

/// A condition that cannot be compiled, and where it stands.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{what}; {hint}")]
pub struct PatternProblem {
    /// Number of the rule, from 0.
    pub rule: usize,
    /// Number of the entry in its rule, from 0.
    pub entry: usize,
    /// The condition; `None` if the entry as a whole is at fault.
    pub key: Option<FactKey>,
    /// What is wrong.
    pub what: String,
    /// What to do about it.
    pub hint: String,
}

/// Which rule named the service.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Match {
    /// Number of the service, for [`ServiceRules::name`].
    pub service: usize,
    /// Number of the entry in its service, from 0.
    pub entry: usize,
}

/// One entry of which at least one condition held.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EntryTrace {
    /// Which entry.
    pub at: Match,
    /// All of its conditions.
    pub conditions: Vec<ConditionTrace>,
}

impl EntryTrace {
    /// Whether all conditions held. Of several such entries the first names the service.
    #[must_use]
    pub fn held(&self) -> bool {
        self.conditions.iter().all(|condition| condition.held)
    }
}

#[derive(Debug)]
struct RuleEntry {
    at: Match,
    /// The first is the one it is filed under.
    conditions: Vec<Condition>,
}

/// Compiled service rules.
#[derive(Debug, Default)]
pub struct ServiceRules {
    names: Vec<String>,
    entries: Vec<RuleEntry>,
    texts: [TextIndex; FactKey::TEXTS],
    nets: JointPrefixMap<IpNet, Vec<u32>>,
    /// Bit `1 << key` for each key that some condition asks for.
    used: u16,
    /// Bit `1 << key` for each key that some entry is filed under.
    filed: u16,
}

impl ServiceRules {
    /// Compiles the rules, or says all that is wrong with them.
    pub fn compile(rules: Vec<RuleInput>) -> Result<Self, Vec<PatternProblem>> {
        let mut compiled = Self::default();
        let mut problems = Vec::new();
        for (service, rule) in rules.into_iter().enumerate() {
            compiled.names.push(rule.service);
            for (entry, input) in rule.entries.into_iter().enumerate() {
                compiled.add(Match { service, entry }, input, &mut problems);
            }
        }
        if problems.is_empty() {
            Ok(compiled)
        } else {
            Err(problems)
        }
    }

    fn add(&mut self, at: Match, input: EntryInput, problems: &mut Vec<PatternProblem>) {
        let mut problem = |key, (what, hint)| {
            problems.push(PatternProblem {
                rule: at.service,
                entry: at.entry,
                key,
                what,
                hint,
            });
        };
        if input.conditions.is_empty() {
            let hint = "add at least one key: an empty entry would match every mail".to_owned();
            problem(None, ("this entry has no condition".to_owned(), hint));
        }
        let mut conditions = Vec::with_capacity(input.conditions.len());
        for (key, pattern) in input.conditions {
            match Condition::compile(key, &pattern) {
                Ok(condition) => conditions.push(condition),
                Err(why) => problem(Some(key), why),
            }
        }
        conditions.sort_by_key(Condition::selectivity);
        let number = self.entries.len() as u32;
        for condition in &conditions {
            self.used |= 1 << condition.key() as u16;
        }
        match conditions.first() {
            Some(Condition::Text(key, pattern)) => {
                self.filed |= 1 << *key as u16;
                self.texts[*key as usize].add(number, pattern);
            }
            Some(Condition::Net(_, net)) => self.nets.entry(*net).or_default().push(number),
            None => {}
        }
        self.entries.push(RuleEntry { at, conditions });
    }

    /// The first service whose rule matches.
    #[must_use]
    pub fn find(&self, facts: &Facts<'_>) -> Option<Match> {
        let view = FactView::new(facts, self.used);
        let accept = |number: u32| {
            self.entries[number as usize].conditions[1..]
                .iter()
                .all(|c| c.holds(&view))
        };
        let mut best = NONE;
        let mut filed = self.filed;
        while filed != 0 {
            let slot = filed.trailing_zeros() as usize;
            filed &= filed - 1;
            if let Some(text) = view.slot(slot) {
                best = self.texts[slot].lowest(text, best, accept);
            }
            if slot == FactKey::Auth as usize
                && let Some(id) = view.auth_id()
            {
                best = self.texts[slot].lowest(id, best, accept);
            }
        }
        if let Some(ip) = view.ip
            && !self.nets.is_empty()
        {
            for numbers in self.nets.cover_values(&IpNet::from(ip)) {
                let found = numbers
                    .iter()
                    .take_while(|&&number| number < best)
                    .find(|&&number| accept(number));
                best = found.copied().unwrap_or(best);
            }
        }
        (best != NONE).then(|| self.entries[best as usize].at)
    }

    /// What tells these rules from others: equal rules in the same order have one digest.
    #[must_use]
    pub fn digest(&self) -> blake3::Hash {
        let mut hasher = blake3::Hasher::new();
        let mut text = |text: &str| {
            hasher
                .update(&(text.len() as u64).to_le_bytes())
                .update(text.as_bytes());
        };
        for (service, conditions) in self.entries() {
            text(&self.names[service]);
            for condition in conditions {
                text(condition.key().name());
                text(&condition.written());
            }
        }
        hasher.finalize()
    }

    /// Entries in file order: the service's number, and what must hold.
    pub(super) fn entries(&self) -> impl Iterator<Item = (usize, &[Condition])> {
        self.entries
            .iter()
            .map(|entry| (entry.at.service, entry.conditions.as_slice()))
    }

    /// Name of a service.
    #[must_use]
    pub fn name(&self, service: usize) -> &str {
        &self.names[service]
    }

    /// Names of all services, in file order.
    pub fn names(&self) -> impl ExactSizeIterator<Item = &str> {
        self.names.iter().map(String::as_str)
    }

    /// The name of the service that has this one in any case, as the rules spell it.
    #[must_use]
    pub(crate) fn spelt(&self, name: &str) -> Option<&str> {
        let known = self.names.iter().find(|known| known.eq_ignore_ascii_case(name));
        known.map(String::as_str)
    }

    /// Whether there is no rule at all.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.names.is_empty()
    }

    /// Whether some rule asks for router or transport, so that the arrival alone cannot decide.
    #[must_use]
    pub fn needs_delivery(&self) -> bool {
        self.used & (1 << FactKey::Router as u16 | 1 << FactKey::Transport as u16) != 0
    }

    /// Whether some rule asks who was authenticated.
    #[must_use]
    pub(crate) fn needs_auth(&self) -> bool {
        self.used & (1 << FactKey::Auth as u16) != 0
    }

    /// Whether some rule asks for the host in the Message-ID.
    #[must_use]
    pub(crate) fn needs_message_id(&self) -> bool {
        self.used & (1 << FactKey::MessageIdHost as u16) != 0
    }

    /// Whether the entry that matched asks for router or transport.
    #[must_use]
    pub(crate) fn uses_route(&self, found: Match) -> bool {
        let entry = self.entries.iter().find(|entry| entry.at == found);
        entry.is_some_and(|entry| {
            entry
                .conditions
                .iter()
                .any(|c| matches!(c.key(), FactKey::Router | FactKey::Transport))
        })
    }

    /// The entries that matched, and those that came near, in file order, with every condition. Slow: for people.
    #[must_use]
    pub fn explain(&self, facts: &Facts<'_>) -> Vec<EntryTrace> {
        let view = FactView::new(facts, self.used);
        let trace = |entry: &RuleEntry| EntryTrace {
            at: entry.at,
            conditions: entry
                .conditions
                .iter()
                .map(|condition| condition.trace(&view))
                .collect(),
        };
        let mut traces: Vec<_> = self.entries.iter().map(trace).collect();
        traces.retain(|entry| entry.conditions.iter().any(|condition| condition.held));
        traces
    }
}

#[cfg(test)]
#[path = "services_tests.rs"]
mod tests;

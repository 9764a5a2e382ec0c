//! Which rules may name a mail of which only a part is known any more: a stored row has no authenticated user, no
//! Message-ID and no router, and of a local part often a pseudonym alone.

use super::condition::Condition;
use super::facts::{FactKey, FactView, Facts, domain_of};
use super::pattern::Pattern;
use super::services::ServiceRules;

/// Whether an address, in lower case, is the sender's; none where nobody can tell.
type IsSender<'a> = &'a dyn Fn(&[u8]) -> Option<bool>;

/// A mail as far as it is known.
pub struct KnownFacts<'a> {
    /// What is known. A sender whose local part is not known is `@domain`.
    pub facts: Facts<'a>,
    /// Facts that nobody knows.
    pub unknown: &'a [FactKey],
    /// Where the sender's local part is not known: who can compare it.
    pub is_sender: Option<IsSender<'a>>,
}

/// What rules may say.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Possible {
    /// Numbers of the services, each once, in the order of the rules.
    pub services: Vec<usize>,
    /// Whether it may be that none matches.
    pub none: bool,
    /// The first fact that is not known and decides.
    pub lacks: Option<FactKey>,
}

impl ServiceRules {
    /// The services that may be the mail's. Slower than [`ServiceRules::find`], which is for mail of which all is known.
    #[must_use]
    pub fn possible(&self, known: &KnownFacts<'_>) -> Possible {
        let view = FactView::new(&known.facts, u16::MAX);
        let mut possible = Possible {
            none: true,
            ..Possible::default()
        };
        for (service, conditions) in self.entries() {
            let (mut holds, mut lacks) = (true, None);
            for condition in conditions {
                match known.holds(condition, &view) {
                    Some(true) => {}
                    Some(false) => holds = false,
                    None => lacks = lacks.or(Some(condition.key())),
                }
            }
            if !holds {
                continue;
            }
            if !possible.services.contains(&service) {
                possible.services.push(service);
            }
            match lacks {
                Some(key) => possible.lacks = possible.lacks.or(Some(key)),
                None => {
                    possible.none = false;
                    break;
                }
            }
        }
        possible
    }
}

impl KnownFacts<'_> {
    /// Whether a condition holds; none where nobody can tell.
    fn holds(&self, condition: &Condition, view: &FactView<'_>) -> Option<bool> {
        let key = condition.key();
        if self.unknown.contains(&key) {
            return None;
        }
        match (condition, self.is_sender) {
            (Condition::Text(FactKey::Sender, pattern), Some(is_sender)) => self.is_sender_of(pattern, is_sender),
            _ => Some(condition.holds(view)),
        }
    }

    /// Whether a pattern matches a sender of whom the domain is known.
    fn is_sender_of(&self, pattern: &Pattern, is_sender: IsSender<'_>) -> Option<bool> {
        let sender = self.facts.sender.unwrap_or_default().to_ascii_lowercase();
        let domain = domain_of(&sender).unwrap_or_default();
        let written = pattern.written().to_ascii_lowercase();
        let at_domain = |local: &str| [local.as_bytes(), b"@", domain].concat();
        let special = |text: &str| text.contains(['*', '?', '[', '{', '\\']);
        // Braces may hold several addresses, and without `@` a pattern goes over it.
        let parts = written
            .rsplit_once('@')
            .filter(|(local, _)| !local.contains(['{', '[', '\\']));
        match parts {
            _ if written == "*" => Some(true),
            None if pattern.literal().is_some() => Some(false),
            None => None,
            Some((local, _)) if !special(local) => {
                let address = at_domain(local);
                if pattern.matches(&address) {
                    is_sender(&address)
                } else {
                    Some(false)
                }
            }
            Some(("*", _)) => Some(pattern.matches(&at_domain("x"))),
            Some((_, end)) => {
                let any = Pattern::compile(&format!("*@{end}"));
                let may_be = any.is_ok_and(|any| any.matches(&at_domain("x")));
                if may_be { None } else { Some(false) }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::services::{EntryInput, RuleInput};
    use super::*;

    fn rules(all: &[(&str, &[(FactKey, &str)])]) -> ServiceRules {
        let inputs = all.iter().map(|(service, conditions)| RuleInput {
            service: (*service).to_owned(),
            entries: vec![EntryInput {
                conditions: conditions
                    .iter()
                    .map(|(key, text)| (*key, (*text).to_owned()))
                    .collect(),
            }],
        });
        ServiceRules::compile(inputs.collect()).unwrap()
    }

    /// What rules say of `gerrit@example.org` from mx2, of which the local part is a pseudonym.
    fn said(rules: &ServiceRules) -> (Vec<&str>, bool, Option<FactKey>) {
        let is_sender = |address: &[u8]| Some(address == b"gerrit@example.org");
        let known = KnownFacts {
            facts: Facts {
                sender: Some(b"@Example.org"),
                client_name: Some(b"mx2.example.org"),
                host: "mx1",
                ..Facts::default()
            },
            unknown: &[FactKey::Auth, FactKey::Router],
            is_sender: Some(&is_sender),
        };
        let possible = rules.possible(&known);
        let names = possible.services.iter().map(|service| rules.name(*service)).collect();
        (names, possible.none, possible.lacks)
    }

    #[test]
    fn a_literal_local_part_is_compared_by_its_pseudonym_and_a_glob_is_not() {
        for (pattern, expected) in [
            ("gerrit@example.org", (vec!["a"], false, None)),
            ("Gerrit@*", (vec!["a"], false, None)),
            ("gerrit@*.org", (vec!["a"], false, None)),
            ("gerrit@example.net", (vec![], true, None)),
            ("phab@example.org", (vec![], true, None)),
            ("phab@*", (vec![], true, None)),
            ("*@example.org", (vec!["a"], false, None)),
            ("*@*.net", (vec![], true, None)),
            ("*", (vec!["a"], false, None)),
            ("<>", (vec![], true, None)),
            ("ger*@example.org", (vec!["a"], true, Some(FactKey::Sender))),
            ("ger*@example.net", (vec![], true, None)),
            ("{gerrit,phab}@example.org", (vec!["a"], true, Some(FactKey::Sender))),
            ("ger*", (vec!["a"], true, Some(FactKey::Sender))),
        ] {
            assert_eq!(
                said(&rules(&[("a", &[(FactKey::Sender, pattern)])])),
                expected,
                "{pattern}"
            );
        }
    }

    #[test]
    fn what_is_not_known_leaves_both_ways_open_until_a_rule_holds_for_sure() {
        let auth = [(FactKey::Auth, "plain:*")];
        let sure = [(FactKey::Client, "mx2.*"), (FactKey::SenderDomain, "example.org")];
        let both = rules(&[("a", &auth), ("b", &sure), ("c", &[(FactKey::Host, "*")])]);
        assert_eq!(said(&both), (vec!["a", "b"], false, Some(FactKey::Auth)));
        let one = rules(&[("b", &sure), ("a", &auth)]);
        assert_eq!(said(&one), (vec!["b"], false, None));
        // A condition that fails decides, whatever the others say.
        let fails = rules(&[("a", &[(FactKey::Auth, "x"), (FactKey::Client, "mx3.*")])]);
        assert_eq!(said(&fails), (vec![], true, None));
        assert_eq!(said(&ServiceRules::default()), (vec![], true, None));
    }
}

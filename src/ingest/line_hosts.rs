//! Whose line a line of a central log is: the host that its head names.

use crate::normalise::hosts::HostNumbers;
use std::collections::BTreeMap;

/// Longer is no host's name.
const NAME_BYTES_MAX: usize = 253;

/// How the hosts that lines name are understood.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LineHosts {
    /// Each line of these logs is the host's that it names. Else only where a new log holds lines of more than one host.
    pub always: bool,
    /// Other names and addresses in small letters, each with the host's name.
    pub aliases: BTreeMap<String, String>,
    /// Hosts that the lines of one source may name, at most.
    pub max: usize,
}

impl LineHosts {
    /// Whether a log's lines are read by the hosts that they name. `stored` is what was decided of a log that is known; `named`
    /// gives the hosts of its first lines.
    pub(crate) fn are_read<'l, I: Iterator<Item = &'l [u8]>>(
        &self,
        stored: Option<bool>,
        named: impl FnOnce() -> I,
    ) -> bool {
        self.always || stored.unwrap_or_else(|| self.are_several(named()))
    }

    fn are_several<'l>(&self, named: impl Iterator<Item = &'l [u8]>) -> bool {
        let mut hosts = HostNumbers::default();
        for name in named.filter_map(|spelled| self.name(spelled)) {
            if hosts.find(&name).is_none() {
                hosts.add(&name);
            }
        }
        hosts.len() > 1
    }

    /// The name that a spelling stands for, by the aliases; none if no host can be called so.
    pub fn name(&self, spelled: &[u8]) -> Option<String> {
        let is_part = |byte: &u8| byte.is_ascii_alphanumeric() || b".-_:".contains(byte);
        if spelled.len() > NAME_BYTES_MAX || !spelled.iter().all(is_part) || !spelled.first()?.is_ascii_alphanumeric() {
            return None;
        }
        let name = std::str::from_utf8(spelled).ok()?.to_ascii_lowercase();
        Some(self.aliases.get(&name).cloned().unwrap_or(name))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hosts(always: bool) -> LineHosts {
        LineHosts {
            always,
            aliases: BTreeMap::from([("10.64.0.5".to_owned(), "mx1".to_owned())]),
            max: 10,
        }
    }

    #[test]
    fn a_spelling_is_a_name_or_nobodys() {
        let hosts = hosts(false);
        for (spelled, name) in [
            (&b"MX1.example.org"[..], Some("mx1.example.org")),
            (b"10.64.0.5", Some("mx1")),
            (b"2001:db8::5", Some("2001:db8::5")),
            (b"", None),
            (b"-", None),
            (b"../../etc", None),
            (b"mx1\x1b[31m", None),
            (b"mx1;drop", None),
            (&[b'a'; 254], None),
        ] {
            assert_eq!(hosts.name(spelled).as_deref(), name, "{spelled:?}");
        }
    }

    #[test]
    fn a_new_log_of_several_hosts_is_read_by_line_and_a_known_one_as_before() {
        let one = ["mx1", "mx1.example.org", "10.64.0.5"];
        let two = ["mx1", "mx1.example.org", "mx2"];
        let read = |hosts: &LineHosts, stored, named: &[&'static str]| {
            hosts.are_read(stored, || named.iter().map(|name| name.as_bytes()))
        };
        assert!(!read(&hosts(false), None, &one), "spellings of one host");
        assert!(read(&hosts(false), None, &two));
        assert!(
            !read(&hosts(false), Some(false), &two),
            "a store keeps the host of a log that it knows"
        );
        assert!(read(&hosts(false), Some(true), &one));
        assert!(read(&hosts(true), Some(false), &one));
    }
}

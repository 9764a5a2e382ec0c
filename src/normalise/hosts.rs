//! Names of hosts, as logs print them: `mx1001`, `mx1001.wikimedia.org`, in any case.

use rustc_hash::FxHashMap;

/// A set of hosts, numbered in order of appearance.
#[derive(Debug, Clone, Default)]
pub struct HostNumbers {
    names: Vec<String>,
    /// Full names, and the first labels of those that have several.
    full: FxHashMap<String, u32>,
    short: FxHashMap<String, u32>,
}

impl HostNumbers {
    /// Number of a host; a new one is added.
    pub fn add(&mut self, host: &str) -> u32 {
        let host = host.to_ascii_lowercase();
        if let Some(known) = self.full.get(&host) {
            return *known;
        }
        let number = self.names.len() as u32;
        if let Some((first, _)) = host.split_once('.') {
            self.short.entry(first.to_owned()).or_insert(number);
        }
        self.full.insert(host.clone(), number);
        self.names.push(host);
        number
    }

    /// The host that a name in a log means. A name without a domain stands for one with it, and the other way round;
    /// two names with different domains are two hosts.
    pub fn find(&self, name: &str) -> Option<u32> {
        if self.names.is_empty() || name.is_empty() {
            return None;
        }
        let name = name.to_ascii_lowercase();
        let by_first_label = || match name.split_once('.') {
            Some((first, _)) => self.full.get(first),
            None => self.short.get(&name),
        };
        self.full.get(&name).or_else(by_first_label).copied()
    }

    /// The host with this number.
    pub fn name(&self, number: u32) -> &str {
        &self.names[number as usize]
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.names.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.names.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn with_and_without_domain() {
        let mut hosts = HostNumbers::default();
        assert_eq!(
            (hosts.add("mx1001"), hosts.add("web1.example.org"), hosts.add("MX1001")),
            (0, 1, 0)
        );
        for (name, found) in [
            ("mx1001.wikimedia.org", Some(0)),
            ("Web1", Some(1)),
            ("web1.example.org", Some(1)),
            ("web1.evil.example", None),
            ("web", None),
            ("", None),
        ] {
            assert_eq!(hosts.find(name), found, "{name}");
        }
    }
}

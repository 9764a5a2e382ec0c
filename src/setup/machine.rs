//! This machine's addresses, as the kernel lists them: its own logs' clients that have them are itself.

use crate::config::this_host;
use crate::normalise::ours::ThisMachine;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// This machine. Where the kernel tells no addresses, it has none.
pub(crate) fn this_machine() -> ThisMachine {
    let read = |path: &str| std::fs::read_to_string(path).unwrap_or_default();
    let mut addresses = local_v4(&read("/proc/net/fib_trie"));
    addresses.extend(local_v6(&read("/proc/net/if_inet6")));
    addresses.sort_unstable();
    addresses.dedup();
    ThisMachine {
        host: this_host(),
        addresses,
    }
}

/// Addresses of the routing table that are this machine's: a leaf `|-- 192.0.2.2`, then `/32 host LOCAL`.
fn local_v4(table: &str) -> Vec<IpAddr> {
    let mut leaf: Option<Ipv4Addr> = None;
    let mut found = Vec::new();
    for line in table.lines().map(str::trim) {
        if let Some(address) = line.strip_prefix("|-- ") {
            leaf = address.parse().ok();
        } else if line.starts_with("/32 host LOCAL") {
            found.extend(leaf.map(IpAddr::V4));
        }
    }
    found
}

/// Addresses of interfaces: 32 hexadecimal digits, then numbers and the interface's name.
fn local_v6(table: &str) -> Vec<IpAddr> {
    let digits = table.lines().filter_map(|line| line.split(' ').next());
    let bits = digits
        .filter(|digits| digits.len() == 32)
        .filter_map(|digits| u128::from_str_radix(digits, 16).ok());
    bits.map(|bits| IpAddr::V6(Ipv6Addr::from_bits(bits))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn local_addresses_are_read_from_the_kernels_tables() {
        let table = "Main:\n  +-- 0.0.0.0/0 3 0 5\n     |-- 0.0.0.0\n        /0 universe UNICAST\n     |-- 192.0.2.2\n        \
                     /32 host LOCAL\n     |-- 192.0.2.255\n        /32 link BROADCAST\n";
        assert_eq!(local_v4(table), ["192.0.2.2".parse::<IpAddr>().unwrap()]);
        let table = "20010db8000000000000000000000025 02 40 00 80     eth0\nnonsense\n";
        assert_eq!(local_v6(table), ["2001:db8::25".parse::<IpAddr>().unwrap()]);
        assert!(local_v4("").is_empty() && local_v6("").is_empty());
    }
}

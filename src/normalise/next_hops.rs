//! Hosts that mail was handed to lately: whether they are ours is asked for nearly every delivery, and most are a few dozen.

use crate::model::direction::Reach;
use crate::model::event::Destination;
use crate::normalise::ours::{DeliveryHop, Ours};
use std::net::IpAddr;

/// A power of two.
const RECENT: usize = 64;

/// Next hops by a place that their addresses name.
#[derive(Debug, Default)]
pub(super) struct NextHops {
    recent: Vec<KnownHop>,
}

/// A host outside.
#[derive(Debug, Clone, Default)]
struct KnownHop {
    name: Vec<u8>,
    ip: Option<IpAddr>,
}

impl NextHops {
    /// Where a copy goes. All lines are of one host's log.
    pub(super) fn reach(&mut self, ours: &Ours, hop: &DeliveryHop<'_>) -> Reach {
        if hop.destination != Some(Destination::Remote) || hop.is_lmtp || hop.ip.is_none() {
            return ours.reach(hop);
        }
        if self.recent.is_empty() {
            self.recent.resize(RECENT, KnownHop::default());
        }
        let known = &mut self.recent[place_of(hop.ip)];
        if known.ip == hop.ip && known.name == hop.name {
            return Reach::Away;
        }
        let reach = ours.reach(&DeliveryHop { domain: b"", ..*hop });
        if reach == Reach::Away {
            // No recipient changes that.
            known.ip = hop.ip;
            known.name.clear();
            known.name.extend_from_slice(hop.name);
            return reach;
        }
        ours.reach(hop)
    }
}

fn place_of(ip: Option<IpAddr>) -> usize {
    let bits = match ip {
        Some(IpAddr::V4(ip)) => ip.to_bits(),
        Some(IpAddr::V6(ip)) => (ip.to_bits() >> 80) as u32 ^ ip.to_bits() as u32,
        None => 0,
    };
    (bits.wrapping_mul(0x9e37_79b9) >> 26) as usize % RECENT
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::normalise::ours::OursInput;

    #[test]
    fn a_host_that_is_known_is_what_it_was() {
        let input = OursInput {
            domains: vec!["example.org".to_owned()],
            hosts: vec!["*.wmnet".to_owned()],
            ..OursInput::default()
        };
        let ours = Ours::compile(&input).unwrap();
        let mut hops = NextHops::default();
        for _ in 0..3 {
            for (name, ip, domain) in [
                ("a.example", "192.0.2.1", "example.org"),
                ("a.wmnet", "192.0.2.1", "example.org"),
                ("a.wmnet", "192.0.2.1", "example.net"),
                ("a.example", "192.0.2.1", "example.net"),
                ("a.example", "10.0.0.1", "example.net"),
                ("a.example", "10.0.0.1", "example.org"),
                ("a.example", "127.0.0.1", "example.net"),
                ("", "", "example.org"),
            ] {
                let hop = DeliveryHop {
                    destination: Some(Destination::Remote),
                    name: name.as_bytes(),
                    ip: ip.parse().ok(),
                    is_lmtp: false,
                    domain: domain.as_bytes(),
                    host: "mx1",
                };
                assert_eq!(hops.reach(&ours, &hop), ours.reach(&hop), "{name} {ip} {domain}");
            }
        }
    }
}

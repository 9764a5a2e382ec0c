//! Clients of the outside that are ours by proof: what a relay takes from them leaves again, to many domains. It only
//! proposes: no row changes by it.

use crate::model::direction::{Direction, MailOrigin};
use crate::query::history::MailHistory;
use crate::query::{QueryError, Window};
use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// Clients that are looked at, those with most mail.
const CLIENTS_MAX: usize = 20_000;
/// Fewer messages prove nothing.
const MESSAGES_MIN: i64 = 10;
/// This share of a client's messages must leave again: a stranger's mail stays.
const LEAVING_MIN: f64 = 0.9;
/// Mail that is forwarded for one mailbox goes to one domain.
const DOMAINS_MIN: i64 = 2;
/// Examples of a network.
const EXAMPLES: usize = 3;

/// A client of the outside, by what became of its mail.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct OutsideClient {
    /// Its name; empty if unknown.
    pub name: String,
    /// Its address.
    pub ip: Option<IpAddr>,
    /// Messages that left again.
    pub left: i64,
    /// Messages that stayed.
    pub stayed: i64,
    /// Domains of recipients.
    pub domains: i64,
}

/// A network whose clients are ours by proof.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct OursProposal {
    /// As `[ours]` takes it.
    pub network: String,
    /// Messages of its clients.
    pub messages: i64,
    /// Some of them, those with most mail first.
    pub examples: Vec<String>,
}

/// What came from where.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Arrivals {
    /// Messages that the relays took, where they entered.
    pub all: i64,
    /// Those of the outside.
    pub outside: i64,
}

/// Messages by their origin, of relays.
///
/// # Errors
/// The store cannot be read.
pub(crate) fn arrivals(store: &dyn MailHistory, window: Window) -> Result<Arrivals, QueryError> {
    let text = "SELECT origin, SUM(messages) AS total FROM rates WHERE kind = 'accepted' AND first_hop GROUP BY origin";
    let table = store.select(text, window)?;
    let mut found = Arrivals::default();
    for row in 0..table.rows() {
        let count = table.number(1, row).unwrap_or(0);
        found.all += count;
        if table.text(0, row) == MailOrigin::Outside.as_str() {
            found.outside += count;
        }
    }
    Ok(found)
}

/// Networks of clients that are ours by proof, most mail first.
///
/// # Errors
/// The store cannot be read.
pub(crate) fn proposals(store: &dyn MailHistory, window: Window) -> Result<Vec<OursProposal>, QueryError> {
    let (away, stays) = (Direction::Transit.as_str(), Direction::Inbound.as_str());
    let text = format!(
        "SELECT client, client_ip,
                SUM(CASE WHEN way = '{away}' THEN m ELSE 0 END) AS gone,
                SUM(CASE WHEN way = '{stays}' THEN m ELSE 0 END) AS stayed,
                COUNT(DISTINCT recipient_domain) AS domains
         FROM (SELECT client, client_ip, direction AS way, messages AS m, recipient_domain FROM events
               WHERE kind = 'delivered' AND origin = '{}' AND client_ip <> '') AS copies
         GROUP BY client, client_ip ORDER BY gone DESC, client, client_ip LIMIT {CLIENTS_MAX}",
        MailOrigin::Outside.as_str()
    );
    let table = store.select(&text, window)?;
    let client = |row| OutsideClient {
        name: table.text(0, row).to_owned(),
        ip: table.text(1, row).parse().ok(),
        left: table.number(2, row).unwrap_or(0),
        stayed: table.number(3, row).unwrap_or(0),
        domains: table.number(4, row).unwrap_or(0),
    };
    Ok(proposed((0..table.rows()).map(client)))
}

/// The networks of those clients that are ours by proof.
fn proposed(clients: impl Iterator<Item = OutsideClient>) -> Vec<OursProposal> {
    let mut networks: BTreeMap<String, Vec<OutsideClient>> = BTreeMap::new();
    for client in clients.filter(is_proved) {
        let Some(ip) = client.ip else { continue };
        networks.entry(network_of(ip)).or_default().push(client);
    }
    let mut all: Vec<OursProposal> = networks
        .into_iter()
        .map(|(network, mut clients)| {
            clients.sort_by_key(|client| std::cmp::Reverse(client.left));
            let alone = clients
                .first()
                .filter(|_| clients.len() == 1)
                .and_then(|client| client.ip);
            OursProposal {
                // One client is no network.
                network: alone.map_or(network, |ip| ip.to_string()),
                messages: clients.iter().map(|client| client.left).sum(),
                examples: clients.iter().take(EXAMPLES).map(shown).collect(),
            }
        })
        .collect();
    all.sort_by(|a, b| b.messages.cmp(&a.messages).then_with(|| a.network.cmp(&b.network)));
    all
}

fn is_proved(client: &OutsideClient) -> bool {
    let all = client.left + client.stayed;
    client.left >= MESSAGES_MIN && client.domains >= DOMAINS_MIN && client.left as f64 >= LEAVING_MIN * all as f64
}

/// The network that a client's neighbors are in: the usual size of one site.
fn network_of(ip: IpAddr) -> String {
    match ip.to_canonical() {
        IpAddr::V4(ip) => format!("{}/24", Ipv4Addr::from_bits(ip.to_bits() & !0xff)),
        IpAddr::V6(ip) => format!("{}/64", Ipv6Addr::from_bits(ip.to_bits() & !0xffff_ffff_ffff_ffff)),
    }
}

fn shown(client: &OutsideClient) -> String {
    let ip = client.ip.map(|ip| ip.to_string()).unwrap_or_default();
    match client.name.as_str() {
        "" => ip,
        name => format!("{name} [{ip}]"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_sends_through_us_to_many_domains_is_ours_and_nobody_else() {
        let client = |name: &str, ip: &str, left, stayed, domains| OutsideClient {
            name: name.to_owned(),
            ip: ip.parse().ok(),
            left,
            stayed,
            domains,
        };
        let clients = [
            client("web1.example.org", "203.0.113.9", 500, 3, 40),
            client("web2.example.org", "203.0.113.10", 40, 0, 9),
            client("", "2001:db8::25", 20, 1, 4),
            // The world: its mail stays, is forwarded for one mailbox, or is too little to tell.
            client("mail.spam.example", "198.51.100.66", 5, 900, 3),
            client("mx.example.net", "198.51.100.7", 300, 0, 1),
            client("mx.example.com", "198.51.100.8", 9, 0, 3),
            client("lists.example.net", "198.51.100.9", 80, 20, 30),
        ];
        let expected = [
            OursProposal {
                network: "203.0.113.0/24".to_owned(),
                messages: 540,
                examples: vec![
                    "web1.example.org [203.0.113.9]".to_owned(),
                    "web2.example.org [203.0.113.10]".to_owned(),
                ],
            },
            OursProposal {
                network: "2001:db8::25".to_owned(),
                messages: 20,
                examples: vec!["2001:db8::25".to_owned()],
            },
        ];
        assert_eq!(proposed(clients.into_iter()), expected);
        assert!(
            expected
                .iter()
                .all(|one| crate::normalise::rules::network(&one.network).is_ok())
        );
    }
}

//! One mail, once: a mail that passes several hosts stands in several logs under several queue IDs. Its arrivals share
//! a Message-ID. The first of them is where it enters the mail system that we see; the others are hops.
//!
//! A pure decision over the arrivals of one Message-ID: the same whatever order the logs were read in.

use crate::model::queue_id::QueueId;
use crate::model::time::{DAY_MS, MINUTE_MS, UtcMs};
use rustc_hash::FxHashSet;

/// Clocks of two hosts may differ by this much.
const SKEW_MS: i64 = 5 * MINUTE_MS;

/// Arrivals of one Message-ID that are further apart are different mails.
pub(crate) const QUEUE_MS_MAX: i64 = 5 * DAY_MS;

/// One arrival of a message at one host.
#[derive(Debug, Clone, PartialEq)]
pub struct HopArrival {
    /// Key of the Message-ID.
    pub key: u64,
    /// Whose log, by number.
    pub host: u32,
    /// Number of the source.
    pub source: i64,
    /// When.
    pub ts_ms: UtcMs,
    /// Under which ID.
    pub queue_id: QueueId,
    /// The client, if it is a host whose log is read too.
    pub client: Option<u32>,
    /// Number of the client's name, if it has one and its log is not read.
    pub stranger: Option<u32>,
    /// It goes on with a message of the same host's queue: after a content filter, by an alias.
    pub continues: bool,
    /// Number of service and hostgroup.
    pub sender: u32,
    /// Nobody knows its service.
    pub unattributed: bool,
}

/// What is learnt of one arrival.
#[derive(Debug, Clone, PartialEq)]
pub struct HopLink {
    /// Number of the source.
    pub source: i64,
    /// Its ID there.
    pub queue_id: QueueId,
    /// Its arrival there.
    pub arrival_ms: UtcMs,
    /// Number of service and hostgroup of the mail.
    pub sender: u32,
    /// It enters the mail system here.
    pub first_hop: bool,
    /// Hosts that it was handed to, and when they took it.
    pub handed: Vec<(u32, UtcMs)>,
}

/// More arrivals than this are no mail's way: somebody gives all mails one Message-ID, and only names tell.
const ARRIVALS_MAX: usize = 1000;

/// Links the arrivals of one Message-ID; nothing if they are all at one host.
pub fn link(arrivals: &[HopArrival]) -> Vec<HopLink> {
    let hosts: FxHashSet<u32> = arrivals.iter().map(|arrival| arrival.host).collect();
    if hosts.len() < 2 || arrivals.len() > ARRIVALS_MAX {
        return Vec::new();
    }
    let within = |arrival: &HopArrival| {
        let client = arrival.client.filter(|client| *client != arrival.host);
        client.is_some_and(|client| hosts.contains(&client))
    };
    let mut order: Vec<&HopArrival> = arrivals.iter().collect();
    order.sort_by_key(|a| (within(a) || a.continues, a.ts_ms, a.host, a.queue_id));
    let Some(first) = order.first().copied() else {
        return Vec::new();
    };
    let near = |arrival: &&HopArrival| (arrival.ts_ms - first.ts_ms).abs() <= QUEUE_MS_MAX;
    order.retain(near);
    // Elsewhere it is a hop in any case.
    let continues = |arrival: &HopArrival| arrival.continues && arrival.host == first.host;
    // Copies may enter at several hosts, if one client hands them in.
    let enters = |arrival: &HopArrival| {
        let same_door = arrival.host == first.host || arrival.stranger.is_some() && arrival.stranger == first.stranger;
        same_door && !within(arrival) && !continues(arrival)
    };
    let known = order.iter().find(|arrival| !arrival.unattributed);
    let sender = if first.unattributed {
        known.map_or(first.sender, |known| known.sender)
    } else {
        first.sender
    };
    let mut links: Vec<HopLink> = order
        .iter()
        .map(|arrival| HopLink {
            source: arrival.source,
            queue_id: arrival.queue_id,
            arrival_ms: arrival.ts_ms,
            // Copies that a list hands in one by one may differ in nothing but their senders.
            sender: if enters(arrival) && !arrival.unattributed {
                arrival.sender
            } else {
                sender
            },
            first_hop: enters(arrival),
            handed: Vec::new(),
        })
        .collect();
    for at in 0..order.len() {
        if let Some(from) = (!links[at].first_hop && !continues(order[at]))
            .then(|| predecessor(&order, &links, at))
            .flatten()
        {
            links[from].handed.push((order[at].host, order[at].ts_ms));
            if links[from].first_hop {
                links[at].sender = links[from].sender;
            }
        }
    }
    links
}

/// The arrival that was handed on as this one: at the host that its client names, the latest before it that has not
/// been handed on as often. A clock that is ahead is the last explanation.
fn predecessor(order: &[&HopArrival], links: &[HopLink], at: usize) -> Option<usize> {
    let arrival = order[at];
    let may_be = |from: &usize| {
        let other = order[*from];
        let by_name = arrival.client == Some(other.host);
        other.host != arrival.host
            && other.ts_ms <= arrival.ts_ms + SKEW_MS
            // What this host itself handed on comes after it.
            && (by_name || other.client != Some(arrival.host))
    };
    (0..order.len()).filter(may_be).max_by_key(|from| {
        let other = order[*from];
        (
            arrival.client == Some(other.host),
            other.ts_ms <= arrival.ts_ms,
            std::cmp::Reverse(links[*from].handed.len()),
            other.ts_ms,
        )
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn arrival(host: u32, ts_s: i64, id: &str, client: Option<u32>) -> HopArrival {
        HopArrival {
            key: 1,
            host,
            source: i64::from(host) + 10,
            ts_ms: UtcMs::new(ts_s * 1000),
            queue_id: QueueId::new(id.as_bytes()).unwrap(),
            client,
            stranger: None,
            continues: false,
            sender: host + 100,
            unattributed: false,
        }
    }

    fn told(links: &[HopLink]) -> Vec<(i64, bool, u32, Vec<u32>)> {
        let mut told: Vec<_> = links
            .iter()
            .map(|l| (l.source, l.first_hop, l.sender, l.handed.iter().map(|h| h.0).collect()))
            .collect();
        told.sort();
        told
    }

    #[test]
    fn sender_relay_outside_is_one_mail() {
        let all = [
            arrival(0, 10, "A", None),
            arrival(1, 12, "B", Some(0)),
            arrival(2, 13, "C", Some(1)),
        ];
        let expected = vec![
            (10, true, 100, vec![1]),
            (11, false, 100, vec![2]),
            (12, false, 100, vec![]),
        ];
        for order in [[0, 1, 2], [2, 1, 0], [1, 2, 0]] {
            let shuffled: Vec<HopArrival> = order.iter().map(|at| all[*at].clone()).collect();
            assert_eq!(told(&link(&shuffled)), expected);
        }
    }

    #[test]
    fn a_clock_that_is_ahead_does_not_turn_the_path_round() {
        let all = [arrival(0, 100, "A", None), arrival(1, 40, "B", Some(0))];
        assert_eq!(told(&link(&all)), [(10, true, 100, vec![1]), (11, false, 100, vec![])]);
    }

    #[test]
    fn one_host_is_no_path() {
        assert!(link(&[arrival(0, 1, "A", None), arrival(0, 2, "B", None)]).is_empty());
        assert!(link(&[]).is_empty());
    }

    #[test]
    fn copies_with_one_message_id_stay_copies() {
        let all = [
            arrival(0, 10, "A1", None),
            arrival(0, 10, "A2", None),
            arrival(1, 12, "B1", Some(0)),
            arrival(1, 12, "B2", Some(0)),
        ];
        let links = link(&all);
        assert_eq!(links.iter().filter(|l| l.first_hop).count(), 2);
        assert!(
            links.iter().filter(|l| l.first_hop).all(|l| l.handed.len() == 1),
            "{links:?}"
        );
    }

    #[test]
    fn a_hop_that_knows_the_service_names_it() {
        let mut first = arrival(0, 10, "A", None);
        first.unattributed = true;
        let links = link(&[first, arrival(1, 12, "B", Some(0))]);
        assert!(links.iter().all(|l| l.sender == 101));
    }

    #[test]
    fn weeks_apart_is_another_mail() {
        let links = link(&[arrival(0, 10, "A", None), arrival(1, 20 * 86_400, "B", None)]);
        assert!(links.iter().all(|l| l.first_hop), "{links:?}");
    }

    #[test]
    fn a_later_hop_is_nobodys_predecessor() {
        // The relay does not know its client's name; the host behind it logs within the same minute.
        let all = [
            arrival(0, 10, "A", None),
            arrival(1, 12, "B", None),
            arrival(2, 13, "C", Some(1)),
        ];
        assert_eq!(
            told(&link(&all)),
            [
                (10, true, 100, vec![1]),
                (11, false, 100, vec![2]),
                (12, false, 100, vec![]),
            ]
        );
    }

    #[test]
    fn what_a_content_filter_gives_back_stays_no_first_hop() {
        let mut back = arrival(0, 11, "B", None);
        back.continues = true;
        let links = link(&[arrival(0, 10, "A", None), back, arrival(1, 12, "C", Some(0))]);
        let (c, others): (Vec<_>, Vec<_>) = links.iter().partition(|l| l.source == 11);
        assert!(!c[0].first_hop && c[0].handed.is_empty(), "{c:?}");
        let handed: Vec<(bool, usize)> = others.iter().map(|l| (l.first_hop, l.handed.len())).collect();
        assert_eq!(handed, [(true, 0), (false, 1)]);
    }

    #[test]
    fn copies_that_one_client_gives_to_two_relays_enter_at_both() {
        let from = |host: u32, id: &str, stranger: u32| HopArrival {
            stranger: Some(stranger),
            ..arrival(host, 10 + i64::from(host), id, None)
        };
        let links = link(&[from(0, "A", 7), from(1, "B", 7)]);
        assert!(links.iter().all(|l| l.first_hop && l.handed.is_empty()), "{links:?}");
        // Another client at the second host is a host that nobody reads, or a name that nobody knows.
        let links = link(&[from(0, "A", 7), from(1, "B", 8)]);
        assert_eq!(links.iter().filter(|l| l.first_hop).count(), 1);
    }

    #[test]
    fn one_message_id_for_everything_costs_little() {
        let all: Vec<HopArrival> = (0..200_000)
            .map(|n| arrival(n % 2, i64::from(n), &format!("A{n}"), None))
            .collect();
        assert!(link(&all).is_empty());
    }
}

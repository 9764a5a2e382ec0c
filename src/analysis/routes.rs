//! The ways that mail takes: service → sender's host → relay → outside. Pure: deliveries from host to host and to the
//! outside go in, paths come out.
//!
//! Logs tell deliveries, not paths. Within one service a host's mail is taken to leave it in the shares in which all of
//! it does; where each host hands on to relays that only deliver outside (the usual case), paths are exact. The **last
//! hop** of a service, the host that delivers to the outside, is always exact; a service hangs on a single relay when
//! it has one last hop. The MTA on the sender's own host is no redundancy: it is on the way to all of them.

use crate::model::direction::DirectionView;
use crate::model::log_kinds::is_mta;
use crate::normalise::hosts::HostNumbers;
use crate::query::history::MailHistory;
use crate::query::{QueryError, SumsOf, Window};
use std::collections::BTreeMap;

/// A path is followed so far; more hops are a loop.
const HOPS_MAX: usize = 8;
/// Paths of a service that are told apart.
const PATHS_MAX: usize = 1000;

/// Messages of a service that a host delivered to another, or to the outside.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Delivered {
    pub service: String,
    /// Whose MTA delivered.
    pub from: String,
    /// To which host whose log is read; None is the outside.
    pub to: Option<String>,
    pub messages: u64,
}

/// One way of a service's mail.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Path {
    /// HostNumbers, first hop first.
    pub hops: Vec<String>,
    /// Whether it reached the outside; else it ended at the last hop: it waits there, or was for there.
    pub outside: bool,
    /// Messages, rounded.
    pub messages: u64,
}

/// The ways of one service.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Route {
    pub service: String,
    /// Messages that reached the outside.
    pub messages: u64,
    /// HostNumbers that delivered them there, with their messages, most first.
    pub last_hops: Vec<(String, u64)>,
    /// Paths, most messages first.
    pub paths: Vec<Path>,
}

impl Route {
    /// A service whose mail did not leave.
    #[must_use]
    pub(crate) fn none(service: &str) -> Route {
        Route {
            service: service.to_owned(),
            messages: 0,
            last_hops: Vec::new(),
            paths: Vec::new(),
        }
    }

    /// All that reached the outside went through one relay.
    #[must_use]
    pub(crate) fn is_single(&self) -> bool {
        self.last_hops.len() == 1
    }
}

/// Routes of all services in a window, busiest first.
///
/// # Errors
/// The store cannot be read.
pub(crate) fn routes(
    store: &dyn MailHistory,
    window: Window,
    direction: DirectionView,
) -> Result<Vec<Route>, QueryError> {
    let mut hosts = HostNumbers::default();
    for (host, _) in store.kinds()?.iter().filter(|(_, kind)| is_mta(kind)) {
        hosts.add(host);
    }
    // `mx1001` in one log, `mx1001.example.org` in the other.
    let known = |name: String| hosts.find(&name).map_or(name, |known| hosts.name(known).to_owned());
    let outside = format!(
        "SELECT service, relay, SUM(messages) AS total FROM rates WHERE kind = 'delivered' \
         AND destination = 'remote' AND messages > 0 AND {} GROUP BY service, relay",
        direction.condition()
    );
    let outside = store.add_up(&outside, window, SumsOf::Rates { step_ms: None })?;
    let mut delivered = Vec::new();
    for row in 0..outside.rows() {
        let [service, from] = [0, 1].map(|column| outside.text(column, row).to_owned());
        let messages = unsigned(outside.number(2, row));
        delivered.push(Delivered {
            service,
            from: known(from),
            to: None,
            messages,
        });
    }
    let inside = store.add_up(
        "SELECT service, relay, remote_host, SUM(messages) AS total FROM events WHERE kind = 'delivered' \
         AND destination = 'relay' AND messages > 0 GROUP BY service, relay, remote_host",
        window,
        SumsOf::Peers,
    )?;
    for row in 0..inside.rows() {
        let [service, from, to] = [0, 1, 2].map(|column| inside.text(column, row).to_owned());
        let messages = unsigned(inside.number(3, row));
        delivered.push(Delivered {
            service,
            from: known(from),
            to: Some(known(to)),
            messages,
        });
    }
    Ok(trace(&delivered))
}

fn unsigned(sum: Option<i64>) -> u64 {
    sum.and_then(|sum| u64::try_from(sum).ok()).unwrap_or(0)
}

/// What a service's mail does at one host.
#[derive(Debug, Default)]
struct RouteHost<'d> {
    taken: u64,
    outside: u64,
    handed: BTreeMap<&'d str, u64>,
}

impl RouteHost<'_> {
    fn left(&self) -> u64 {
        self.outside + self.handed.values().sum::<u64>()
    }
}

/// The routes that deliveries make.
#[must_use]
pub(crate) fn trace(delivered: &[Delivered]) -> Vec<Route> {
    let mut services: BTreeMap<&str, BTreeMap<&str, RouteHost<'_>>> = BTreeMap::new();
    for Delivered {
        service,
        from,
        to,
        messages,
    } in delivered
    {
        let hosts = services.entry(service).or_default();
        match to {
            None => hosts.entry(from).or_default().outside += messages,
            Some(to) => {
                *hosts.entry(from).or_default().handed.entry(to).or_default() += messages;
                hosts.entry(to).or_default().taken += messages;
            }
        }
    }
    let mut routes: Vec<Route> = services
        .into_iter()
        .map(|(service, hosts)| route(service, &hosts))
        .collect();
    routes.sort_by(|a, b| b.messages.cmp(&a.messages).then_with(|| a.service.cmp(&b.service)));
    routes
}

fn route(service: &str, hosts: &BTreeMap<&str, RouteHost<'_>>) -> Route {
    let mut last_hops: Vec<(String, u64)> = hosts
        .iter()
        .filter(|(_, host)| host.outside > 0)
        .map(|(name, host)| ((*name).to_owned(), host.outside))
        .collect();
    last_hops.sort_by(|a, b| b.1.cmp(&a.1).then_with(|| a.0.cmp(&b.0)));
    let mut paths = Vec::new();
    for (name, host) in hosts {
        // What left and was not handed in by another host entered here.
        let entered = host.left().saturating_sub(host.taken);
        if entered > 0 {
            follow(hosts, &mut vec![name], entered as f64, &mut paths);
        }
    }
    paths.sort_by(|a, b| b.messages.cmp(&a.messages).then_with(|| a.hops.cmp(&b.hops)));
    Route {
        service: service.to_owned(),
        messages: last_hops.iter().map(|(_, messages)| messages).sum(),
        last_hops,
        paths,
    }
}

/// Notes a path, if a message takes it.
fn end(hops: &[&str], outside: bool, messages: f64, paths: &mut Vec<Path>) {
    if messages >= 0.5 && paths.len() < PATHS_MAX {
        paths.push(Path {
            hops: hops.iter().map(|hop| (*hop).to_owned()).collect(),
            outside,
            messages: messages.round() as u64,
        });
    }
}

/// Follows so many messages on from the last of `hops`.
fn follow<'d>(hosts: &BTreeMap<&'d str, RouteHost<'d>>, hops: &mut Vec<&'d str>, messages: f64, paths: &mut Vec<Path>) {
    let here = hops.last().and_then(|name| hosts.get(name));
    let Some(host) = here.filter(|host| host.left() > 0 && hops.len() <= HOPS_MAX) else {
        return end(hops, false, messages, paths);
    };
    let left = host.left() as f64;
    // What a relay took and did not pass on waits there.
    let through = messages * (left / host.taken as f64).min(1.0);
    end(hops, false, messages - through, paths);
    end(hops, true, through * host.outside as f64 / left, paths);
    for (to, handed) in &host.handed {
        let share = through * *handed as f64 / left;
        if share < 0.5 || paths.len() >= PATHS_MAX {
            continue;
        }
        if hops.contains(to) {
            // A loop: it is on its way still.
            end(hops, false, share, paths);
            continue;
        }
        hops.push(to);
        follow(hosts, hops, share, paths);
        hops.pop();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn delivered(rows: &[(&str, &str, &str, u64)]) -> Vec<Delivered> {
        let row = |(service, from, to, messages): &(&str, &str, &str, u64)| Delivered {
            service: (*service).to_owned(),
            from: (*from).to_owned(),
            to: (!to.is_empty()).then(|| (*to).to_owned()),
            messages: *messages,
        };
        rows.iter().map(row).collect()
    }

    fn told(route: &Route) -> Vec<(String, u64)> {
        let told = |path: &Path| (format!("{} {}", path.hops.join(">"), path.outside), path.messages);
        route.paths.iter().map(told).collect()
    }

    #[test]
    fn two_relays_behind_a_local_mta() {
        let routes = trace(&delivered(&[
            ("phab", "app1", "mx1", 60),
            ("phab", "app1", "mx2", 40),
            ("phab", "mx1", "", 60),
            ("phab", "mx2", "", 40),
        ]));
        assert_eq!(
            told(&routes[0]),
            [("app1>mx1 true".into(), 60), ("app1>mx2 true".into(), 40)]
        );
        assert!(!routes[0].is_single());
        assert_eq!(routes[0].messages, 100);
    }

    #[test]
    fn two_senders_behind_one_relay_hang_on_it() {
        let routes = trace(&delivered(&[
            ("web", "app1", "mx1", 30),
            ("web", "app2", "mx1", 20),
            ("web", "mx1", "", 50),
        ]));
        assert!(routes[0].is_single());
        assert_eq!(routes[0].last_hops, [("mx1".into(), 50)]);
        assert_eq!(
            told(&routes[0]),
            [("app1>mx1 true".into(), 30), ("app2>mx1 true".into(), 20)]
        );
    }

    #[test]
    fn what_waits_at_a_relay_is_told() {
        let routes = trace(&delivered(&[("web", "app1", "mx1", 30), ("web", "mx1", "", 10)]));
        assert_eq!(
            told(&routes[0]),
            [("app1>mx1 false".into(), 20), ("app1>mx1 true".into(), 10)]
        );
        let routes = trace(&delivered(&[("web", "app1", "mx1", 30)]));
        assert_eq!(told(&routes[0]), [("app1>mx1 false".into(), 30)]);
        assert!(!routes[0].is_single(), "nothing reached the outside: no verdict");
    }

    #[test]
    fn loops_and_thousands_of_paths_end() {
        let loops = delivered(&[("x", "a", "b", 10), ("x", "b", "a", 9), ("x", "b", "", 1)]);
        assert!(!trace(&loops)[0].paths.is_empty());
        let names: Vec<String> = (0..40).map(|n| format!("h{n:02}")).collect();
        let mut all = Vec::new();
        for from in &names {
            all.extend(names.iter().filter(|to| *to > from).map(|to| Delivered {
                service: "x".into(),
                from: from.clone(),
                to: Some(to.clone()),
                messages: 1_000_000_000,
            }));
        }
        assert!(trace(&all)[0].paths.len() <= PATHS_MAX);
    }
}

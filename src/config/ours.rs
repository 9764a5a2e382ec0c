//! `[ours]`: lists that contradict each other, or that make everything ours, are refused.

use super::at::At;
use super::errors::shown;
use super::raw::RawOurs;
use super::report::Report;
use crate::normalise::ours::{OursInput, is_everything};
use crate::normalise::rules::{GroupInput, HostGroups, network};
use ipnet::IpNet;
use std::ops::Range;

const NOT_EVERYTHING: &str = "list only your own: mail from everywhere else is then the world's";

/// A network as written, and where.
type WrittenNet = (IpNet, String, Range<usize>);

/// Checks what is written.
pub(super) fn check(raw: RawOurs, report: &mut Report<'_>) -> OursInput {
    let ours = networks(&raw.networks, "networks", report);
    let outside = networks(&raw.outside, "outside", report);
    contradictions(&ours, &outside, report);
    everything(&ours, report);
    hosts(&raw.hosts, report);
    domains(&raw.domains, report);
    let texts = |list: Vec<At<String>>| list.into_iter().map(At::into_inner).collect();
    OursInput {
        networks: texts(raw.networks),
        outside: texts(raw.outside),
        hosts: texts(raw.hosts),
        domains: texts(raw.domains),
        members: Vec::new(),
    }
}

/// The networks of a list; those within others of it add nothing.
fn networks(list: &[At<String>], name: &str, report: &mut Report<'_>) -> Vec<WrittenNet> {
    let mut all: Vec<WrittenNet> = Vec::new();
    for item in list {
        let at = item.at();
        let net = match network(item.get()) {
            Ok(net) => net,
            Err((what, hint)) => {
                report.add(&at, what, hint);
                continue;
            }
        };
        let wider = all.iter().find(|(known, ..)| known.contains(&net));
        if let Some((_, written, first)) = wider {
            let what = format!(
                "`{}` of `{name}` is redundant: `{}` at {} contains it",
                shown(item.get()),
                shown(written),
                report.place(first)
            );
            report.warn(&at, what, "remove it");
        }
        all.push((net, item.get().clone(), at));
    }
    all
}

/// The same network in both lists, or one that an exception swallows.
fn contradictions(ours: &[WrittenNet], outside: &[WrittenNet], report: &mut Report<'_>) {
    for (net, written, at) in ours {
        for (exception, other, first) in outside {
            let (written, other, first) = (shown(written), shown(other), report.place(first));
            if net == exception {
                let what = format!("`{written}` is in `networks` and, at {first}, in `outside`");
                report.add(at, what, "remove it from one of the two lists");
            } else if exception.contains(net) {
                let what = format!("`{written}` has no effect: `{other}` of `outside` at {first} contains it");
                report.warn(
                    at,
                    what,
                    "exceptions take precedence: make the exception narrower, or remove this network",
                );
            }
        }
    }
}

fn everything(ours: &[WrittenNet], report: &mut Report<'_>) {
    let whole = ours.iter().find(|(net, ..)| net.prefix_len() == 0);
    if let Some((_, written, at)) = whole {
        let what = format!("`{}` makes every client ours", shown(written));
        report.add(at, what, NOT_EVERYTHING);
    } else if let Some((.., at)) = ours
        .first()
        .filter(|_| is_everything(ours.iter().map(|(net, ..)| *net)))
    {
        report.add(at, "together, these networks make every client ours", NOT_EVERYTHING);
    }
}

fn hosts(list: &[At<String>], report: &mut Report<'_>) {
    for item in list {
        let group = GroupInput {
            hosts: vec![item.get().clone()],
            ..GroupInput::default()
        };
        if is_any(item.get()) {
            let what = format!("`{}` makes every host ours", shown(item.get()));
            report.add(&item.at(), what, NOT_EVERYTHING);
        } else if let Err(problems) = HostGroups::compile(vec![group]) {
            for problem in problems {
                report.add(&item.at(), problem.what, problem.hint);
            }
        }
    }
}

fn domains(list: &[At<String>], report: &mut Report<'_>) {
    for item in list {
        let (text, at) = (shown(item.get()), item.at());
        if is_any(item.get()) {
            let what = format!("`{text}` makes every domain ours");
            report.add(&at, what, "list the domains whose mail stays with you");
        } else if item.get().is_empty()
            || item
                .get()
                .contains(|c: char| c.is_whitespace() || c.is_control() || c == '@')
        {
            let what = format!("`{text}` is not a domain");
            report.add(
                &at,
                what,
                "write a domain such as `example.org`, or a glob such as `*.example.org`",
            );
        } else if let Err(why) = globset::Glob::new(item.get()) {
            let what = format!("`{text}` is not a glob: {why}");
            report.add(&at, what, "globs support `*`, `?`, `[0-9]` and `{a,b}`");
        }
    }
}

/// Whether a glob has nothing but wildcards and dots: `*`, `*.*`, `**`.
fn is_any(glob: &str) -> bool {
    glob.contains('*') && glob.chars().all(|c| matches!(c, '*' | '.' | '?'))
}

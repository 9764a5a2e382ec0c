//! `[[host_alias]]`: other names of hosts, as logs print them.

use std::collections::{BTreeMap, HashMap};
use std::net::IpAddr;

use super::at::At;
use super::errors::shown;
use super::names::is_host_name;
use super::raw::RawHostAlias;
use super::report::Report;

const HINT: &str = "use an IP address, or at most 253 letters, digits, `-`, `_`, and dots";

/// Other names and addresses of hosts in small letters, each with the host's name.
pub(super) fn check(raw: Vec<At<RawHostAlias>>, report: &mut Report<'_>) -> BTreeMap<String, String> {
    let mut names: BTreeMap<String, String> = BTreeMap::new();
    let mut places: HashMap<String, String> = HashMap::new();
    for alias in raw.into_iter().map(At::into_inner) {
        let (Some(name), Some(also)) = (alias.name, alias.also) else {
            continue;
        };
        if !is_host_name(name.get()) {
            let what = format!("`name = \"{}\"` is not a host name", shown(name.get()));
            report.add(&name.at(), what, HINT);
            continue;
        }
        if also.is_empty() {
            let what = format!("host `{}` has no other name", shown(name.get()));
            report.add(&name.at(), what, "add one: `also = [\"10.64.0.5\"]`");
        }
        for other in &also {
            let key = other.get().to_ascii_lowercase();
            if !is_host_name(other.get()) && other.get().parse::<IpAddr>().is_err() {
                let what = format!("`{}` is neither a host name nor an address", shown(other.get()));
                report.add(&other.at(), what, HINT);
            } else if let Some(first) = names.get(&key).filter(|first| *first != name.get()) {
                let what = format!(
                    "`{}` is already another name of `{}`, at {}",
                    shown(other.get()),
                    shown(first),
                    places[&key]
                );
                report.add(&other.at(), what, "a name stands for one host");
            } else {
                places.insert(key.clone(), report.place(&other.at()));
                names.insert(key, name.get().clone());
            }
        }
    }
    names
}

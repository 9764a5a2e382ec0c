//! `[[provider]]` turned into a compiled table.

use std::collections::HashMap;
use std::net::IpAddr;

use crate::normalise::provider::{OTHER, ProviderInput, Providers, built_in};

use super::at::At;
use super::errors::shown;
use super::names::is_name;
use super::raw::RawProvider;
use super::report::Report;

const NAME_HINT: &str = "use at most 64 letters, digits, `-`, and `_`, and start with a letter or a digit; names with dots are those of domains";
const GLOB_HINT: &str = "globs support `*`, `?`, `[0-9]`, `{a,b}`, and `\\` before a character to mean itself";

/// Characters that end the part of a glob before its literal end.
const SPECIAL: [char; 4] = ['*', '?', ']', '}'];

/// Compiles the providers.
pub(super) fn check(raw: Vec<At<RawProvider>>, report: &mut Report<'_>) -> Providers {
    let mut names = HashMap::new();
    let mut globs = HashMap::new();
    let (mut inputs, mut places) = (Vec::new(), Vec::new());
    for provider in raw.into_iter().map(At::into_inner) {
        let Some(name) = provider.name else { continue };
        let is_new = take_name(&name, &mut names, report);
        let Some(mx) = provider.mx else { continue };
        if mx.is_empty() {
            let what = format!("provider `{}` has an empty `mx`", shown(name.get()));
            report.add(&name.at(), what, "add a glob: `mx = [\"*.mx.example.org\"]`");
        }
        for glob in &mx {
            take_glob(glob, name.get(), &mut globs, report);
        }
        if is_new {
            overridden(&name, &mx, report);
        }
        inputs.push(ProviderInput {
            name: name.into_inner(),
            mx: mx.iter().map(|glob| glob.get().clone()).collect(),
        });
        places.push(mx);
    }
    let compiled = Providers::compile(&inputs).unwrap_or_else(|problems| {
        for problem in problems {
            let glob = &places[problem.at.0][problem.at.1];
            let what = format!("`{}` is not a glob: {}", shown(glob.get()), problem.what);
            report.add(&glob.at(), what, GLOB_HINT);
        }
        Providers::default()
    });
    if let (Some(last), [_, ..]) = (places.last().and_then(|mx| mx.first()), compiled.displaced()) {
        let what = format!(
            "there are more providers than names for them; mail for these built-in ones goes by their domains: {}",
            compiled.displaced().join(", ")
        );
        report.warn(&last.at(), what, "remove a [[provider]] that is not needed");
    }
    compiled
}

/// Whether a name is good and nobody's yet.
fn take_name(name: &At<String>, taken: &mut HashMap<String, String>, report: &mut Report<'_>) -> bool {
    let (text, at) = (shown(name.get()), name.at());
    let key = name.get().to_lowercase();
    if key == OTHER {
        let what = format!("`{text}` is reserved for providers that have no name");
        report.add(&at, what, "use another name");
    } else if !is_name(name.get()) || name.get().contains('.') {
        report.add(&at, format!("`{text}` cannot be the name of a provider"), NAME_HINT);
    } else if let Some(first) = taken.get(&key) {
        let what = format!("provider `{text}` is already defined at {first}");
        report.add(&at, what, "merge the globs of both into one `mx`");
    } else {
        taken.insert(key, report.place(&at));
        return true;
    }
    false
}

/// Names globs that match nothing or everything, and those that never match because another provider has them.
fn take_glob(
    glob: &At<String>,
    provider: &str,
    taken: &mut HashMap<String, (String, String)>,
    report: &mut Report<'_>,
) {
    let (text, at) = (shown(glob.get()), glob.at());
    let key = glob.get().to_ascii_lowercase();
    if glob.get().parse::<IpAddr>().is_ok() {
        let hint = "providers are known by the names of their hosts";
        report.add(&at, format!("`{text}` is an address"), hint);
    } else if !key.contains(|c: char| c.is_ascii_alphanumeric()) {
        let hint = "write the part that the names of the provider's hosts have in common";
        report.add(&at, format!("`{text}` matches every host"), hint);
    } else if let Some((owner, place)) = taken.get(&key) {
        if owner == provider {
            report.warn(
                &at,
                format!("`{text}` is already defined at {place}"),
                "remove one of them",
            );
        } else {
            let what = format!(
                "`{text}` never matches: provider `{}` at {place} has the same glob",
                shown(owner)
            );
            report.fault(&at, what, "remove one of them");
        }
    } else {
        taken.insert(key, (provider.to_owned(), report.place(&at)));
    }
}

/// Names the built-in providers whose hosts a provider takes over.
fn overridden(name: &At<String>, mx: &[At<String>], report: &mut Report<'_>) {
    for glob in mx {
        let text = glob.get().to_ascii_lowercase();
        let end = text.rsplit(SPECIAL).next().unwrap_or_default().trim_start_matches('.');
        let is_below = |host: &str, suffix: &str| {
            let rest = host.strip_suffix(suffix);
            !suffix.is_empty() && rest.is_some_and(|rest| rest.is_empty() || rest.ends_with('.'))
        };
        let taken = built_in().iter().filter(|(other, suffixes)| {
            let is_met = |suffix: &&str| is_below(suffix, end) || is_below(end, suffix);
            other != name.get() && suffixes.iter().any(is_met)
        });
        let taken: Vec<&str> = taken.map(|(other, _)| *other).collect();
        let Some(first) = taken.first() else { continue };
        let more = match taken.len() {
            1 => String::new(),
            others => format!(" and {} more", others - 1),
        };
        let what = format!(
            "provider `{}` takes over hosts of the built-in provider `{first}`{more}: {}",
            shown(name.get()),
            shown(glob.get())
        );
        let hint = format!("nothing to do if this is intended; named `{first}`, it would add to that one");
        report.warn(&glob.at(), what, hint);
    }
}

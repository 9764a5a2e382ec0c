//! Templates for addresses and Message-IDs, and the names that fill them.
//!
//! `{t}` epoch seconds, `{ms}` with milliseconds, `{stamp}` civil time, `{n}` up to five digits, `{dN}` N digits,
//! `{hN}` N hex digits, `{aN}` N of a-z0-9, `{eid}` a message ID, `{host}` `{user}` `{domain}` `{list}` `{wiki}`
//! `{ticket}` `{verp}` names.

use std::fmt::Write;

use super::clock::TimeFormatter;
use super::id::EximId;
use super::prng::Rng;
use super::remote;

const USERS: [&str; 40] = [
    "alice", "amir", "anna", "bawolff", "brooke", "carlos", "chad", "chen", "daniel", "deepa", "elena", "erik",
    "fatima", "gerard", "hana", "ivan", "jane", "joe", "jürgen", "katie", "lars", "luca", "maria", "mei", "niklas",
    "olga", "paul", "priya", "quim", "rosa", "sam", "sören", "tanaka", "tim", "ursula", "victor", "wei", "yuki", "zoe",
    "o'brien",
];
const LISTS: [&str; 12] = [
    "wikitech-l",
    "mediawiki-l",
    "wikimedia-l",
    "wikidata",
    "analytics",
    "commons-l",
    "foundation-l",
    "engineering",
    "research-l",
    "wikien-l",
    "wiki-offline",
    "ops",
];
const WIKIS: [&str; 10] = [
    "enwiki",
    "dewiki",
    "frwiki",
    "jawiki",
    "ruwiki",
    "eswiki",
    "commonswiki",
    "wikidatawiki",
    "metawiki",
    "zhwiki",
];
const TICKETS: [&str; 6] = [
    "info-en",
    "info-de",
    "permissions-commons",
    "photosubmission",
    "donate",
    "info-fr",
];

/// What a template can refer to.
pub(super) struct Scene<'a> {
    pub(super) t: i64,
    pub(super) host: &'a str,
}

/// Fills a template.
pub(super) fn fill(template: &str, scene: &Scene<'_>, rng: &mut Rng) -> String {
    let mut out = String::with_capacity(64);
    let mut rest = template;
    while let Some((before, after)) = rest.split_once('{') {
        out.push_str(before);
        let (token, tail) = after.split_once('}').unwrap_or((after, ""));
        put(token, scene, rng, &mut out);
        rest = tail;
    }
    out.push_str(rest);
    out
}

/// One token.
fn put(token: &str, scene: &Scene<'_>, rng: &mut Rng, out: &mut String) {
    let t = scene.t;
    let _ = match token {
        "t" => write!(out, "{t}"),
        "ms" => write!(out, "{t}{:03}", rng.below(1000)),
        "n" => write!(out, "{}", 1 + rng.below(32_767)),
        "eid" => {
            let pid = 300 + rng.below(32_000) as u32;
            write!(out, "{}", EximId::new(t, pid, rng))
        }
        "stamp" => {
            out.extend(
                TimeFormatter::new()
                    .of(t)
                    .iter()
                    .filter(|b| b.is_ascii_digit())
                    .map(|&b| char::from(b)),
            );
            Ok(())
        }
        "host" => out.write_str(scene.host),
        "user" => user(rng, out),
        "domain" => out.write_str(remote::domain(rng)),
        "list" => out.write_str(rng.pick(&LISTS)),
        "wiki" => out.write_str(rng.pick(&WIKIS)),
        "ticket" => out.write_str(rng.pick(&TICKETS)),
        "verp" => {
            write!(
                out,
                "{}{}={}",
                rng.pick(&USERS[..8]),
                rng.below(3000),
                remote::domain(rng)
            )
        }
        _ => digits(token, rng, out),
    };
}

/// A local part: most are plain ASCII, a few are what breaks parsers.
fn user(rng: &mut Rng, out: &mut String) -> std::fmt::Result {
    let name = rng.pick(&USERS);
    match rng.below(1000) {
        0 => write!(out, "\"{name} {name}\""),
        1..=4 => write!(out, "{name}+{}", rng.pick(&WIKIS)),
        _ if name.is_ascii() => write!(out, "{name}{}", rng.below(3000)),
        _ if rng.chance(0.04) => out.write_str(name),
        _ => write!(out, "user{}", rng.below(100_000)),
    }
}

/// `dN`, `hN`, `aN`.
fn digits(token: &str, rng: &mut Rng, out: &mut String) -> std::fmt::Result {
    let alphabet: &[u8] = match token.as_bytes().first() {
        Some(b'd') => b"0123456789",
        Some(b'h') => b"0123456789abcdef",
        _ => b"0123456789abcdefghijklmnopqrstuvwxyz",
    };
    let n: usize = token.get(1..).and_then(|n| n.parse().ok()).unwrap_or(0);
    let mut bits = 0;
    for i in 0..n {
        if i % 8 == 0 {
            bits = rng.bits();
        }
        // A byte at a time is not quite uniform, and need not be.
        out.push(char::from(alphabet[(bits & 0xff) as usize % alphabet.len()]));
        bits >>= 8;
    }
    Ok(())
}

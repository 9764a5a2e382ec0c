//! Who runs the receiving side, by the name of the next hop: `gmail-smtp-in.l.google.com` is `google`.
//!
//! A provider of the configuration or of the built-in table (`providers.txt`) has a name without a dot. Any other one is a
//! domain: the registrable domain of the next hop, else the recipient's. So a name tells by itself whether rates have a
//! series of it ([`in_rates`]), whatever the configuration was when it was stored.

use super::rules::Pattern;
use std::borrow::Cow;
use std::collections::BTreeMap;
use std::net::IpAddr;
use std::sync::{Arc, LazyLock};

/// Providers that have names: their series in rates, and one of all the others.
pub const NAMED_MAX: usize = 49;

/// What rates call the providers that have no name.
pub const OTHER: &str = "other";

/// The longest name of a host.
const NAME_BYTES_MAX: usize = 253;

/// The built-in table: names with their suffixes, the most important ones first.
static BUILT_IN: LazyLock<Vec<(&str, Vec<&str>)>> = LazyLock::new(|| {
    let lines = include_str!("providers.txt").lines();
    let lines = lines.filter(|line| !line.starts_with('#') && !line.trim().is_empty());
    lines
        .map(|line| {
            let mut words = line.split_whitespace();
            (words.next().unwrap_or_default(), words.collect())
        })
        .collect()
});

/// The built-in table.
pub fn built_in() -> &'static [(&'static str, Vec<&'static str>)] {
    &BUILT_IN
}

/// What rates call a provider: they have series of named ones only.
pub fn in_rates(provider: &str) -> &str {
    match provider.contains('.') {
        true => OTHER,
        false => provider,
    }
}

/// Where a copy went, or was to go.
#[derive(Debug, Clone, Copy, Default)]
pub struct NextHop<'a> {
    /// Name of the host, as the log has it; empty if unknown.
    pub name: &'a [u8],
    /// Its address.
    pub ip: Option<IpAddr>,
    /// The domain of the recipient's address.
    pub recipient_domain: &'a [u8],
}

/// A provider of the configuration.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ProviderInput {
    /// Its name.
    pub name: String,
    /// Globs of next hops' names.
    pub mx: Vec<String>,
}

/// A glob that does not compile.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ProviderProblem {
    /// Number of the provider, and of the glob in it.
    pub at: (usize, usize),
    /// What is wrong with it.
    pub what: String,
}

/// The configuration's providers and the built-in ones.
#[derive(Debug, Clone)]
pub struct Providers(Arc<ProviderTable>);

#[derive(Debug, Default)]
struct ProviderTable {
    /// Globs with their providers, those with the most literal text first.
    own: Vec<(Pattern, Box<str>)>,
    /// Built-in suffixes with their providers.
    suffixes: BTreeMap<&'static str, &'static str>,
    /// Names of built-in providers that found no place.
    displaced: Vec<&'static str>,
}

impl Default for Providers {
    /// The built-in ones alone.
    fn default() -> Self {
        Providers(Arc::new(ProviderTable::of(Vec::new(), &[])))
    }
}

impl ProviderTable {
    /// Globs of providers, and the built-in ones as far as there are places.
    fn of(mut own: Vec<(Pattern, Box<str>)>, inputs: &[ProviderInput]) -> Self {
        // Stable: of two globs with as much text, the first one of the configuration wins.
        own.sort_by_key(|(pattern, _)| {
            let (prefix, suffix) = pattern.ends();
            std::cmp::Reverse(prefix.len() + suffix.len())
        });
        let is_own = |name: &str| inputs.iter().any(|input| input.name == name);
        let mut places = NAMED_MAX.saturating_sub(inputs.len());
        let mut table = ProviderTable {
            own,
            ..ProviderTable::default()
        };
        for (name, suffixes) in built_in() {
            if !is_own(name) {
                if places == 0 {
                    table.displaced.push(name);
                    continue;
                }
                places -= 1;
            }
            table.suffixes.extend(suffixes.iter().map(|suffix| (*suffix, *name)));
        }
        table
    }
}

impl Providers {
    /// Own providers before the built-in ones, [`NAMED_MAX`] of all.
    ///
    /// # Errors
    /// All globs that do not compile.
    pub fn compile(inputs: &[ProviderInput]) -> Result<Self, Vec<ProviderProblem>> {
        let mut own = Vec::new();
        let mut problems = Vec::new();
        for (provider, input) in inputs.iter().enumerate() {
            for (glob, text) in input.mx.iter().enumerate() {
                match Pattern::compile(text.trim_end_matches('.')) {
                    Ok(pattern) => own.push((pattern, input.name.as_str().into())),
                    Err(what) => problems.push(ProviderProblem {
                        at: (provider, glob),
                        what,
                    }),
                }
            }
        }
        match problems.is_empty() {
            true => Ok(Providers(Arc::new(ProviderTable::of(own, inputs)))),
            false => Err(problems),
        }
    }

    /// Built-in providers whose places the configuration's take.
    pub fn displaced(&self) -> &[&'static str] {
        &self.0.displaced
    }

    /// The provider that runs a host with a name in lower case, if it has one.
    fn named(&self, host: &str) -> Option<&str> {
        let own = self.0.own.iter().find(|(pattern, _)| pattern.matches(host.as_bytes()));
        let own = own.map(|(_, name)| &**name);
        let mut rest = Some(host);
        let by_suffix = std::iter::from_fn(|| {
            let suffix = rest?;
            rest = suffix.split_once('.').map(|(_, rest)| rest);
            Some(suffix)
        });
        let mut by_suffix = by_suffix.filter_map(|suffix| self.0.suffixes.get(suffix).copied());
        own.or_else(|| by_suffix.next())
    }

    /// The provider of a next hop outside: its name, else a domain; empty for loopback, for a socket, and where nothing is
    /// known. Who asks knows whether the copy went outside at all: a host of ours is no provider, nor is what speaks LMTP.
    pub fn of(&self, hop: NextHop<'_>) -> Cow<'_, str> {
        if is_here(hop) {
            return Cow::Borrowed("");
        }
        let by_host = host_name(hop.name).and_then(|host| {
            let named = self.named(&host).map(Cow::Borrowed);
            named.or_else(|| psl::domain_str(&host).map(|domain| Cow::Owned(domain.to_owned())))
        });
        let by_recipient = || host_name(hop.recipient_domain).map(|domain| Cow::Owned(domain.into_owned()));
        by_host.or_else(by_recipient).unwrap_or_default()
    }
}

/// Whether the copy never left this host.
fn is_here(hop: NextHop<'_>) -> bool {
    let loopback = match hop.ip {
        Some(IpAddr::V6(ip)) => ip.to_canonical().is_loopback(),
        Some(ip) => ip.is_loopback(),
        None => false,
    };
    let first = hop.name.split(|&b| b == b'.').next().unwrap_or_default();
    loopback || hop.name.contains(&b'/') || first.eq_ignore_ascii_case(b"localhost")
}

/// A name of a host or a domain below a top-level one, in lower case; an address and a stranger's text are none.
fn host_name(name: &[u8]) -> Option<Cow<'_, str>> {
    let name = name.strip_suffix(b".").unwrap_or(name);
    let is_plain = |b: &u8| b.is_ascii_alphanumeric() || b"-_.".contains(b);
    let last = name.rsplit(|&b| b == b'.').next()?;
    let is_name = name.len() <= NAME_BYTES_MAX
        && name.len() > last.len()
        && last.iter().any(u8::is_ascii_alphabetic)
        && name.iter().all(is_plain)
        && !name.starts_with(b".")
        && !name.windows(2).any(|pair| pair == b"..");
    let text = std::str::from_utf8(name).ok().filter(|_| is_name)?;
    Some(match text.bytes().any(|b| b.is_ascii_uppercase()) {
        true => Cow::Owned(text.to_ascii_lowercase()),
        false => Cow::Borrowed(text),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    fn own(name: &str, mx: &[&str]) -> ProviderInput {
        ProviderInput {
            name: name.to_owned(),
            mx: mx.iter().map(|glob| (*glob).to_owned()).collect(),
        }
    }

    #[test]
    fn a_next_hop_has_the_provider_of_its_longest_suffix_else_a_domain() {
        let inputs = [
            own("office365", &["*.mail.protection.outlook.com"]),
            own("partner", &["mx[0-9].partner.example", "*.Example.ORG"]),
            own("inner", &["*.inner.example.org"]),
            own("google", &["mx.google-partner.example"]),
        ];
        let providers = Providers::compile(&inputs).unwrap();
        for (name, ip, domain, provider) in [
            ("gmail-smtp-in.l.google.com", "", "gmail.com", "google"),
            ("ASPMX2.GoogleMail.com.", "", "example.org", "google"),
            ("mx.google-partner.example", "", "gmail.com", "google"),
            ("aspmx.notgoogle.com", "", "gmail.com", "notgoogle.com"),
            ("org.mail.protection.outlook.com", "", "", "office365"),
            ("outlook-com.olc.protection.outlook.com", "", "", "microsoft"),
            ("contoso.a-v1.mx.microsoft", "", "", "microsoft"),
            ("mta5.am0.yahoodns.net", "", "", "yahoo"),
            ("mx0a-001.pphosted.com", "", "", "proofpoint"),
            ("mx00.emig.gmx.net", "", "", "gmx"),
            ("mx-ha02.web.de", "", "", "gmx"),
            ("mxb.mail.ovh.net", "", "", "ovh"),
            ("vps1.vps.ovh.net", "", "", "ovh.net"),
            ("mx1.partner.example", "", "", "partner"),
            ("mxa.partner.example", "", "", "partner.example"),
            ("a.example.org", "", "", "partner"),
            ("a.inner.example.org", "", "", "inner"),
            ("mx.some.co.uk", "192.0.2.1", "x.org", "some.co.uk"),
            ("", "192.0.2.1", "Gmail.com", "gmail.com"),
            ("192.0.2.1", "192.0.2.1", "x.org", "x.org"),
            ("mailhost", "", "x.org", "x.org"),
            ("co.uk", "", "x.org", "x.org"),
            ("", "", "", ""),
            ("", "", "localhost", ""),
            ("", "", "x.org\n\u{1b}[2J", ""),
            ("..", "", "a..b", ""),
            ("mx.google.com", "127.0.0.1", "x.org", ""),
            ("mx.google.com", "::ffff:127.0.0.2", "x.org", ""),
            ("", "::1", "x.org", ""),
            ("localhost.localdomain", "", "x.org", ""),
            ("private/dovecot-lmtp", "", "x.org", ""),
        ] {
            let hop = NextHop {
                name: name.as_bytes(),
                ip: ip.parse().ok(),
                recipient_domain: domain.as_bytes(),
            };
            assert_eq!(providers.of(hop), provider, "{name} {ip} {domain}");
        }
    }

    #[test]
    fn the_table_names_each_provider_and_suffix_once_and_fits_into_the_rates() {
        let names: BTreeSet<&str> = built_in().iter().map(|(name, _)| *name).collect();
        let suffixes: Vec<&str> = built_in().iter().flat_map(|(_, suffixes)| suffixes.clone()).collect();
        assert_eq!(names.len(), built_in().len());
        assert!((40..=NAMED_MAX).contains(&names.len()), "{}", names.len());
        assert_eq!(suffixes.iter().collect::<BTreeSet<_>>().len(), suffixes.len());
        for name in names {
            assert!(!name.contains('.') && name != OTHER, "{name}");
            assert_eq!(in_rates(name), name);
        }
        for suffix in suffixes {
            assert!(
                host_name(suffix.as_bytes()).is_some_and(|name| name == suffix),
                "{suffix}"
            );
        }
        assert_eq!((in_rates("some.co.uk"), in_rates("")), (OTHER, ""));
    }

    #[test]
    fn own_providers_take_the_places_of_the_last_built_in_ones() {
        let spare = NAMED_MAX - built_in().len();
        let inputs: Vec<ProviderInput> = (0..=spare).map(|n| own(&format!("own{n}"), &["mx.example"])).collect();
        let (last, suffixes) = built_in().last().unwrap();
        let hop = NextHop {
            name: suffixes[0].as_bytes(),
            ..NextHop::default()
        };
        let fits = Providers::compile(&inputs[1..]).unwrap();
        assert_eq!((fits.displaced(), &*fits.of(hop)), (&[][..], *last));
        let full = Providers::compile(&inputs).unwrap();
        assert_eq!(full.displaced(), [*last]);
        assert_eq!(in_rates(&full.of(hop)), OTHER);
    }

    #[test]
    fn without_a_configuration_the_built_in_ones_are_known() {
        let hop = NextHop {
            name: b"aspmx.l.google.com",
            ..NextHop::default()
        };
        assert_eq!(Providers::default().of(hop), "google");
    }

    #[test]
    fn a_bad_glob_is_named() {
        let problems = Providers::compile(&[own("a", &["*.x"]), own("b", &["*.y", "mx[0"])]).unwrap_err();
        assert_eq!(problems[0].at, (1, 1));
        assert!(problems[0].what.contains("unclosed"), "{problems:?}");
    }
}

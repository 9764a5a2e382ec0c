//! The services that send mail through the relays: who, how much, when, to whom, and how they take an outage.

use super::impact::Fate;
use super::remote::Mx;
use super::rhythm::SendingRhythm;

/// A set of numbered hosts, or one host.
pub(super) struct ServiceHosts {
    /// Name before and after the number.
    pub(super) name: (&'static str, &'static str),
    /// First number and how many there are; `None`: one host without a number.
    pub(super) numbers: Option<(u64, u64)>,
    /// First address; the last part counts up with the host.
    pub(super) net: (&'static str, u64),
    pub(super) greeting: Greeting,
}

impl ServiceHosts {
    /// Number of hosts.
    pub(super) fn count(&self) -> u64 {
        self.numbers.map_or(1, |(_, n)| n)
    }

    /// Name and address of the n-th host.
    pub(super) fn nth(&self, n: u64) -> (String, String) {
        let (stem, tail) = self.name;
        let name = self
            .numbers
            .map_or_else(|| stem.to_owned(), |(first, _)| format!("{stem}{}{tail}", first + n));
        (name, format!("{}{}", self.net.0, self.net.1 + n))
    }
}

/// How a host says its name, and what DNS says of it.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Greeting {
    /// HELO is its verified name: `H=name [ip]`.
    Verified,
    /// HELO is something else: `H=name (helo) [ip]`.
    Other(&'static str),
    /// Its address has no name: `H=(helo) [ip]`.
    Nameless,
}

/// How a service chooses its relay.
#[derive(Clone, Copy, PartialEq)]
pub(super) enum Routing {
    /// mx1001, and nothing else: a single point of failure.
    Single(Fate),
    /// This share by mx1001; the other takes over.
    Balanced(f64),
}

/// Whom a service writes to.
pub(super) enum To {
    /// People all over the world.
    People,
    /// An alias that the relay expands to staff: the log shows parents.
    Alias(&'static [&'static str]),
    /// Hosts of the house, as the address says.
    House(&'static [&'static str]),
}

/// Where its bounces go.
pub(super) enum BounceTo {
    /// `:blackhole:` by an alias file.
    Blackhole,
    /// MediaWiki's bounce handler: a pipe.
    Handler,
    /// A host of the house.
    Host(&'static Mx),
    /// An address that cannot be routed: the bounce is frozen.
    Nowhere,
}

/// A service. `senders` and `ids` are templates (see `text.rs`).
pub(super) struct Service {
    pub(super) name: &'static str,
    pub(super) rhythm: SendingRhythm,
    /// Whether `mails_per_day_scale` applies: rare mail stays as it is.
    pub(super) scales: bool,
    pub(super) routing: Routing,
    pub(super) hosts: &'static [ServiceHosts],
    /// Whether these are hosts of the house: `hosts_connection_nolog` names them, so only strangers' connections
    /// are logged.
    pub(super) inside: bool,
    pub(super) tls: bool,
    pub(super) senders: &'static [&'static str],
    pub(super) ids: &'static [&'static str],
    pub(super) to: To,
    /// Weights of 1, 2, 3 … recipients.
    pub(super) fan_out: &'static [u32],
    /// Mean and deviation of the logarithm of the size in bytes.
    pub(super) size: (f64, f64),
    /// Share of recipients that do not exist.
    pub(super) bounces: f64,
    pub(super) bounce_to: BounceTo,
}

/// The name that no rule gives.
pub const UNATTRIBUTED: &str = "unattributed";

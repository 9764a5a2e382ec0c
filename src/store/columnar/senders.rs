//! Who sent the rows of a segment, by all that is stored of it.

use super::Error;
use super::read::Reader;
use super::texts::Texts;
use hashbrown::HashMap;
use rustc_hash::FxBuildHasher;
use std::path::Path;

/// What rows say of who sent their mail.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Sender<'a> {
    /// What the rows are.
    pub kind: &'a str,
    /// Service.
    pub service: &'a str,
    /// Hostgroup.
    pub hostgroup: &'a str,
    /// Name of whoever handed it in.
    pub client: &'a str,
    /// Its address.
    pub client_ip: &'a str,
    /// The sender's local part, as stored.
    pub sender_local: &'a str,
    /// Its domain.
    pub sender_domain: &'a str,
}

const COLUMNS: [&str; 7] = [
    "kind",
    "service",
    "hostgroup",
    "client",
    "client_ip",
    "sender_local",
    "sender_domain",
];

/// The columns of [`Sender`].
struct Senders<'t>([&'t Texts; COLUMNS.len()]);

impl Senders<'_> {
    fn codes(&self, row: usize) -> [u32; COLUMNS.len()] {
        self.0.map(|texts| texts.codes[row])
    }

    fn of(&self, codes: [u32; COLUMNS.len()]) -> Sender<'_> {
        let mut texts = self.0.iter().zip(codes);
        let mut next = || {
            texts
                .next()
                .map_or("", |(texts, code)| texts.values[code as usize].as_str())
        };
        Sender {
            kind: next(),
            service: next(),
            hostgroup: next(),
            client: next(),
            client_ip: next(),
            sender_local: next(),
            sender_domain: next(),
        }
    }
}

/// Tells each combination of a segment's rows that enter the mail system here, with their number.
pub fn senders(path: &Path, each: &mut dyn FnMut(&Sender<'_>, u64)) -> Result<(), Error> {
    let mut reader = Reader::open(path)?;
    let mut texts = Vec::with_capacity(COLUMNS.len());
    for name in COLUMNS {
        texts.push(reader.texts(name)?);
    }
    let first_hops = reader.flags("first_hop")?;
    let columns = Senders(std::array::from_fn(|at| &texts[at]));
    let mut counts: HashMap<[u32; COLUMNS.len()], u64, FxBuildHasher> = HashMap::default();
    for (row, _) in first_hops.iter().enumerate().filter(|(_, first)| **first) {
        *counts.entry(columns.codes(row)).or_default() += 1;
    }
    for (codes, rows) in counts {
        each(&columns.of(codes), rows);
    }
    Ok(())
}

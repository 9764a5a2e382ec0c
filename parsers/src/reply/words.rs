//! Phrases in a text. Names of hosts, addresses, links, files and what stands in angle brackets are skipped: somebody else
//! chose them, and a host that is called `spamfilter.example` says nothing of spam.

use super::enhanced::enhanced_at;
use super::phrases::{LATER, STRONG, WEAK};
use super::provider::{self, ProviderCode};
use super::reason::Reason;
use crate::cut::{Alphabet, Cut};
use memchr::{memchr, memmem};

/// Bytes of a text that are looked at.
const SCAN_MAX: usize = 600;

/// What the words of a text say.
#[derive(Debug, Default, Clone, Copy)]
pub(super) struct Words {
    /// A reason that the words name.
    pub(super) strong: Option<Reason>,
    /// Asked to try again.
    pub(super) later: bool,
    /// Refused, in words that do not say why.
    pub(super) weak: Option<Reason>,
    /// The provider's own code.
    pub(super) code: Option<ProviderCode>,
}

/// A phrase behind its first letter, and its group.
type Phrase = (&'static [u8], u8);

const STRONG_GROUPS: usize = STRONG.len();
const LATER_GROUP: usize = STRONG_GROUPS;
const NONE: u8 = u8::MAX;

/// Letters, which come first, and digits.
static IN_WORD: Alphabet = Alphabet::new(b"abcdefghijklmnopqrstuvwxyz0123456789").also(b"ABCDEFGHIJKLMNOPQRSTUVWXYZ");

/// What a name of a host, an address, a link or a file is made of, letters and digits apart.
static IN_NAME: Alphabet = Alphabet::new(b"._-@:/%+=#~&?$");

/// Reads the words of a text.
pub(super) fn read(text: &[u8]) -> Words {
    let mut room = [0; SCAN_MAX];
    let plain = unfolded(text, &mut room);
    let mut lower = [0; SCAN_MAX];
    let Some(lower) = lower.get_mut(..plain.len()) else {
        return Words::default();
    };
    lower.copy_from_slice(plain);
    lower.make_ascii_lowercase();
    let mut best = Best {
        strong: NONE,
        weak: NONE,
        later: false,
    };
    let mut code = None;
    let mut at = 0;
    while let Some(byte) = plain.get(at) {
        if !IN_WORD.has(*byte) {
            at += match byte {
                b'<' => memchr(b'>', plain.past(at)).map_or(1, |close| close + 1),
                _ => 1,
            };
            continue;
        }
        let before = at.checked_sub(1).and_then(|before| plain.get(before)).copied();
        let word = word_length(plain.past(at));
        if code.is_none() && may_begin_code(*byte, before) {
            let token = plain.past(at).until(token_length(plain.past(at)));
            code = provider::code(before, plain.past(at), token);
        }
        // Nearly every word ends at a space, and is part of no name.
        let follows = plain.get(at + word).copied().unwrap_or(b' ');
        if before != Some(b'/') && !IN_NAME.has(follows) && follows != b'[' && follows < 0x80 {
            best.note(lower.past(at));
            at += word;
            continue;
        }
        let token = plain.past(at).until(token_length(plain.past(at)));
        let end = at + token.len().max(word);
        if is_name(token) || before == Some(b'/') || plain.get(end) == Some(&b'[') {
            let bracket = plain
                .past(end)
                .strip_prefix(b"[")
                .and_then(|inside| memchr(b']', inside));
            at = end + bracket.map_or(0, |close| close + 2);
            continue;
        }
        while at < end {
            best.note(lower.past(at));
            at += word_length(plain.past(at).until(end - at));
            let rest = plain.past(at).until(end - at);
            at += rest.iter().take_while(|byte| !IN_WORD.has(**byte)).count();
        }
    }
    Words {
        strong: STRONG.get(usize::from(best.strong)).map(|group| group.0),
        weak: WEAK.get(usize::from(best.weak)).map(|group| group.0),
        later: best.later,
        code,
    }
}

/// The first groups that were met.
struct Best {
    strong: u8,
    weak: u8,
    later: bool,
}

impl Best {
    /// Looks for phrases that begin here.
    fn note(&mut self, text: &[u8]) {
        let [first, after @ ..] = text else { return };
        let Some(phrases) = after.first().map(|second| candidates(*first, *second)) else {
            return;
        };
        // The third letter tells most apart without a comparison.
        let third = after.get(1);
        for (tail, group) in phrases {
            if tail.get(1) != third || !after.starts_with(tail) {
                continue;
            }
            match usize::from(*group) {
                strong if strong < STRONG_GROUPS => self.strong = self.strong.min(*group),
                LATER_GROUP => self.later = true,
                weak => self.weak = self.weak.min((weak - LATER_GROUP - 1) as u8),
            }
        }
    }
}

fn word_length(text: &[u8]) -> usize {
    text.iter().take_while(|byte| IN_WORD.has(**byte)).count()
}

/// Codes begin with a capital behind a bracket or a space, or stand in a link.
fn may_begin_code(first: u8, before: Option<u8>) -> bool {
    first.is_ascii_uppercase() || (first == b'h' && before != Some(b'/'))
}

/// Length of the word in hand with what may make a name of it. A sentence's end is none of it.
fn token_length(text: &[u8]) -> usize {
    let length = text
        .iter()
        .take_while(|byte| IN_WORD.has(**byte) || IN_NAME.has(**byte) || **byte >= 0x80)
        .count();
    let ends = text.until(length).iter().rev();
    length
        - ends
            .take_while(|byte| matches!(byte, b'.' | b':' | b'-' | b'?' | b'='))
            .count()
}

/// Whether it is an address, a link, or a host's name. `java.net.ConnectException` is none, nor is `rejected.See`.
fn is_name(token: &[u8]) -> bool {
    if token.contains(&b'@') {
        return true;
    }
    if !token.contains(&b'.') {
        return memmem::find(token, b"://").is_some();
    }
    let is_link = memmem::find(token, b"://").is_some();
    let host = token
        .split(|byte| matches!(byte, b'/' | b':'))
        .next()
        .unwrap_or_default();
    let mut labels = host.rsplit(|byte| *byte == b'.');
    let (last, before) = (labels.next().unwrap_or_default(), labels.next().unwrap_or_default());
    let is_domain = last.len() >= 2
        && !before.is_empty()
        && (last.iter().all(u8::is_ascii_lowercase) || last.iter().all(u8::is_ascii_uppercase));
    is_link || is_domain
}

/// The text as one line of single spaces: Exim prints a reply's newlines as `\n`, and behind each stands the code again.
fn unfolded<'r>(text: &'r [u8], room: &'r mut [u8; SCAN_MAX]) -> &'r [u8] {
    // Most replies are one line, and are read where they stand.
    if memchr(b'\\', text.until(SCAN_MAX)).is_none() {
        return text.until(SCAN_MAX);
    }
    let mut length = 0;
    let mut rest = text.until(2 * SCAN_MAX);
    while let [byte, after @ ..] = rest {
        let mut put = *byte;
        rest = after;
        if put == b'\\' && after.first() == Some(&b'n') {
            put = b' ';
            rest = behind_codes(after.past(1));
        }
        let is_second_space = put == b' ' && length > 0 && room.get(length - 1) == Some(&b' ');
        if is_second_space {
            continue;
        }
        let Some(place) = room.get_mut(length) else { break };
        *place = put;
        length += 1;
    }
    room.get(..length).unwrap_or_default()
}

/// Without `550-5.1.1 ` in front.
fn behind_codes(line: &[u8]) -> &[u8] {
    let [b'2'..=b'5', b'0'..=b'9', b'0'..=b'9', b' ' | b'-', rest @ ..] = line else {
        return line;
    };
    match enhanced_at(rest) {
        Some(_) => rest.past(rest.iter().position(|byte| *byte == b' ').unwrap_or(rest.len())),
        None => rest,
    }
}

/// All phrases, in the order of their buckets: those with the same first letter and low bits of the second byte.
static PHRASES: [Phrase; COUNT] = sorted().0;

/// Where each bucket begins in [`PHRASES`], and at the end where the last one ends.
static STARTS: [u16; BUCKETS + 1] = sorted().1;

const BUCKETS: usize = 26 * 32;
const COUNT: usize = count();

fn candidates(first: u8, second: u8) -> &'static [Phrase] {
    let letter = usize::from(IN_WORD.place(first));
    let bucket = letter * 32 + usize::from(second & 31);
    let place = |bucket: usize| STARTS.get(bucket).map(|start| usize::from(*start));
    match (letter < 26, place(bucket), place(bucket + 1)) {
        (true, Some(start), Some(end)) => PHRASES.get(start..end).unwrap_or_default(),
        _ => &[],
    }
}

/// Phrases of a group, by its number among all.
#[expect(
    clippy::indexing_slicing,
    reason = "the compiler runs it: a wrong place would not compile"
)]
const fn group(number: usize) -> &'static [&'static str] {
    if number < STRONG_GROUPS {
        STRONG[number].1
    } else if number == LATER_GROUP {
        LATER
    } else {
        WEAK[number - LATER_GROUP - 1].1
    }
}

const GROUPS: usize = STRONG_GROUPS + 1 + WEAK.len();

const fn count() -> usize {
    let (mut all, mut number) = (0, 0);
    while number < GROUPS {
        all += group(number).len();
        number += 1;
    }
    all
}

#[expect(
    clippy::indexing_slicing,
    reason = "the compiler runs it: a wrong place would not compile"
)]
const fn bucket_of(phrase: &[u8]) -> usize {
    (phrase[0] - b'a') as usize * 32 + (phrase[1] & 31) as usize
}

/// The phrases sorted by bucket: counted, then put in their places.
#[expect(
    clippy::indexing_slicing,
    reason = "the compiler runs it: a wrong place would not compile"
)]
const fn sorted() -> ([Phrase; COUNT], [u16; BUCKETS + 1]) {
    let mut starts = [0_u16; BUCKETS + 1];
    let mut number = 0;
    while number < GROUPS {
        let (phrases, mut at) = (group(number), 0);
        while at < phrases.len() {
            starts[bucket_of(phrases[at].as_bytes()) + 1] += 1;
            at += 1;
        }
        number += 1;
    }
    let mut bucket = 0;
    while bucket < BUCKETS {
        starts[bucket + 1] += starts[bucket];
        bucket += 1;
    }
    let mut places: [Phrase; COUNT] = [(&[], 0); COUNT];
    let mut next = starts;
    number = 0;
    while number < GROUPS {
        let (phrases, mut at) = (group(number), 0);
        while at < phrases.len() {
            let phrase = phrases[at].as_bytes();
            let bucket = bucket_of(phrase);
            places[next[bucket] as usize] = (phrase.split_at(1).1, number as u8);
            next[bucket] += 1;
            at += 1;
        }
        number += 1;
    }
    (places, starts)
}

//! Local parts in text that nobody understood: samples of lines and fields are kept for people, and what stands in them may
//! be somebody's address. Rather too much is taken for one than too little.

use crate::normalise::redact::{LocalParts, Redactor};

/// What ends a word that may be an address.
const ENDS: &[u8] = b"<>()[],;:\"";
/// Keys before an address, which stay.
const KEYS: [&[u8]; 12] = [
    b"address",
    b"email",
    b"from",
    b"login",
    b"mail",
    b"orig_to",
    b"rcpt",
    b"recipient",
    b"ruser",
    b"sender",
    b"to",
    b"user",
];
/// Keys before the name of an account, which has no `@` as a rule.
const ACCOUNTS: [&[u8]; 8] = [
    b"U",
    b"login",
    b"orig_to",
    b"ruser",
    b"sasl_sender",
    b"sasl_username",
    b"user",
    b"username",
];
/// Longest words of a reply.
const REPLY_BYTES_MAX: usize = 512;
/// Longest address in brackets or quotes.
const ADDRESS_BYTES_MAX: usize = 320;

impl Redactor {
    /// The first bytes of a text, about `bytes_max` at most, without local parts: they are what [`Redactor::stored`] makes of
    /// them.
    pub fn sample(&self, text: &[u8], bytes_max: usize) -> Vec<u8> {
        let mut out = match self.mode() {
            LocalParts::Keep => text[..text.len().min(bytes_max)].to_vec(),
            LocalParts::Hash | LocalParts::Drop => {
                without_local_parts(whole_words(text, 4 * bytes_max), &|address| self.stored(address))
            }
        };
        out.truncate(bytes_max);
        out
    }

    /// What is stored of a reply's words: nothing, if they are not kept.
    pub fn reply(&self, words: &[u8]) -> Vec<u8> {
        if !self.keeps_replies() || words.is_empty() {
            return Vec::new();
        }
        // A character that is cut in two is none.
        let kept = self.sample(words.trim_ascii(), REPLY_BYTES_MAX);
        match std::str::from_utf8(&kept) {
            Err(cut) if cut.error_len().is_none() => kept[..cut.valid_up_to()].to_vec(),
            _ => kept,
        }
    }

    /// As [`Redactor::sample`], for the value of a field: one that is an address by its name need not look like one.
    pub(crate) fn field_sample(&self, field: &str, value: &[u8], bytes_max: usize) -> Vec<u8> {
        let is_key = |key: &&[u8]| key.eq_ignore_ascii_case(field.as_bytes());
        let is_address = field == "A" || KEYS.iter().chain(&ACCOUNTS).any(is_key);
        match memchr::memchr(b'@', value) {
            None if is_address && self.mode() != LocalParts::Keep => self.stored(value),
            _ => self.sample(value, bytes_max),
        }
    }
}

/// A text whose local parts are all one word: for what is compared, not looked up.
pub(crate) fn shapeless(text: &[u8], bytes_max: usize) -> Vec<u8> {
    let mut out = without_local_parts(whole_words(text, 4 * bytes_max), &|_| b"x".to_vec());
    out.truncate(bytes_max);
    out
}

/// The first bytes, and the rest of the word in which they end: half an address looks like none.
fn whole_words(text: &[u8], bytes: usize) -> &[u8] {
    let rest = text.get(bytes..).unwrap_or_default();
    let more = rest.iter().position(|&byte| ends_word(byte)).unwrap_or(rest.len());
    &text[..text.len().min(bytes) + more]
}

fn ends_word(byte: u8) -> bool {
    byte <= b' ' || byte == 0x7f || ENDS.contains(&byte)
}

/// What is stored for an address's local part.
type StoredLocalPart<'f> = &'f dyn Fn(&[u8]) -> Vec<u8>;

fn without_local_parts(text: &[u8], stored: StoredLocalPart<'_>) -> Vec<u8> {
    let mut out = Vec::with_capacity(text.len());
    let mut at = 0;
    // The next word is an account's name: `A=plain:name`, `user=<name>`.
    let mut is_account = false;
    while let Some(&byte) = text.get(at) {
        let bracketed = match byte {
            b'"' => quoted(&text[at..]),
            b'<' => in_brackets(&text[at..]),
            _ => None,
        };
        if let Some(len) = bracketed {
            // A quoted local part begins with its quote, an address in brackets behind the bracket.
            let skip = usize::from(byte == b'<');
            out.extend_from_slice(&text[at..at + skip]);
            address(&text[at + skip..at + len], stored, &mut out);
            (at, is_account) = (at + len, false);
            continue;
        }
        if ends_word(byte) {
            out.push(byte);
            at += 1;
            is_account &= byte != b' ';
            continue;
        }
        let rest = &text[at..];
        let len = rest.iter().position(|&byte| ends_word(byte)).unwrap_or(rest.len());
        let (word, next) = (&rest[..len], rest.get(len));
        match word_of(word) {
            Word::Address => keyed(word, stored, &mut out),
            _ if is_account => out.extend(stored(word)),
            Word::Account(key_len) => {
                out.extend_from_slice(&word[..key_len]);
                if len > key_len {
                    out.extend(stored(&word[key_len..]));
                }
            }
            Word::Other => out.extend_from_slice(word),
        }
        is_account = match next {
            Some(b':') => word.starts_with(b"A="),
            Some(b'<') => matches!(word_of(word), Word::Account(key_len) if key_len == len),
            _ => false,
        };
        at += len;
    }
    out
}

/// What a word is.
enum Word {
    Address,
    /// Ends behind the `=`.
    Account(usize),
    Other,
}

fn word_of(word: &[u8]) -> Word {
    if last_at(word).is_some() {
        return Word::Address;
    }
    match memchr::memchr(b'=', word) {
        Some(at) if ACCOUNTS.contains(&&word[..at]) => Word::Account(at + 1),
        _ => Word::Other,
    }
}

/// An address, perhaps behind a `key=` that stays.
fn keyed(word: &[u8], stored: StoredLocalPart<'_>, out: &mut Vec<u8>) {
    let start = match memchr::memchr(b'=', word) {
        Some(at) if KEYS.contains(&&word[..at]) || ACCOUNTS.contains(&&word[..at]) => at + 1,
        _ => 0,
    };
    out.extend_from_slice(&word[..start]);
    address(&word[start..], stored, out);
}

/// Where the last `@` stands, also as URLs write it, and its length.
fn last_at(word: &[u8]) -> Option<(usize, usize)> {
    let plain = memchr::memrchr(b'@', word).map(|at| (at, 1));
    plain.or_else(|| memchr::memmem::rfind(word, b"%40").map(|at| (at, 3)))
}

/// Writes an address without its local part. What follows the domain stays.
fn address(text: &[u8], stored: StoredLocalPart<'_>, out: &mut Vec<u8>) {
    let Some((at, len)) = last_at(text) else {
        return out.extend_from_slice(text);
    };
    let rest = &text[at + len..];
    let is_domain = |byte: &u8| byte.is_ascii_alphanumeric() || *byte >= 0x80 || b".-_".contains(byte);
    let domain = rest.iter().position(|byte| !is_domain(byte)).unwrap_or(rest.len());
    let domain = rest[..domain].strip_suffix(b".").unwrap_or(&rest[..domain]);
    if at > 0 {
        out.extend(stored(&[&text[..at], b"@", domain].concat()));
    }
    out.extend_from_slice(&text[at..]);
}

/// Length of a quoted local part with its `@` and domain, if that is what begins here.
fn quoted(text: &[u8]) -> Option<usize> {
    let mut escaped = false;
    let end = text.iter().take(ADDRESS_BYTES_MAX).skip(1).position(|&byte| {
        let is_end = byte == b'"' && !escaped;
        escaped = byte == b'\\' && !escaped;
        is_end
    })? + 2;
    let rest = text[end..].strip_prefix(b"@")?;
    let domain = rest.iter().position(|&byte| ends_word(byte)).unwrap_or(rest.len());
    Some(end + 1 + domain)
}

/// Length up to the closing bracket, if there is an address between them, with blanks or without.
fn in_brackets(text: &[u8]) -> Option<usize> {
    let inner = &text[1..text.len().min(ADDRESS_BYTES_MAX)];
    let end = inner.iter().position(|&byte| matches!(byte, b'<' | b'>'))?;
    let inner = inner.get(..end).filter(|_| inner[end] == b'>')?;
    // An arrow of Exim's is no bracket.
    let is_one = last_at(inner).is_some() && !inner.starts_with(b"=") && !inner.ends_with(b"=");
    is_one.then_some(end + 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn scrubbed(mode: LocalParts, text: &str) -> String {
        let out = Redactor::new(mode, [7; 32]).sample(text.as_bytes(), 1_000);
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn no_local_part_is_left_in_clear() {
        for (text, expected) in [
            ("from jane.doe@example.org to x", "from @example.org to x"),
            ("<jane@x.org>, <bob+tag@y.org>", "<@x.org>, <@y.org>"),
            (
                "<= jane@x.org H=(h) [10.0.0.1] => bob@y.org",
                "<= @x.org H=(h) [10.0.0.1] => @y.org",
            ),
            ("\"Jane \\\" Doe\"@x.org said \"hi\"", "@x.org said \"hi\""),
            ("to=<jane doe@x.org>, from=jane@x.org", "to=<@x.org>, from=@x.org"),
            ("bounce-jane=x.org@lists.org", "@lists.org"),
            ("a@b@c.org", "@c.org"),
            ("mailto:jane@x.org?subject=a", "mailto:@x.org?subject=a"),
            ("u=jane%40x.org&v", "%40x.org&v"),
            ("{\"to\":\"jane@x.org\"}", "{\"to\":\"@x.org\"}"),
            ("o'brien@x.org.", "@x.org."),
            ("j\u{f6}rg@x.org", "@x.org"),
            ("jane@[10.0.0.1]", "@[10.0.0.1]"),
            (
                "A=plain:jane U=jane sasl_username=jane, user=<jane>,",
                "A=plain: U= sasl_username=, user=<>,",
            ),
            ("A=plain:jane@x.org S=5", "A=plain:@x.org S=5"),
            (
                "nobody here: 12:00 a=b <= => <> \"\"",
                "nobody here: 12:00 a=b <= => <> \"\"",
            ),
            ("@ and @@", "@ and @"),
        ] {
            assert_eq!(scrubbed(LocalParts::Drop, text), expected, "{text}");
            assert_eq!(scrubbed(LocalParts::Keep, text), text);
        }
    }

    #[test]
    fn a_pseudonym_in_a_sample_is_the_one_that_is_stored() {
        let redactor = Redactor::new(LocalParts::Hash, [7; 32]);
        let pseudonym = String::from_utf8(redactor.stored(b"jane@x.org")).unwrap();
        for text in ["to=<Jane@x.org>.", "A=login:jane@x.org,", "jane@x.org/path"] {
            assert!(
                scrubbed(LocalParts::Hash, text).contains(&format!("{pseudonym}@")),
                "{text}"
            );
        }
        assert_eq!(
            redactor.field_sample("from", b"jane doe", 80),
            redactor.stored(b"jane doe")
        );
        assert_eq!(redactor.field_sample("S", b"12x", 80), b"12x");
    }

    #[test]
    fn an_address_that_the_end_of_a_sample_cuts_is_none_in_clear() {
        let line = format!("{}jane.doe.of.somewhere@example.org more", "x ".repeat(20));
        for max in 1..line.len() {
            let sample = Redactor::new(LocalParts::Drop, [0; 32]).sample(line.as_bytes(), max);
            assert!(!String::from_utf8(sample).unwrap().contains("jane"), "{max}");
        }
    }

    #[test]
    fn any_bytes_end_and_grow_little() {
        let mut state = 7_u64;
        for _ in 0..20_000 {
            let bytes: Vec<u8> = (0..60)
                .map(|_| {
                    state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
                    b"ab@@=:<>\"\\ %40UA,\xff"[(state >> 33) as usize % 18]
                })
                .collect();
            assert!(without_local_parts(&bytes, &|_| Vec::new()).len() <= bytes.len());
        }
    }
}

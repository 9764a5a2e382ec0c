//! The words of mail servers, by first letter.

use super::reason::Reason::{self, *};
use crate::cut::{Alphabet, Cut};

/// Bytes of a text that are looked at.
const SCAN_MAX: usize = 600;

/// A phrase without its first letter, its reason, and its rank: of several phrases in a text the lowest rank counts.
type Phrase = (&'static [u8], Reason, u8);

/// How Exim's own texts begin.
pub(super) fn by_beginning(text: &[u8]) -> Option<Reason> {
    const TABLE: [(&[u8], Reason); 22] = [
        (b"Connection refused", ConnectionRefused),
        (b"Connection timed out", Timeout),
        (b"Connection reset by peer", ConnectionLost),
        (b"No route to host", ConnectionRefused),
        (b"Network is unreachable", ConnectionRefused),
        (b"Host is unreachable", ConnectionRefused),
        (b"retry time not reached", RetryTimeout),
        (b"retry timeout exceeded", RetryTimeout),
        (b"all hosts for ", RetryTimeout),
        (b"all hosts have been failing", RetryTimeout),
        (b"host lookup did not complete", Dns),
        (b"all relevant MX records point", Dns),
        (b"an MX or SRV record indicated", Dns),
        (b"lowest numbered MX record points", Routing),
        (b"remote host address is the local host", Routing),
        (b"Too many \"Received\" headers", Routing),
        (b"Unrouteable address", Routing),
        (b"Remote host ", ConnectionLost),
        (b"SMTP timeout ", Timeout),
        (b"Unknown user", NoSuchUser),
        (b"mailbox is full", MailboxFull),
        (b"a TLS session is required", Tls),
    ];
    let reason = TABLE.iter().find(|(beginning, _)| text.starts_with(beginning))?.1;
    // `Connection timed out: retry timeout exceeded` is the end of the retries, not one more of them.
    Some(if text.ends_with(b": retry timeout exceeded") {
        RetryTimeout
    } else {
        reason
    })
}

/// Letters, which come first, and digits.
static IN_WORD: Alphabet = Alphabet::new(b"abcdefghijklmnopqrstuvwxyz0123456789");

/// The strongest phrase of a text. Phrases begin where a word does; case does not matter.
pub(super) fn by_phrase(text: &[u8]) -> Option<Reason> {
    let text = text.until(SCAN_MAX);
    // In small letters, once for all phrases.
    let mut room = [0; SCAN_MAX];
    let lower = room.get_mut(..text.len())?;
    lower.copy_from_slice(text);
    lower.make_ascii_lowercase();
    let mut rest = &*lower;
    let mut best: Option<(Reason, u8)> = None;
    loop {
        while let [byte, after @ ..] = rest
            && !IN_WORD.has(*byte)
        {
            rest = after;
        }
        let [first, after @ ..] = rest else { break };
        let letter = usize::from(IN_WORD.place(*first));
        let second = after.first().map_or(0, |second| usize::from(second & 31));
        if let (Some(phrases), Some(candidates)) = (BY_LETTER.get(letter), CANDIDATES.get(letter)) {
            // Of most words not even the second letter is a phrase's.
            let mut candidates = candidates.get(second).copied().unwrap_or(0);
            while candidates != 0 {
                if let Some(&(tail, reason, rank)) = phrases.get(candidates.trailing_zeros() as usize)
                    && best.is_none_or(|(_, best)| rank < best)
                    && after.starts_with(tail)
                {
                    best = Some((reason, rank));
                }
                candidates &= candidates - 1;
            }
            if matches!(best, Some((_, 0))) {
                break;
            }
        }
        while let [byte, after @ ..] = rest
            && IN_WORD.has(*byte)
        {
            rest = after;
        }
    }
    best.map(|(reason, _)| reason)
}

/// The phrases of each first letter.
#[expect(
    clippy::indexing_slicing,
    reason = "the compiler runs it: a wrong place would not compile"
)]
static BY_LETTER: [&[Phrase]; 26] = {
    let mut phrases: [&[Phrase]; 26] = [&[]; 26];
    let mut letter = 0;
    while letter < 26 {
        phrases[letter] = starting_with(b'a' + letter as u8);
        letter += 1;
    }
    phrases
};

/// For each first letter, and the low five bits of each second byte: a bit for each phrase that begins so.
#[expect(
    clippy::indexing_slicing,
    reason = "the compiler runs it: a wrong place would not compile"
)]
static CANDIDATES: [[u32; 32]; 26] = {
    let mut bits = [[0; 32]; 26];
    let mut letter = 0;
    while letter < 26 {
        let phrases = starting_with(b'a' + letter as u8);
        let mut at = 0;
        while at < phrases.len() {
            bits[letter][(phrases[at].0[0] & 31) as usize] |= 1 << at;
            at += 1;
        }
        letter += 1;
    }
    bits
};

#[expect(clippy::too_many_lines, reason = "a table")]
#[rustfmt::skip]
const fn starting_with(letter: u8) -> &'static [Phrase] {
    match letter {
        b'a' => &[
            (b"ccount disabled", NoSuchUser, 2),
            (b"ccount has been disabled", NoSuchUser, 2),
            (b"ccount inactive", NoSuchUser, 2),
            (b"ccount is disabled", NoSuchUser, 2),
            (b"ccount that you tried to reach", NoSuchUser, 2),
            (b"ddress does not", NoSuchUser, 2),
            (b"ddress unknown", NoSuchUser, 2),
            (b"uth required", Auth, 8),
            (b"uthenticate", Auth, 8),
            (b"uthentication", Auth, 8),
            (b"uthenticator", Auth, 8),
            (b"ccess", Policy, 13),
            (b"dministrative", Policy, 13),
        ],
        b'b' => &[
            (b"ad destination mailbox", NoSuchUser, 2),
            (b"anned", Policy, 6),
            (b"arracuda", Policy, 6),
            (b"lack list", Policy, 6),
            (b"lackhole", Policy, 6),
            (b"lacklist", Policy, 6),
            (b"lock list", Policy, 6),
            (b"lock-list", Policy, 6),
            (b"locked", Policy, 6),
            (b"locklist", Policy, 6),
            (b"ulk mail", Spam, 7),
            (b"roken pipe", ConnectionLost, 15),
        ],
        b'c' => &[
            (b"ome back later", Greylisted, 0),
            (b"oncurrent connections", RateLimited, 5),
            (b"onnection limit", RateLimited, 5),
            (b"ontent rejected", Spam, 7),
            (b"ertificate", Tls, 9),
            (b"annot connect", ConnectionRefused, 12),
            (b"onnection refused", ConnectionRefused, 12),
            (b"ould not connect", ConnectionRefused, 12),
            (b"onnectexception", ConnectionRefused, 12),
            (b"onnectionrefused", ConnectionRefused, 12),
            (b"losed connection", ConnectionLost, 15),
            (b"onnection aborted", ConnectionLost, 15),
            (b"onnection closed", ConnectionLost, 15),
            (b"onnection dropped", ConnectionLost, 15),
            (b"onnection lost", ConnectionLost, 15),
            (b"onnection reset", ConnectionLost, 15),
            (b"onnection unexpectedly closed", ConnectionLost, 15),
            (b"onnectionreset", ConnectionLost, 15),
            (b"annot open", LocalError, 16),
            (b"hild process", LocalError, 16),
            (b"onfiguration error", LocalError, 16),
            (b"annot assign requested", LocalError, 16),
            (b"ould not execute", LocalError, 16),
            (b"ould not instantiate", LocalError, 16),
        ],
        b'd' => &[
            (b"isk quota", MailboxFull, 1),
            (b"oes not exist", NoSuchUser, 2),
            (b"oesn't exist", NoSuchUser, 2),
            (b"o not relay", RelayDenied, 3),
            (b"eferred due to unexpected volume", RateLimited, 5),
            (b"enylist", Policy, 6),
            (b"kim", Policy, 6),
            (b"marc", Policy, 6),
            (b"nsbl", Policy, 6),
            (b"ns", Dns, 11),
            (b"omain does not", Dns, 11),
            (b"omain lookup", Dns, 11),
            (b"omain not found", Dns, 11),
            (b"enied", Policy, 13),
            (b"isconnect", ConnectionLost, 15),
        ],
        b'e' => &[
            (b"xceeded its quota", MailboxFull, 1),
            (b"xceeded quota", MailboxFull, 1),
            (b"xceeded storage", MailboxFull, 1),
            (b"m004", NoSuchUser, 2),
            (b"xceeds maximum message", Size, 4),
            (b"xceeds size", Size, 4),
            (b"xceeded the maximum number", RateLimited, 5),
            (b"xceeded the rate", RateLimited, 5),
            (b"xcessive", RateLimited, 5),
            (b"auth", Auth, 8),
            (b"notfound", Dns, 11),
            (b"connrefused", ConnectionRefused, 12),
            (b"hostunreach", ConnectionRefused, 12),
            (b"netunreach", ConnectionRefused, 12),
            (b"hlo", Policy, 13),
            (b"timedout", Timeout, 14),
            (b"xecution expired", Timeout, 14),
            (b"connreset", ConnectionLost, 15),
            (b"nd of file reached", ConnectionLost, 15),
            (b"oferror", ConnectionLost, 15),
            (b"m001", LocalError, 16),
            (b"m002", LocalError, 16),
            (b"m003", LocalError, 16),
            (b"m005", LocalError, 16),
            (b"m006", LocalError, 16),
        ],
        b'f' => &[
            (b"orbidden", Policy, 13),
            (b"rom address failed", Policy, 13),
            (b"ailed to expand", LocalError, 16),
        ],
        b'g' => &[
            (b"ray list", Greylisted, 0),
            (b"ray-list", Greylisted, 0),
            (b"raylist", Greylisted, 0),
            (b"rey list", Greylisted, 0),
            (b"rey-list", Greylisted, 0),
            (b"reylist", Greylisted, 0),
            (b"aierror", Dns, 11),
            (b"etaddrinfo", Dns, 11),
        ],
        b'h' => &[
            (b"igh spam", Spam, 7),
            (b"ave been failing for a long time", RetryTimeout, 10),
            (b"ost lookup", Dns, 11),
            (b"ost not found", Dns, 11),
            (b"op count", Routing, 12),
            (b"ost is unreachable", ConnectionRefused, 12),
            (b"elo", Policy, 13),
        ],
        b'i' => &[
            (b"nbox is full", MailboxFull, 1),
            (b"nsufficient storage", MailboxFull, 1),
            (b"nsufficient system storage", MailboxFull, 1),
            (b"nvalid address", NoSuchUser, 2),
            (b"nvalid mailbox", NoSuchUser, 2),
            (b"nvalid recipient", NoSuchUser, 2),
            (b"nvalid user", NoSuchUser, 2),
            (b"nfected", Spam, 7),
            (b"ncorrect authentication", Auth, 8),
            (b"nvalid sender", Policy, 13),
            (b"nsufficient system resources", LocalError, 16),
            (b"nternal error", LocalError, 16),
            (b"nternal server error", LocalError, 16),
        ],
        b'j' => &[
            (b"unk", Spam, 7),
        ],
        b'l' => &[
            (b"imit exceeded", RateLimited, 5),
            (b"oad average", RateLimited, 5),
            (b"isted at", Policy, 6),
            (b"isted by", Policy, 6),
            (b"isted in", Policy, 6),
            (b"ikely unsolicited", Spam, 7),
            (b"ogin failed", Auth, 8),
            (b"ookup did not complete", Dns, 11),
            (b"ookup failed", Dns, 11),
            (b"ocal host", Routing, 12),
            (b"oop", Routing, 12),
            (b"ost connection", ConnectionLost, 15),
            (b"ocal delivery failed", LocalError, 16),
            (b"ocal error", LocalError, 16),
            (b"ocal problem", LocalError, 16),
        ],
        b'm' => &[
            (b"ailbox full", MailboxFull, 1),
            (b"ailbox has exceeded", MailboxFull, 1),
            (b"ailbox is full", MailboxFull, 1),
            (b"ailbox quota", MailboxFull, 1),
            (b"ailbox size limit", MailboxFull, 1),
            (b"ailbox disabled", NoSuchUser, 2),
            (b"ailbox does not", NoSuchUser, 2),
            (b"ailbox is disabled", NoSuchUser, 2),
            (b"ailbox is inactive", NoSuchUser, 2),
            (b"ailbox not found", NoSuchUser, 2),
            (b"ailbox unavailable", NoSuchUser, 2),
            (b"ailbox unknown", NoSuchUser, 2),
            (b"aximum message size", Size, 4),
            (b"aximum size", Size, 4),
            (b"essage exceeds", Size, 4),
            (b"essage file too big", Size, 4),
            (b"essage is too large", Size, 4),
            (b"essage size exceeds", Size, 4),
            (b"essage size limit", Size, 4),
            (b"essage too big", Size, 4),
            (b"essage too large", Size, 4),
            (b"ail refused", Policy, 6),
            (b"alware", Spam, 7),
            (b"essage content rejected", Spam, 7),
            (b"ust authenticate", Auth, 8),
            (b"x record", Dns, 11),
            (b"ail loop", Routing, 12),
            (b"ailconnectexception", ConnectionRefused, 12),
        ],
        b'n' => &[
            (b"o mailbox", NoSuchUser, 2),
            (b"o such address", NoSuchUser, 2),
            (b"o such local user", NoSuchUser, 2),
            (b"o such mailbox", NoSuchUser, 2),
            (b"o such person", NoSuchUser, 2),
            (b"o such recipient", NoSuchUser, 2),
            (b"o such user", NoSuchUser, 2),
            (b"osuchuser", NoSuchUser, 2),
            (b"ot a valid mailbox", NoSuchUser, 2),
            (b"ot known here", NoSuchUser, 2),
            (b"ot our customer", NoSuchUser, 2),
            (b"ot allowed to relay", RelayDenied, 3),
            (b"ot permitted to relay", RelayDenied, 3),
            (b"ame or service not known", Dns, 11),
            (b"o mx", Dns, 11),
            (b"o smtp service", Dns, 11),
            (b"on-existent hosts", Dns, 11),
            (b"etwork is unreachable", ConnectionRefused, 12),
            (b"etwork unreachable", ConnectionRefused, 12),
            (b"o route to host", ConnectionRefused, 12),
            (b"ot accepted", Policy, 13),
            (b"ot allowed", Policy, 13),
            (b"ot authorised", Policy, 13),
            (b"ot authorized", Policy, 13),
            (b"ot permitted", Policy, 13),
            (b"o space left", LocalError, 16),
            (b"o such file", LocalError, 16),
            (b"ot enough space", LocalError, 16),
        ],
        b'o' => &[
            (b"ut of storage", MailboxFull, 1),
            (b"ver its quota", MailboxFull, 1),
            (b"ver quota", MailboxFull, 1),
            (b"ver the quota", MailboxFull, 1),
            (b"verquota", MailboxFull, 1),
            (b"pen relay", RelayDenied, 3),
            (b"pentimeout", Timeout, 14),
        ],
        b'p' => &[
            (b"ostgrey", Greylisted, 0),
            (b"hish", Spam, 7),
            (b"tr record", Dns, 11),
            (b"olicy", Policy, 13),
            (b"rohibited", Policy, 13),
            (b"ermission denied", LocalError, 16),
        ],
        b'q' => &[
            (b"uota exceed", MailboxFull, 1),
            (b"uota is exceeded", MailboxFull, 1),
            (b"ueue file", LocalError, 16),
        ],
        b'r' => &[
            (b"eceiving mail at a rate that prevents", MailboxFull, 1),
            (b"ecipient address rejected: user", NoSuchUser, 2),
            (b"ecipient does not", NoSuchUser, 2),
            (b"ecipient not found", NoSuchUser, 2),
            (b"ecipient unknown", NoSuchUser, 2),
            (b"ecipnotfound", NoSuchUser, 2),
            (b"esolver.adr.recip", NoSuchUser, 2),
            (b"elay access denied", RelayDenied, 3),
            (b"elay denied", RelayDenied, 3),
            (b"elay not", RelayDenied, 3),
            (b"elay prohibited", RelayDenied, 3),
            (b"elaying denied", RelayDenied, 3),
            (b"elaying is", RelayDenied, 3),
            (b"elaying not", RelayDenied, 3),
            (b"ate exceeded", RateLimited, 5),
            (b"ate limit", RateLimited, 5),
            (b"ate-limit", RateLimited, 5),
            (b"atelimit", RateLimited, 5),
            (b"eceiving mail too quickly", RateLimited, 5),
            (b"bl", Policy, 6),
            (b"eputation", Policy, 6),
            (b"etry time", RetryTimeout, 10),
            (b"everse dns", Dns, 11),
            (b"outing", Routing, 12),
            (b"efused", Policy, 13),
            (b"efusing", Policy, 13),
            (b"ejected", Policy, 13),
            (b"ecipients failed", Policy, 13),
            (b"eadtimeout", Timeout, 14),
            (b"ead-only file", LocalError, 16),
        ],
        b's' => &[
            (b"torage allocation", MailboxFull, 1),
            (b"ize limit", Size, 4),
            (b"ending rate", RateLimited, 5),
            (b"erver busy", RateLimited, 5),
            (b"erver too busy", RateLimited, 5),
            (b"low down", RateLimited, 5),
            (b"mtpserverbusy", RateLimited, 5),
            (b"pamcop", Policy, 6),
            (b"pamhaus", Policy, 6),
            (b"pf", Policy, 6),
            (b"pam", Spam, 7),
            (b"uspicious", Spam, 7),
            (b"mtp auth", Auth, 8),
            (b"mtpauthentication", Auth, 8),
            (b"sl", Tls, 9),
            (b"tarttls", Tls, 9),
            (b"ender domain must", Dns, 11),
            (b"mtp connect() failed", ConnectionRefused, 12),
            (b"ender verify", Policy, 13),
            (b"mtprecipientsrefused", Policy, 13),
            (b"mtpsenderrefused", Policy, 13),
            (b"ockettimeout", Timeout, 14),
            (b"mtpserverdisconnected", ConnectionLost, 15),
            (b"ervice unavailable", LocalError, 16),
            (b"ystem error", LocalError, 16),
            (b"ystem resources", LocalError, 16),
        ],
        b't' => &[
            (b"emporarily deferred due to greylist", Greylisted, 0),
            (b"his user", NoSuchUser, 2),
            (b"hrottl", RateLimited, 5),
            (b"oo many", RateLimited, 5),
            (b"ry again later, rate", RateLimited, 5),
            (b"ls", Tls, 9),
            (b"emporary failure in name", Dns, 11),
            (b"ransaction failed", Policy, 13),
            (b"ime out", Timeout, 14),
            (b"imed out", Timeout, 14),
            (b"imeout", Timeout, 14),
            (b"emporarily unavailable", LocalError, 16),
            (b"emporary failure", LocalError, 16),
            (b"emporary local", LocalError, 16),
            (b"emporary system", LocalError, 16),
            (b"ransport", LocalError, 16),
        ],
        b'u' => &[
            (b"nknown address", NoSuchUser, 2),
            (b"nknown mailbox", NoSuchUser, 2),
            (b"nknown or illegal alias", NoSuchUser, 2),
            (b"nknown recipient", NoSuchUser, 2),
            (b"nknown user", NoSuchUser, 2),
            (b"nroutable address", NoSuchUser, 2),
            (b"nrouteable", NoSuchUser, 2),
            (b"ser disabled", NoSuchUser, 2),
            (b"ser does not exist", NoSuchUser, 2),
            (b"ser doesn", NoSuchUser, 2),
            (b"ser is disabled", NoSuchUser, 2),
            (b"ser not found", NoSuchUser, 2),
            (b"ser unknown", NoSuchUser, 2),
            (b"nable to relay", RelayDenied, 3),
            (b"nexpected volume", RateLimited, 5),
            (b"nusual rate", RateLimited, 5),
            (b"ser complaints", RateLimited, 5),
            (b"nsolicited", Spam, 7),
            (b"nknown host", Dns, 11),
            (b"nresolvable", Dns, 11),
            (b"nknownhost", Dns, 11),
            (b"nable to connect", ConnectionRefused, 12),
            (b"nauthorized", Policy, 13),
            (b"nexpected eof", ConnectionLost, 15),
        ],
        b'v' => &[
            (b"irus", Spam, 7),
            (b"erification failed", Policy, 13),
            (b"erify failed", Policy, 13),
        ],
        b'w' => &[
            (b"e do not relay", RelayDenied, 3),
        ],
        _ => &[],
    }
}

//! Whether a line of an application's log begins with a time: what does begins a record, or shows that the format changed.

/// Whether a line begins with a date or a time of its own, in whatever form: before the time of day stand only parts of
/// a date, a bracket, a syslog priority or a level. JSON may name its time anywhere near its start. A header line of a
/// mail (`Date: …`) and an indented line do not.
pub fn begins_with_time(line: &[u8]) -> bool {
    let time_at = |head: &[u8]| {
        head.windows(8).position(
            |part| matches!(part, [a, b, b':', c, d, b':', e, f] if [a, b, c, d, e, f].iter().all(|n| n.is_ascii_digit())),
        )
    };
    if line.starts_with(b"{\"") {
        return time_at(&line[..line.len().min(200)]).is_some();
    }
    if line.first().is_none_or(u8::is_ascii_whitespace) {
        return false;
    }
    time_at(&line[..line.len().min(48)])
        .is_some_and(|at| line[..at].split(|b| !b.is_ascii_alphanumeric()).all(is_of_date))
        && !line.starts_with(b":")
}

/// Part of a date, or the level before one: `2018`, `Jun`, `T`, `06T`, `ERROR`, `E0606`.
fn is_of_date(word: &[u8]) -> bool {
    const NAMES: &[u8] = b"JanFebMarAprMayJunJulAugSepOctNovDecMonTueWedThuFriSatSun";
    let upper = |b: &u8| b.is_ascii_uppercase() || b.is_ascii_digit();
    (word.len() <= 8 && word.iter().all(upper)) || NAMES.chunks(3).any(|name| name == word)
}

#[cfg(test)]
mod tests {
    use super::begins_with_time;

    #[test]
    fn what_begins_with_a_time() {
        for line in [
            "2018-06-06 19:02:11 x",
            "[2018-06-06T19:02:11.123Z] x",
            "[06/Jun/2018 19:02:11 +0000] x",
            "Jun  6 19:02:11 host x",
            "Wed Jun  6 19:02:11 2018 x",
            "<22>1 2018-06-06T19:02:11Z x",
            "ERROR 2018-06-06 19:02:11 x",
            "E0606 19:02:11.123 x",
            "19:02:11 x",
            r#"{"level":"error","ts":"2018-06-06T19:02:11Z"}"#,
        ] {
            assert!(begins_with_time(line.as_bytes()), "{line}");
        }
        for line in [
            "",
            "Date: Wed, 06 Jun 2018 19:02:11 +0000",
            "Received: from x; Wed, 06 Jun 2018 19:02:11",
            "\tat 2018-06-06 19:02:11",
            "Caused by: it was 19:02:11",
            "the mail of 2018-06-06 19:02:11",
            "2018-06-06",
            "{\"a\":1}",
        ] {
            assert!(!begins_with_time(line.as_bytes()), "{line}");
        }
    }
}

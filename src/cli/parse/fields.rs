//! Fields of a line's object that several kinds of log share.

use crate::model::text::text;
use crate::model::time::{UtcMs, rfc3339};
use mailpulse_parsers::reply::Reply;
use mailpulse_parsers::{Odd, Reject, Stamp};
use serde_json::{Map, Value, json};

pub(super) fn put(map: &mut Map<String, Value>, name: &str, value: Option<&[u8]>) {
    if let Some(value) = value {
        map.insert(name.to_owned(), text(value).into());
    }
}

pub(super) fn put_number(map: &mut Map<String, Value>, name: &str, value: Option<u64>) {
    if let Some(value) = value {
        map.insert(name.to_owned(), value.into());
    }
}

/// A field that was left out.
pub(super) fn put_odd(map: &mut Map<String, Value>, odd: Option<&Odd<'_>>) {
    if let Some(odd) = odd {
        let field = json!({"field": odd.field, "value": text(odd.value)});
        map.insert("odd_field".into(), field);
    }
}

/// The time; without an offset in the line, the zone is the source's: the time is civil.
pub(super) fn map_time(map: &mut Map<String, Value>, stamp: &Stamp) {
    let time = rfc3339(UtcMs::new(stamp.utc_ms()));
    let time = if stamp.offset_seconds.is_some() {
        time
    } else {
        time.trim_end_matches('Z').to_owned()
    };
    map.insert("time".into(), time.into());
}

/// What a server said.
pub(super) fn put_reply(map: &mut Map<String, Value>, reply: &Reply) {
    put_number(map, "smtp_code", reply.smtp_code.map(u64::from));
    if let Some(code) = reply.enhanced {
        let code = format!("{}.{}.{}", code.class, code.subject, code.detail);
        map.insert("enhanced_code".into(), code.into());
    }
    if let Some(code) = &reply.provider_code {
        map.insert("provider_code".into(), code.as_str().into());
    }
    map.insert("reason".into(), reply.reason.as_str().into());
}

/// Where and why a line does not parse; for people, with a caret.
pub(super) fn unparsed(map: &mut Map<String, Value>, reject: &Reject, line: &[u8], picture: bool) {
    map.insert("status".into(), "unparsed".into());
    map.insert("offset".into(), reject.offset.into());
    map.insert("expected".into(), reject.expected.into());
    map.insert("why".into(), reject.to_string().into());
    if picture {
        map.insert("picture".into(), reject.picture(line).into());
    }
}

/// `RejectedRcpt` → `rejected_rcpt`.
pub(super) fn snake(name: &str) -> String {
    let mut out = String::new();
    for c in name.chars() {
        if c.is_ascii_uppercase() && !out.is_empty() {
            out.push('_');
        }
        out.push(c.to_ascii_lowercase());
    }
    out
}

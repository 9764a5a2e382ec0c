//! Any bytes as the text of a failure: no panic, and codes are codes.
#![no_main]

use libfuzzer_sys::fuzz_target;
use mailpulse_parsers::reply::classify_with_errno;

fuzz_target!(|input: (&[u8], Option<i32>)| {
    let (text, errno) = input;
    let reply = classify_with_errno(text, errno);
    if let Some(code) = reply.smtp_code {
        assert!((200..600).contains(&code));
        let digits = code.to_string();
        assert!(text.windows(3).any(|window| window == digits.as_bytes()));
    }
    if let Some(enhanced) = reply.enhanced {
        assert!(matches!(enhanced.class, 2 | 4 | 5) && enhanced.subject <= 999 && enhanced.detail <= 999);
        assert!(reply.smtp_code.is_some());
    }
});

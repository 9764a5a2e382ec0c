use super::*;

type Read = (Option<u16>, Option<(u8, u16, u16)>, &'static str);

fn read(text: &str) -> Read {
    let reply = classify(text.as_bytes());
    (
        reply.smtp_code,
        reply.enhanced.map(|e| (e.class, e.subject, e.detail)),
        reply.reason.as_str(),
    )
}

#[test]
fn replies_of_remote_servers() {
    let after = "SMTP error from remote mail server after RCPT TO:<x@example.org>: ";
    for (text, code, enhanced, reason) in [
        (
            "451 4.7.1 Greylisting in action, please come back later",
            451,
            Some((4, 7, 1)),
            "greylisted",
        ),
        (
            "450 4.2.0 <x>: Recipient address rejected: Greylisted",
            450,
            Some((4, 2, 0)),
            "greylisted",
        ),
        (
            r"550-5.1.1 The email account that you tried to reach does not exist.\n550 5.1.1 x",
            550,
            Some((5, 1, 1)),
            "no_such_user",
        ),
        (
            r"550-No such user\n550 5.1.1 sorry",
            550,
            Some((5, 1, 1)),
            "no_such_user",
        ),
        ("550 #5.1.0 Address rejected.", 550, Some((5, 1, 0)), "no_such_user"),
        ("552 5.2.2 Mailbox is full", 552, Some((5, 2, 2)), "mailbox_full"),
        (
            "452 4.2.2 The email account is over quota",
            452,
            Some((4, 2, 2)),
            "mailbox_full",
        ),
        ("452 Too many recipients", 452, None, "rate_limited"),
        (
            "421 4.7.0 [TSS04] Messages from 1.2.3.4 temporarily deferred due to user complaints",
            421,
            Some((4, 7, 0)),
            "rate_limited",
        ),
        (
            "554 5.7.1 Service unavailable; Client host [1.2.3.4] blocked using zen.spamhaus.org",
            554,
            Some((5, 7, 1)),
            "blocklist",
        ),
        ("550 5.7.26 unauthenticated", 550, Some((5, 7, 26)), "authentication"),
        ("550 relay not permitted", 550, None, "relay_denied"),
        ("554 5.7.1 Spam message rejected", 554, Some((5, 7, 1)), "content"),
        ("552 5.3.4 Message too big", 552, Some((5, 3, 4)), "message_too_big"),
        (
            "530 5.7.0 Must issue a STARTTLS command first",
            530,
            Some((5, 7, 0)),
            "tls",
        ),
        ("550 xyzzy", 550, None, "other"),
        ("550", 550, None, "other"),
    ] {
        assert_eq!(
            read(&format!("{after}{text}")),
            (Some(code), enhanced, reason),
            "{text}"
        );
        assert_eq!(read(text), (Some(code), enhanced, reason), "{text}");
        let old = format!("SMTP error from remote mail server after RCPT TO:<x>: host mx.example [1.2.3.4]: {text}");
        assert_eq!(read(&old), (Some(code), enhanced, reason), "{text}");
    }
}

#[test]
fn exims_own_words() {
    for (text, reason) in [
        ("Connection refused", "connection_refused"),
        ("Connection timed out", "timeout"),
        ("Connection timed out: retry timeout exceeded", "retry_timeout"),
        (
            "retry time not reached for any host for 'spam.example'",
            "retry_timeout",
        ),
        (
            "all hosts for 'example.org' have been failing for a long time (and retry time not reached)",
            "retry_timeout",
        ),
        (
            "all hosts for 'example.org' have been failing for a long time (in retry)",
            "retry_timeout",
        ),
        ("Unrouteable address", "no_such_user"),
        ("host lookup did not complete", "dns"),
        (
            "mailbox is full (MTA-imposed quota exceeded while writing to file /var/mail/x)",
            "mailbox_full",
        ),
        (
            "Remote host mx [1.2.3.4] closed connection in response to initial connection",
            "connection_lost",
        ),
        (
            "refusing mail from 1.2.3.4 - address is blocklisted by zen.spamhaus.org",
            "blocklist",
        ),
        (
            "a TLS session is required, but the server did not offer TLS support",
            "tls",
        ),
        ("", "other"),
        ("\u{1}\u{2}", "other"),
    ] {
        assert_eq!(read(text), (None, None, reason), "{text}");
    }
}

#[test]
fn numbers_in_addresses_are_no_codes() {
    for text in [
        r#"SMTP error from remote mail server after RCPT TO:<"a: 550 5.1.1 b"@x>: closed"#,
        "address 450@example.org is odd",
        "room: 1550 x",
        "port: 600 x",
        "size: 2500000",
    ] {
        assert_eq!(classify(text.as_bytes()).smtp_code, None, "{text}");
    }
}

#[test]
fn errnos() {
    for (errno, reason) in [
        (111, "connection_refused"),
        (110, "timeout"),
        (104, "connection_lost"),
        (-54, "retry_timeout"),
        (0, "other"),
        (-46, "other"),
        (-37, "tls"),
    ] {
        assert_eq!(classify_with_errno(b"", Some(errno)).reason.as_str(), reason, "{errno}");
    }
    assert_eq!(
        classify_with_errno(b"451 greylisted", Some(111)).reason,
        Reason::Greylisted
    );
}

#[test]
#[expect(clippy::too_many_lines, reason = "a table")]
fn words_of_applications() {
    for (text, reason) in [
        (
            "SMTP connect() failed. https://github.com/PHPMailer/PHPMailer/wiki/Troubleshooting",
            "connection_refused",
        ),
        ("SMTP Error: Could not connect to SMTP host.", "connection_refused"),
        ("SMTP Error: Could not authenticate.", "smtp_auth"),
        ("SMTP Error: data not accepted.", "policy"),
        ("The following From address failed: a@example.org", "policy"),
        ("SMTP Error: The following recipients failed: a@example.org", "policy"),
        ("Could not instantiate mail function.", "local_error"),
        ("[Errno 111] Connection refused", "connection_refused"),
        ("[Errno 110] Connection timed out", "timeout"),
        ("[Errno -2] Name or service not known", "dns"),
        ("[Errno -3] Temporary failure in name resolution", "dns"),
        ("gaierror(-5, 'No address associated with hostname')", "dns"),
        (
            "ConnectionRefusedError(111, 'Connection refused')",
            "connection_refused",
        ),
        ("ConnectionResetError(104)", "connection_lost"),
        (
            "SMTPServerDisconnected('Connection unexpectedly closed')",
            "connection_lost",
        ),
        (
            "SMTPServerDisconnected('please run connect() first')",
            "connection_lost",
        ),
        ("SMTPRecipientsRefused({})", "policy"),
        ("SMTPSenderRefused()", "policy"),
        ("SMTPAuthenticationError()", "smtp_auth"),
        ("timeout('timed out')", "timeout"),
        ("Connection refused (Connection refused)", "connection_refused"),
        ("connect timed out", "timeout"),
        ("java.net.SocketTimeoutException", "timeout"),
        ("java.net.ConnectException", "connection_refused"),
        ("java.net.UnknownHostException: mx1001", "dns"),
        ("javax.net.ssl.SSLHandshakeException: null", "tls"),
        ("com.sun.mail.util.MailConnectException", "connection_refused"),
        ("SMTP server rejected login: 535 5.7.8 no", "smtp_auth"),
        (
            "Server mx1001 rejected recipient a@example.org: 550 5.1.1 x",
            "no_such_user",
        ),
        ("Server mx1001 rejected from address a@example.org", "policy"),
        (
            "EM001: No recipients were specified in the to-address field.",
            "local_error",
        ),
        (
            "EM002: Bad from address specified in ${oozie.email.from.address}.",
            "local_error",
        ),
        ("EM003: Error setting a from address in the message.", "local_error"),
        ("EM004: Bad address format in <to> or <cc>.", "no_such_user"),
        ("EM005: An error occured while adding recipients.", "local_error"),
        (
            "EM006: Could not find an SMTP transport provider to email.",
            "local_error",
        ),
        (
            "EM007: Encountered an error while sending the email message over SMTP.",
            "other",
        ),
        ("Net::OpenTimeout (execution expired)", "timeout"),
        ("Net::ReadTimeout", "timeout"),
        ("execution expired", "timeout"),
        ("Net::SMTPServerBusy", "rate_limited"),
        (
            "Errno::ECONNREFUSED (Connection refused - connect(2) for \"localhost\" port 25)",
            "connection_refused",
        ),
        ("Errno::EHOSTUNREACH", "connection_refused"),
        ("Errno::ECONNRESET", "connection_lost"),
        ("EOFError (end of file reached)", "connection_lost"),
        ("getaddrinfo ENOTFOUND mx1001", "dns"),
    ] {
        assert_eq!(read(text).2, reason, "{text}");
    }
}

#[test]
fn postfix_says_its_own_code_beside_the_text() {
    let dsn = |class, subject, detail| Some(Enhanced { class, subject, detail });
    for (text, code, reason) in [
        (
            "Command died with status 1: \"/bin/sh\"",
            dsn(5, 3, 0),
            Reason::LocalError,
        ),
        ("this domain is gone", dsn(5, 1, 2), Reason::Dns),
        ("5.7.1 no such header here", dsn(5, 7, 1), Reason::Policy),
        (
            "connect to mx[192.0.2.1]:25: Connection timed out",
            dsn(4, 4, 1),
            Reason::Timeout,
        ),
        ("not today", dsn(4, 3, 0), Reason::LocalError),
        // A remote host's code may mean anything.
        ("host mx[192.0.2.1] said: 450 4.2.0 hm", dsn(4, 2, 0), Reason::Other),
        ("x", None, Reason::Other),
    ] {
        let reply = classify_with_dsn(text.as_bytes(), code);
        assert_eq!((reply.reason, reply.enhanced), (reason, code), "{text}");
    }
}

#[test]
fn what_is_no_code_of_a_provider_is_not_told_as_one() {
    for text in [
        "550 5.1.1 <ann@example.net>: Recipient address rejected: User unknown",
        "550 5.7.1 Client host [192.0.2.7] blocked (S)",
        "550 5.7.1 Rejected [MX1] (AS12) [DB5EUR03FT021.eop-EUR03.prod.protection.outlook.com]",
        "550-5.7.26 Unauthenticated\\n550 5.7.26 see our page",
        "550 5.7.1 BLOCKED12 OFFICE AUPAIR CXO",
        "Connection refused",
        "550",
    ] {
        assert_eq!(classify(text.as_bytes()).provider_code, None, "{text}");
    }
    // A code that is longer than any is no code, and a stranger cannot fill the column with it.
    let long = format!("550 5.7.1 AUP#{}", "7".repeat(100));
    assert_eq!(classify(long.as_bytes()).provider_code, None);
}

#[test]
fn names_addresses_links_and_quoted_commands_are_no_words_of_the_reply() {
    for (text, reason) in [
        ("450 4.2.0 spamfilter.example.net says hm", Reason::Other),
        ("450 4.2.0 <spam@quota.example> hm", Reason::Other),
        ("450 4.2.0 virus@greylist.example hm", Reason::Other),
        ("450 4.2.0 see https://example.org/spam/blacklist/quota", Reason::Other),
        ("450 4.2.0 blocklist[192.0.2.1] hm", Reason::Other),
        ("550 5.0.0 hm (in reply to spam command)", Reason::Other),
        ("java.net.ConnectException", Reason::ConnectionRefused),
        ("550 rejected.See our page", Reason::Policy),
    ] {
        assert_eq!(classify(text.as_bytes()).reason, reason, "{text}");
    }
}

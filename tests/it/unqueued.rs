//! Mail that never gets a queue ID counts as failed to be handed in, with its user or client. A client that is not named is the
//! host itself.

use crate::util::Place;

/// Kind, messages, reason, sender and client of each event of a log.
fn told(kind: &str, log: &str) -> Vec<String> {
    let place = Place::new();
    let log = place.write("the.log", log);
    let args = [
        "backfill",
        "--kind",
        kind,
        "--host",
        "mx1",
        "--year",
        "2025",
        log.to_str().unwrap(),
    ];
    place.run(&args).ends(0);
    let rows = place.sql(
        "SELECT kind, messages, reason, sender, client, client_ip, queue_id, service FROM events ORDER BY ts, event_id",
    );
    rows.iter()
        .map(|row| {
            assert_eq!(row["queue_id"], "", "{row}");
            let text = |name: &str| row[name].as_str().unwrap().to_owned();
            let from = [text("sender"), text("client"), text("client_ip")];
            let from = from
                .iter()
                .filter(|word| !word.is_empty())
                .map(String::as_str)
                .collect::<Vec<_>>();
            format!(
                "{} {} {} {}",
                text("kind"),
                row["messages"],
                text("reason"),
                from.join(" ")
            )
        })
        .collect()
}

#[test]
fn what_sendmail_gives_up_is_one_mail() {
    let log = "\
Mar  3 10:00:00 p postfix/postdrop[11]: warning: uid=33: File too large
Mar  3 10:00:00 p postfix/sendmail[10]: fatal: www-data(33): message file too big
Mar  3 10:01:00 p postfix/sendmail[12]: fatal: shop@example.org(33): No recipient addresses found in message header
Mar  3 10:02:00 p postfix/sendmail[13]: fatal: open /etc/postfix/main.cf: Permission denied
Mar  3 10:03:00 p postfix/postdrop[14]: fatal: uid=1000: message file too big
Mar  3 10:20:00 p postfix/sendmail[15]: fatal: ann(1000): message file too big
Mar  3 10:21:00 p postfix/sendmail[16]: fatal: Queue report unavailable - mail system is down
Mar  3 10:22:00 p postfix/sendmail[17]: fatal: usage: mailq
Mar  3 10:23:00 p postfix/postdrop[18]: warning: mail_queue_enter: create file maildrop/1.2: Permission denied
";
    let expected = [
        "submit_failed 1 message_too_big mx1",
        "submit_failed 1 local_error shop@example.org mx1",
        "submit_failed 1 local_error mx1",
        "submit_failed 1 message_too_big mx1",
        "submit_failed 1 message_too_big mx1",
    ];
    assert_eq!(told("postfix", log), expected);
}

#[test]
fn what_smtpd_and_cleanup_give_up_is_rejected_with_its_client() {
    let log = "\
Mar  3 10:00:00 p postfix/smtpd[1]: 4F1A23B5C7: client=web1.example.org[192.0.2.7]
Mar  3 10:00:01 p postfix/cleanup[2]: 4F1A23B5C7: message-id=<a@example.org>
Mar  3 10:00:02 p postfix/cleanup[2]: warning: 4F1A23B5C7: queue file size limit exceeded
Mar  3 10:01:00 p postfix/smtpd[1]: NOQUEUE: reject: MAIL from web1.example.org[192.0.2.7]: 452 4.3.1 Insufficient system storage; from=<a@example.org> proto=ESMTP helo=<web1>
Mar  3 10:02:00 p postfix/smtpd[3]: proxy-reject: END-OF-MESSAGE: 451 4.3.0 Error: queue file write error; from=<a@example.org> to=<ann@example.net> proto=ESMTP helo=<web1>
Mar  3 10:03:00 p postfix/pickup[4]: 5F1A23B5C7: uid=33 from=<www-data>
Mar  3 10:03:01 p postfix/cleanup[2]: 5F1A23B5C7: message-id=<b@example.org>
Mar  3 10:03:02 p postfix/cleanup[2]: warning: 5F1A23B5C7: queue file size limit exceeded
";
    let expected = [
        "rejected 1 message_too_big web1.example.org 192.0.2.7",
        "rejected 1 local_error a@example.org web1.example.org 192.0.2.7",
        "rejected 1 local_error a@example.org mx1",
        "submit_failed 1 message_too_big mx1",
    ];
    assert_eq!(told("postfix", log), expected);
}

#[test]
fn what_exim_could_not_spool_is_rejected() {
    let log = "\
2025-03-03 10:00:00 Failed to create spool file /var/spool/exim4//input//1tp1bY-0001Ab-Cd-D: Permission denied
2025-03-03 10:01:00 Message abandoned: Spool write error (No space left on device) while receiving message from ann
";
    assert_eq!(
        told("exim", log),
        ["rejected 1 local_error mx1", "rejected 1 local_error mx1"]
    );
}

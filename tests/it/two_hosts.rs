//! A sender's Exim and a relay's, and an hour in which the relay is down: every mail stands in two logs under two IDs.

use crate::lab::{relay_lab, truth};
use crate::util::{KEEP, Place};
use std::fs;

#[test]
#[ignore = "lab: needs root and exim4"]
fn a_mail_that_passes_two_hosts_counts_once() {
    let truth = truth(relay_lab());
    let place = Place::new();
    let sender = relay_lab().join("sender/mainlog");
    // On loopback no name can be verified, so the relay prints `H=(phab1001.example.org)`: only what the client says of
    // itself, which proves nothing. Where DNS works there are no parentheses.
    let log = fs::read_to_string(relay_lab().join("relay/mainlog")).unwrap();
    let relay = place.write(
        "relay/mainlog",
        log.replace("H=(phab1001.example.org)", "H=phab1001.example.org"),
    );
    place.write(
        "mailpulse.toml",
        format!(
            "{}\n[[source]]\nkind = \"exim\"\npaths = [\"{}\"]\nhost = \"phab1001.example.org\"\n\
             [[source]]\nkind = \"exim\"\npaths = [\"{}\"]\nhost = \"mx1001.example.org\"\n",
            KEEP,
            sender.display(),
            relay.display()
        ),
    );
    let run = place.run(&["backfill"]).ends(0);
    assert_eq!(run.totals().unparsed, 0);
    let accepted = |more: &str| {
        place.number(&format!(
            "SELECT SUM(messages) AS n FROM events WHERE kind = 'accepted'{more}"
        ))
    };
    let by_host = &truth["lab"]["messages_by_host"];
    assert_eq!(
        accepted(" AND host = 'phab1001.example.org'"),
        by_host["sender"].as_i64().unwrap()
    );
    assert_eq!(
        accepted(" AND host = 'mx1001.example.org'"),
        by_host["relay"].as_i64().unwrap()
    );
    // As one mail system: every message once, where it entered.
    assert_eq!(
        accepted(" AND first_hop"),
        truth["totals"]["messages"].as_i64().unwrap()
    );
    let remote = "SELECT COUNT(*) AS n FROM events WHERE kind = 'delivered' AND destination = 'remote' AND host = 'mx1001.example.org'";
    assert_eq!(place.number(remote), truth["totals"]["delivered"].as_i64().unwrap());
    for (sender, said) in truth["senders"].as_object().unwrap() {
        let sender = sender.replace("<>", "");
        let first = format!(" AND first_hop AND sender = '{sender}'");
        assert_eq!(accepted(&first), said["messages"].as_i64().unwrap(), "{sender}");
        let deferred = format!("SELECT COUNT(*) AS n FROM events WHERE kind = 'deferred' AND sender = '{sender}'");
        let said_deferred = said["deferred_attempts"].as_i64().unwrap() + said["retry_not_reached"].as_i64().unwrap();
        assert_eq!(place.number(&deferred), said_deferred, "{sender}");
    }
    // Both hops of one mail have one key.
    let keys = "SELECT COUNT(*) AS n FROM (SELECT message_key FROM events WHERE kind = 'accepted' GROUP BY message_key HAVING COUNT(*) = 2) t";
    let ids = truth["messages"]
        .as_array()
        .unwrap()
        .iter()
        .filter(|message| message["relay_id"].is_string())
        .count();
    assert!(place.number(keys) >= ids as i64, "{ids} mails have IDs of both hosts");
}

//! Deliveries: `=>` and `->`, and the relay's own bounce messages.

use super::clock::{DAY, duration};
use super::form::LineForm;
use super::message::{Letter, Recipient};
use super::prng::Rng;
use super::relay::{LineSink, Relay};
use super::roster::{LOCAL_BOUNCE, SERVICES};
use super::services::BounceTo;

/// Delivers to recipients of one mail system from `t` on; returns when it was done.
pub(super) fn deliver<S: LineSink>(
    relay: &mut Relay<S>,
    letter: &Letter,
    to: &[&Recipient],
    t: i64,
    rng: &mut Rng,
) -> i64 {
    let Some(mx) = to.first().map(|r| r.mx) else { return t };
    let took = (rng.lognormal(0.1, 0.8) as i64).min(200);
    // A delivery that the stop interrupts starts again in the first queue run.
    let t = relay.when_up(t + took, rng);
    let (host, ip) = rng.pick(mx.hosts);
    let continued = mx.tls.is_empty() && rng.chance(0.06);
    let star = if continued { "*" } else { "" };
    let tls = if mx.tls.is_empty() {
        String::new()
    } else {
        format!(" {}", mx.tls)
    };
    let answer = mx.confirmation(t, rng);
    let (id, size, took) = (
        letter.id,
        letter.size + 190 + letter.sender.len() as i64,
        duration(took),
    );
    for (i, recipient) in to.iter().enumerate() {
        let (shown, router) = (&recipient.shown, recipient.router);
        let (arrow, form) = match (i, continued) {
            (0, false) => ("=>", LineForm::Delivery),
            (0, true) => ("=>", LineForm::DeliveryContinued),
            _ => ("->", LineForm::DeliveryFurther),
        };
        let line = format!(
            "{id} {arrow} {shown} R={router} T=remote_smtp S={size} H={host} [{ip}]{star}{tls} C=\"{answer}\" DT={took}"
        );
        relay.push(t, letter.service, form, line);
    }
    t
}

/// A local bounce for a failed recipient, written at `t`, and what becomes of it.
pub(super) fn bounce<S: LineSink>(relay: &mut Relay<S>, failed: &Letter, t: i64, rng: &mut Rng) {
    if failed.sender.is_empty() {
        return;
    }
    let letter = Letter {
        id: relay.next_id(t, rng),
        service: LOCAL_BOUNCE,
        sender: String::new(),
        size: failed.size.min(100_000) + 1100,
    };
    let (id, size, to) = (letter.id, letter.size, &failed.sender);
    let arrived = format!("{id} <= <> R={} U=Debian-exim P=local S={size}", failed.id);
    relay.push(t, LOCAL_BOUNCE, LineForm::ArrivalBounce, arrived);
    let soon = relay.when_up(t + 1, rng);
    let done = match SERVICES[failed.service].bounce_to {
        BounceTo::Blackhole => {
            relay.push(
                soon,
                LOCAL_BOUNCE,
                LineForm::Blackhole,
                format!("{id} => :blackhole: <{to}> R=system_aliases"),
            );
            soon
        }
        BounceTo::Handler => {
            let line = format!(
                "{id} => {to} R=mw_verp_api T=mwverpbounceprocessor S={} DT=0s",
                size + 60
            );
            relay.push(soon, LOCAL_BOUNCE, LineForm::DeliveryPipe, line);
            soon
        }
        BounceTo::Host(mx) => {
            let router = "dnslookup";
            let recipient = Recipient {
                address: to.clone(),
                shown: to.clone(),
                router,
                mx,
            };
            deliver(relay, &letter, &[&recipient], soon, rng)
        }
        BounceTo::Nowhere => freeze(relay, &letter, to, soon, rng),
    };
    relay.push(done, LOCAL_BOUNCE, LineForm::Completed, format!("{id} Completed"));
}

/// A bounce that cannot be delivered is frozen for two days (`ignore_bounce_errors_after`), and says so in every
/// queue run.
fn freeze<S: LineSink>(relay: &mut Relay<S>, letter: &Letter, to: &str, t: i64, rng: &mut Rng) -> i64 {
    let id = letter.id;
    relay.push(
        t,
        LOCAL_BOUNCE,
        LineForm::Failure,
        format!("{id} ** {to}: Unrouteable address"),
    );
    relay.push(
        t,
        LOCAL_BOUNCE,
        LineForm::Frozen,
        format!("{id} Frozen (delivery error message)"),
    );
    let mut run = relay.queue_run_after(t);
    while run < t + 2 * DAY {
        relay.push(
            run + 1 + rng.secs(20),
            LOCAL_BOUNCE,
            LineForm::StillFrozen,
            format!("{id} Message is frozen"),
        );
        run = relay.queue_run_after(run);
    }
    let thawed = relay.when_up(run + 1 + rng.secs(20), rng);
    relay.push(
        thawed,
        LOCAL_BOUNCE,
        LineForm::Unfrozen,
        format!("{id} Unfrozen by errmsg timer"),
    );
    relay.push(
        thawed,
        LOCAL_BOUNCE,
        LineForm::Failure,
        format!("{id} ** {to}: Unrouteable address"),
    );
    relay.push(
        thawed,
        LOCAL_BOUNCE,
        LineForm::ErrorIgnored,
        format!("{id} {to}: error ignored"),
    );
    thawed
}

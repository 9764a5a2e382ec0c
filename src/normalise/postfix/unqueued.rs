//! Mail that never got into the queue: it failed to be handed in, and no queue ID names it.

use crate::model::event::{Event, EventSink, Kind, Message};
use crate::model::queue_id::QueueId;
use crate::model::time::UtcMs;
use crate::normalise::attribution::SenderLine;
use crate::normalise::join::{Arriving, Recall};
use crate::normalise::messages::{LineAt, Messages};
use crate::normalise::rules::Facts;
use mailpulse_parsers::postfix::Program;
use mailpulse_parsers::postfix::record::Unqueued;

/// `postdrop` says why it gave up, and `sendmail`, which had called it, that it did: no longer apart than this.
const ONE_MAIL_MS: i64 = 5_000;

/// What `postdrop` gave up last: when, and whose mail.
#[derive(Debug, Default)]
pub(super) struct GivenUp(Option<(UtcMs, Option<u64>)>);

impl GivenUp {
    /// Whether a line is the first about its mail.
    fn is_first(&mut self, program: Program, unqueued: &Unqueued<'_>, ts_ms: UtcMs) -> bool {
        match program {
            Program::Postdrop => {
                self.0 = Some((ts_ms, unqueued.uid));
                true
            }
            Program::Sendmail => {
                let given_up = self.0.take_if(|(since, uid)| {
                    let is_same_user = uid.is_none() || unqueued.uid.is_none() || *uid == unqueued.uid;
                    is_same_user && (0..=ONE_MAIL_MS).contains(&(ts_ms - *since))
                });
                given_up.is_none()
            }
            _ => true,
        }
    }
}

/// The line of such a mail.
pub(super) struct OfUnqueued<'u> {
    pub program: Program,
    pub unqueued: &'u Unqueued<'u>,
    pub id: Option<QueueId>,
    pub at: LineAt,
}

/// Takes a line; false if the mail is in the queue after all, or was counted.
pub(super) fn take(
    messages: &mut Messages<'_>,
    given_up: &mut GivenUp,
    of: &OfUnqueued<'_>,
    recall: &mut dyn Recall,
    sink: &mut impl EventSink,
) -> bool {
    let OfUnqueued {
        program,
        unqueued,
        id,
        at,
    } = *of;
    if !given_up.is_first(program, unqueued, at.ts_ms) {
        return false;
    }
    let mut arriving = Arriving {
        user: unqueued.uid.map(|uid| uid.to_string()).unwrap_or_default(),
        ..Arriving::default()
    };
    if let Some(id) = id {
        let Messages { join, attributor, .. } = messages;
        let open = join.get(&id, &mut attributor.origins, recall);
        match open.map(|open| open.arriving.as_deref()) {
            Some(Some(known)) => arriving.clone_from(known),
            Some(None) => return false,
            None => {}
        }
        join.forget(&id);
    }
    let came_by_smtp = arriving.client_ip.is_some() || !arriving.client.is_empty();
    let kind = if came_by_smtp {
        Kind::Rejected
    } else {
        Kind::SubmitFailed
    };
    let text = |value: &'_ str| (!value.is_empty()).then_some(value.as_bytes().to_vec());
    let (client, user, auth) = (text(&arriving.client), text(&arriving.user), text(&arriving.auth));
    let Messages {
        attributor,
        attribution,
        host,
        ..
    } = messages;
    let facts = Facts {
        sender: unqueued.sender,
        client_name: client.as_deref(),
        client_ip: arriving.client_ip,
        user: user.as_deref(),
        auth: auth.as_deref(),
        host,
        ..Facts::default()
    };
    let line = if came_by_smtp {
        SenderLine::Refused
    } else {
        SenderLine::Taken
    };
    let sender = attributor.origin(attribution, &facts, at.ts_ms, line);
    let slot = sink.message(Message {
        queue_id: None,
        origin: sender.origin,
        first_hop: sender.first_hop,
        message_key: arriving.message_key,
        orphan: false,
    });
    sink.event(&Event {
        messages: 1,
        recipients: u32::from(!came_by_smtp),
        ..at.event(kind, slot).with_reply(Some(&unqueued.reply()))
    });
    true
}

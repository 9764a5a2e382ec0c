//! Postfix: records → events.
//!
//! ```text
//! smtpd client= | pickup uid=   ─▶ cleanup message-id=   ─▶ qmgr from= (queue active)   ─▶ to= … status=   ─▶ removed
//!        who hands it in              equal on every hop       accepted: the event             one a recipient
//! ```
//!
//! What the first lines say waits in the message join until the queue manager has the message. A message that comes
//! back from a content filter, or goes on under another ID by an alias, is the same mail: its second ID is no first
//! hop, and the delivery that led there is none to the outside. Queue IDs are used again after `removed`. A mail that
//! `sendmail`, `postdrop` or cleanup gives up has none, and counts as failed to be handed in.

mod arriving;
mod attempt;
mod normaliser;
mod rejection;
mod unqueued;

pub(crate) use normaliser::PostfixNormaliser;

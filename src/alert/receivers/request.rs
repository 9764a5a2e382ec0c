//! What is posted.

use super::super::body;
use serde_json::Value;

/// A request to a receiver.
#[derive(Debug)]
pub(in crate::alert) struct ReceiverRequest {
    pub content_type: &'static str,
    pub headers: Vec<(&'static str, String)>,
    pub body: String,
}

impl ReceiverRequest {
    pub(in crate::alert) fn json(payload: &Value) -> ReceiverRequest {
        ReceiverRequest {
            content_type: "application/json",
            headers: Vec::new(),
            body: body(payload),
        }
    }
}

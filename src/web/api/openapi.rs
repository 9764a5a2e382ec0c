//! What there is to ask, in the words of OpenAPI 3.1.

use crate::web::chosen::VALUE_MAX;
use serde_json::{Map, Value, json};

/// A parameter of a question.
#[derive(Debug, Clone, Copy)]
pub(super) struct ApiParameter {
    pub name: &'static str,
    pub about: &'static str,
    pub example: &'static str,
    pub is_required: bool,
}

const fn parameter(name: &'static str, about: &'static str, example: &'static str) -> ApiParameter {
    ApiParameter {
        name,
        about,
        example,
        is_required: false,
    }
}

const FROM: ApiParameter = parameter(
    "from",
    "Start: 2018-06-06T18:00Z, or relative to the end of time, as -24h.",
    "-24h",
);
const TO: ApiParameter = parameter("to", "End, exclusive: a time, or now.", "now");

/// A question.
#[derive(Debug, Clone, Copy)]
pub(super) struct ApiQuestion {
    pub path: &'static str,
    pub about: &'static str,
    pub parameters: &'static [ApiParameter],
    /// Keys of the answer, or of the objects in it.
    pub keys: &'static [&'static str],
    /// The answer is an array.
    pub is_list: bool,
}

const ROW_KEYS: &[&str] = &[
    "name",
    "state",
    "alarm",
    "last",
    "hour",
    "expected_low",
    "expected_high",
];

/// All questions.
pub(super) const QUESTIONS: [ApiQuestion; 12] = [
    ApiQuestion {
        path: "now",
        about: "How the mail stands: for whom not, since when, lost or late, by which relay, and what to do next.",
        parameters: &[],
        keys: &[
            "standing",
            "sentence",
            "affected",
            "relay",
            "since",
            "missing",
            "alarms",
            "as_of",
            "judged_until",
        ],
        is_list: false,
    },
    ApiQuestion {
        path: "board",
        about: "All of the overview in one answer, with the last day of each row and what waits, as `mailpulse top` shows it.",
        parameters: &[],
        keys: &[
            "as_of",
            "now",
            "clock",
            "verdict",
            "lacks",
            "alarms",
            "step_s",
            "services",
            "relays",
            "hostgroups",
            "providers",
            "backlog",
            "queues",
            "sources",
        ],
        is_list: false,
    },
    ApiQuestion {
        path: "services",
        about: "Services with their state, their last mail, and their last hour against what was expected.",
        parameters: &[],
        keys: ROW_KEYS,
        is_list: true,
    },
    ApiQuestion {
        path: "relays",
        about: "The same of relays.",
        parameters: &[],
        keys: ROW_KEYS,
        is_list: true,
    },
    ApiQuestion {
        path: "hostgroups",
        about: "The same of hostgroups.",
        parameters: &[],
        keys: ROW_KEYS,
        is_list: true,
    },
    ApiQuestion {
        path: "providers",
        about: "What providers did with our mail in the last 24 hours, against the 28 days before.",
        parameters: &[],
        keys: &[
            "provider",
            "attempts",
            "deferred",
            "bounced",
            "usual_attempts",
            "usual_deferred",
            "usual_bounced",
            "reason",
        ],
        is_list: true,
    },
    ApiQuestion {
        path: "alarms",
        about: "Alarms that fired or lasted in a time, as `mailpulse detect --format json` prints them.",
        parameters: &[FROM, TO],
        keys: &[
            "id",
            "notice_id",
            "series",
            "state",
            "onset",
            "detected",
            "ended",
            "expected",
            "observed",
            "members",
        ],
        is_list: true,
    },
    ApiQuestion {
        path: "incident",
        about: "What an outage did to each service, as `mailpulse incident --format json` prints it. Name an alarm, or a time of \
                up to 31 days.",
        parameters: &[
            parameter("alarm", "ID of an alarm.", "relay/mx1001/2018-06-06T18:55:00Z"),
            parameter("from", "Start of the time, where no alarm is named.", "-24h"),
            TO,
        ],
        keys: &["from", "to", "cause", "services"],
        is_list: false,
    },
    ApiQuestion {
        path: "rates",
        about: "Messages a minute, in buckets, with what was expected. `null` means that nothing was read, 0 that no mail came.",
        parameters: &[
            parameter("by", "service, hostgroup, relay, or kind.", "service"),
            parameter("name", "One series; all without it, up to 60.", "gerrit"),
            parameter("service", "Only this service's mail.", ""),
            parameter(
                "kind",
                "Kind of event: accepted, delivered, deferred, bounced, …",
                "accepted",
            ),
            parameter(
                "measure",
                "messages a minute, or backlog: messages in the queues at the end of each bucket, by service or relay, of all \
                 kinds and services.",
                "messages",
            ),
            FROM,
            TO,
            parameter(
                "tz",
                "Time zone in which buckets begin, and of times without a zone. Times in answers are UTC.",
                "Europe/Berlin",
            ),
        ],
        keys: &["unit", "from", "step_s", "buckets", "series", "marks"],
        is_list: false,
    },
    ApiQuestion {
        path: "routes",
        about: "Through which relays each service's mail leaves.",
        parameters: &[FROM, TO],
        keys: &["service", "messages", "single_point_of_failure", "last_hops", "paths"],
        is_list: true,
    },
    ApiQuestion {
        path: "sources",
        about: "Logs, how old their last line is, and what became of their lines.",
        parameters: &[],
        keys: &[
            "host", "source", "state", "last", "age_s", "lines", "events", "ignored", "unparsed",
        ],
        is_list: true,
    },
    ApiQuestion {
        path: "trace",
        about: "One mail over all hosts, by its queue ID or Message-ID, or by the hash of an address; never by an address.",
        parameters: &[ApiParameter {
            is_required: true,
            ..parameter(
                "id",
                "Queue ID, Message-ID, or an address with the hash that answers show in place of its local part.",
                "1fQXAB-000001-Aa",
            )
        }],
        keys: &["service", "state", "recipients", "hosts", "took_ms", "next", "events"],
        is_list: true,
    },
];

/// The description, with links below a base path.
pub(super) fn document(base: &str) -> Value {
    let mut paths = Map::new();
    for endpoint in &QUESTIONS {
        paths.insert(
            format!("/api/v1/{}", endpoint.path),
            json!({ "get": operation(endpoint) }),
        );
    }
    json!({
        "openapi": "3.1.0",
        "info": {
            "title": "mailpulse",
            "version": env!("CARGO_PKG_VERSION"),
            "description": "Mail volume by service and relay, alarms, and incidents. All questions are read-only.",
        },
        "servers": [{ "url": if base.is_empty() { "/" } else { base } }],
        "paths": paths,
        "components": {
            "schemas": { "Error": error_schema() },
            "securitySchemes": {
                "bearer": { "type": "http", "scheme": "bearer" },
                "basic": { "type": "http", "scheme": "basic" },
            },
        },
        "security": [{}, { "bearer": [] }, { "basic": [] }],
    })
}

fn operation(endpoint: &ApiQuestion) -> Value {
    let parameters = endpoint.parameters.iter().map(|one| {
        json!({
            "name": one.name,
            "in": "query",
            "required": one.is_required,
            "description": one.about,
            "schema": { "type": "string", "maxLength": VALUE_MAX },
            "example": one.example,
        })
    });
    let object = json!({ "type": "object", "required": endpoint.keys });
    let schema = match endpoint.is_list {
        true => json!({ "type": "array", "items": object }),
        false => object,
    };
    let mut responses = Map::new();
    responses.insert(
        "200".to_owned(),
        json!({ "description": "The answer.", "content": { "application/json": { "schema": schema } } }),
    );
    for (status, why) in [
        ("400", "A parameter is wrong."),
        ("401", "A token is required."),
        ("403", "Another web site made the request."),
        ("404", "There is no such thing."),
        ("414", "The address is too long."),
        ("421", "The host is not this server's."),
        ("429", "Too many wrong tokens."),
        ("503", "The store does not answer, or too many questions wait."),
    ] {
        let content = json!({ "application/json": { "schema": { "$ref": "#/components/schemas/Error" } } });
        responses.insert(status.to_owned(), json!({ "description": why, "content": content }));
    }
    // It is refused before it is read to its end.
    let why = "The head of the request is larger than 16 KiB.";
    responses.insert("431".to_owned(), json!({ "description": why }));
    json!({
        "operationId": endpoint.path,
        "summary": endpoint.about,
        "parameters": parameters.collect::<Vec<_>>(),
        "responses": responses,
    })
}

fn error_schema() -> Value {
    json!({
        "type": "object",
        "required": ["error"],
        "properties": {
            "error": {
                "type": "object",
                "required": ["code", "reason"],
                "properties": { "code": { "type": "string" }, "reason": { "type": "string" } },
            },
        },
    })
}

//! The configuration as written: what serde reads, and what the JSON schema is made of.
//!
//! Documentation here is the documentation of the schema. Ranges and required keys stand here and nowhere else.

use schemars::{JsonSchema, Schema, SchemaGenerator};
use serde::Deserialize;
use std::borrow::Cow;
use std::ops::Range;

use super::raw_formats::{RawConditions, RawFields, RawTemplate};

/// A value that knows where it stands.
#[derive(Debug, Clone, Deserialize)]
#[serde(transparent)]
pub(super) struct At<T>(toml::Spanned<T>);

impl<T> At<T> {
    /// Where the value stands.
    pub(super) fn at(&self) -> Range<usize> {
        self.0.span()
    }

    /// The value.
    pub(super) fn get(&self) -> &T {
        self.0.get_ref()
    }

    /// The value alone.
    pub(super) fn into_inner(self) -> T {
        self.0.into_inner()
    }
}

impl<T: JsonSchema> JsonSchema for At<T> {
    fn inline_schema() -> bool {
        T::inline_schema()
    }

    fn schema_name() -> Cow<'static, str> {
        T::schema_name()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        T::json_schema(generator)
    }
}

/// Configuration of mailpulse: mailpulse.toml, and the files of conf.d beside it.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
#[schemars(title = "mailpulse.toml")]
pub(super) struct RawConfig {
    /// Where events are kept, and the limits of memory and disk.
    pub store: RawStore,
    /// What is kept of addresses.
    pub privacy: RawPrivacy,
    /// A log to read; may be given many times.
    pub source: Vec<At<RawSource>>,
    /// A service and how its mail is known; the first that matches wins.
    pub service: Vec<At<RawService>>,
    /// A named set of sending hosts; the first that matches wins.
    pub hostgroup: Vec<At<RawHostGroup>>,
    /// Detection of outages.
    pub detect: RawDetect,
    /// How many ways out services should have.
    pub routes: RawRoutes,
    /// Following logs: `mailpulse tail`.
    pub tail: RawTail,
    /// How a ClickHouse is talked to.
    pub clickhouse: RawClickHouse,
    /// Where alarms go.
    pub alert: Vec<At<RawAlert>>,
    /// Alarms that are not told for a time, or every week.
    pub silence: Vec<At<RawSilence>>,
}

/// Where events are kept, and the limits of memory and disk.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub(super) struct RawStore {
    /// The store: a folder (file:///var/lib/mailpulse, or a path relative to this file), or, for commands that only ask, a
    /// ClickHouse (clickhouse://user@host:8123/database).
    pub url: Option<At<String>>,
    /// A ClickHouse to which all that is committed is sent too: clickhouse://user@host:8123/database, or clickhouses://
    /// for TLS.
    pub ship: Option<At<String>>,
    /// What may wait to be sent, in MiB; default 10240. When it is full, nothing more is read.
    #[schemars(range(min = 1, max = 100000000))]
    pub outbox_mib_max: Option<u32>,
    /// What files that nothing refers to may take up in `lost+found` of the store, in MiB; default 1024. Then the oldest
    /// are removed.
    #[schemars(range(min = 64, max = 1000000))]
    pub lost_found_mib_max: Option<u32>,
    /// Memory of a `query --sql`, in MiB; default 512. A query that needs more ends with an error.
    #[schemars(range(min = 64, max = 1000000))]
    pub query_mib_max: Option<u32>,
    /// Time of a `query --sql`, in seconds; default 120.
    #[schemars(range(min = 1, max = 86400))]
    pub query_s_max: Option<u32>,
    /// Days to keep events; default 90.
    #[schemars(range(min = 1, max = 36500))]
    pub retain_days: Option<u32>,
    /// Rows of one segment; default 250000. ClickHouse drops duplicates only of blocks below 500000.
    #[schemars(range(min = 1000, max = 500000))]
    pub segment_rows_max: Option<u32>,
    /// Size of one segment before compression, in MiB; default 48.
    #[schemars(range(min = 1, max = 1024))]
    pub segment_mib_max: Option<u32>,
    /// Messages in a host's queue that are held in memory; default 200000. Further ones stay in the store.
    #[schemars(range(min = 1000, max = 100000000))]
    pub open_messages_max: Option<u32>,
    /// Services of a source that are derived; default 1000. Further ones are unattributed, until one is used on more of the
    /// last 30 days than the least used: it takes that one's place.
    #[schemars(range(min = 10, max = 100000))]
    pub services_max: Option<u32>,
    /// Whether mail that no [[service]] rule names gets a service derived from sender and client. Default: as long as
    /// there is no rule.
    pub derive: Option<bool>,
}

/// How a ClickHouse is talked to.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub(super) struct RawClickHouse {
    /// File with the user's password; MAILPULSE_CLICKHOUSE_PASSWORD goes before it.
    pub password_file: Option<At<String>>,
    /// PEM file with the certificates of the authorities that vouch for the server (clickhouses://), instead of the
    /// machine's.
    pub ca_file: Option<At<String>>,
    /// Seconds that a question may take; default 60.
    #[schemars(range(min = 1, max = 3600))]
    pub read_timeout_s: Option<u32>,
    /// Seconds that a batch may take; default 120.
    #[schemars(range(min = 1, max = 3600))]
    pub insert_timeout_s: Option<u32>,
    /// Seconds from sending to sending while `tail` runs; default 10. Shorter makes more and smaller parts.
    #[schemars(range(min = 1, max = 3600))]
    pub ship_every_s: Option<u32>,
}

/// Following logs: `mailpulse tail`.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub(super) struct RawTail {
    /// Milliseconds from look to look at logs that grow, and so from commit to commit; default 1000.
    #[schemars(range(min = 50, max = 60000))]
    pub poll_ms: Option<u32>,
    /// Seconds from scan to scan of the names of files, whatever the system tells of changes; default 10.
    #[schemars(range(min = 1, max = 3600))]
    pub rescan_s: Option<u32>,
    /// Seconds that a deleted file is kept open for what is still written to it; default 60.
    #[schemars(range(min = 0, max = 86400))]
    pub deleted_wait_s: Option<u32>,
    /// Files kept open; default 512. Further ones are looked at when names are scanned.
    #[schemars(range(min = 1, max = 100000))]
    pub open_files_max: Option<u32>,
    /// Seconds from link to link of one mail's arrivals on several hosts; default 60.
    #[schemars(range(min = 1, max = 86400))]
    pub link_s: Option<u32>,
    /// Whether the system is asked to tell of changes (inotify); default true. It does not tell of changes that other
    /// hosts make on a network file system.
    pub watch: Option<bool>,
}

/// What is kept of addresses.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub(super) struct RawPrivacy {
    /// What becomes of the part before the @; default hash. Derived services are named by accounts with keep alone.
    pub local_parts: Option<RawLocalParts>,
    /// The key of the hash; default: made on first use inside the store.
    pub key_file: Option<At<String>>,
}

/// What becomes of local parts.
#[derive(Debug, Clone, Copy, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub(super) enum RawLocalParts {
    /// Replaced by a keyed hash: equal addresses stay equal.
    Hash,
    /// Kept as they are.
    Keep,
    /// Left out.
    Drop,
}

/// A log to read.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct RawSource {
    /// What writes the log.
    #[schemars(required)]
    pub kind: Option<At<RawSourceKind>>,
    /// Globs of files, rotated and compressed ones included; relative to this file. Default: made of host_from.
    pub paths: Option<Vec<At<String>>>,
    /// Whose log it is; default: this host.
    pub host: Option<At<String>>,
    /// Takes the host from the path: /srv/logs/{host}/mainlog*
    pub host_from: Option<At<String>>,
    /// Zone of the timestamps: an IANA name, or a fixed offset such as +02:00; default UTC.
    pub timezone: Option<At<String>>,
    /// Year of timestamps that have none (RFC 3164); default: told by the file's time. For archives whose files were
    /// copied without their times.
    #[schemars(range(min = 1970, max = 9999))]
    pub year: Option<i16>,
    /// Service that an application's log is of; default: by the kind, or by the rules.
    pub service: Option<At<String>>,
    /// Relay that an application hands its mail to.
    pub relay: Option<At<String>>,
    /// Kinds exim and postfix: tags of syslog under which the program logs, beside its own, such as Exim's
    /// syslog_processname or the ID or name of its container. A tag that stands on every line of a log need not be named.
    pub syslog_tag: Option<At<Vec<At<String>>>>,
    /// Kind pattern: shapes of records, in the order they are tried; the first that matches wins.
    pub template: Option<At<Vec<At<RawTemplate>>>>,
    /// Kind pattern: how a record begins, as a template; default: as the first template up to its time.
    pub starts: Option<At<String>>,
    /// Kind pattern: the log has no times; default false.
    pub undated: Option<At<bool>>,
    /// Kind json: which field has what.
    pub fields: Option<At<RawFields>>,
    /// Kind json: a mail was handed in if all conditions of one entry hold, and no failure's do.
    pub submitted_when: Option<At<Vec<At<RawConditions>>>>,
    /// Kind json: a mail failed if all conditions of one entry hold.
    pub failed_when: Option<At<Vec<At<RawConditions>>>>,
    /// Kind json: such a failure is tried again if all conditions of one entry hold.
    pub retried_when: Option<At<Vec<At<RawConditions>>>>,
    /// Read systemd's journal instead of files; for exim and postfix.
    pub journal: Option<At<bool>>,
    /// Folder of journal files, such as /var/log/journal/remote; default: this machine's journal.
    pub directory: Option<At<String>>,
    /// Units whose entries are read; default: all entries of syslog's facility mail.
    pub units: Option<Vec<At<String>>>,
    /// Syslog identifiers whose entries are read, instead of units.
    pub identifiers: Option<Vec<At<String>>>,
}

/// What writes a log.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub(super) enum RawSourceKind {
    Exim,
    Postfix,
    Gerrit,
    Phabricator,
    Hue,
    Oozie,
    Sentry,
    Slimapp,
    Dumps,
    Json,
    Pattern,
}

/// A service and how its mail is known.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct RawService {
    /// Name of the service.
    #[schemars(required)]
    pub name: Option<At<String>>,
    /// Any of these suffices.
    #[serde(rename = "match")]
    #[schemars(required)]
    pub matches: Option<Vec<At<RawMatch>>>,
    /// Relays that its mail should reach the outside through; default: that of [routes]. With 1 it may hang on one.
    #[schemars(range(min = 1, max = 100))]
    pub relays_min: Option<At<u32>>,
    /// Zone whose hours its mail follows: an IANA name, or a fixed offset such as +02:00; default: that of [detect].
    pub timezone: Option<At<String>>,
    /// Files of declared holidays, instead of those of [detect]: iCalendar, or one date (2026-12-25) a line.
    pub holidays: Option<Vec<At<String>>>,
}

/// All keys of one entry must hold. Texts may be globs, and upper or lower case does not matter.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct RawMatch {
    /// The whole envelope sender; <> for bounces.
    pub sender: Option<At<String>>,
    /// The sender's domain.
    pub sender_domain: Option<At<String>>,
    /// Host name of the client.
    pub client: Option<At<String>>,
    /// Address or network of the client.
    pub client_ip: Option<At<String>>,
    /// Network of the client.
    pub network: Option<At<String>>,
    /// Local user.
    pub user: Option<At<String>>,
    /// Authenticated id.
    pub auth: Option<At<String>>,
    /// Router of the delivery.
    pub router: Option<At<String>>,
    /// Transport of the delivery.
    pub transport: Option<At<String>>,
    /// Host in the Message-ID.
    pub message_id_host: Option<At<String>>,
    /// Host whose log it is.
    pub host: Option<At<String>>,
}

/// A named set of sending hosts.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct RawHostGroup {
    /// Name of the group; without a name, every group of the inventory is one.
    pub name: Option<At<String>>,
    /// Names of hosts, globs or addresses.
    #[serde(default)]
    pub hosts: Vec<At<String>>,
    /// Networks.
    #[serde(default)]
    pub networks: Vec<At<String>>,
    /// File of ansible-inventory --list, or CSV of host,group.
    pub inventory: Option<At<String>>,
}

/// Detection of outages.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub(super) struct RawDetect {
    /// The budget of false alarms by which detection calibrates itself; default 1.
    #[schemars(range(min = 0.001, max = 1000.0))]
    pub false_alarms_per_service_per_90_days: Option<f64>,
    /// Zone whose hours the mail follows: an IANA name, or a fixed offset such as +02:00; default UTC.
    pub timezone: Option<At<String>>,
    /// Files of declared holidays: iCalendar, or one date (2026-12-25) a line; less mail on them is no alarm.
    pub holidays: Vec<At<String>>,
    /// Whether `watch` sends findings too that are provisional (series under 14 days); default false: they are shown only.
    pub send_provisional: bool,
}

/// How many ways out services should have.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub(super) struct RawRoutes {
    /// Relays that each service's mail should reach the outside through; default 2.
    #[schemars(range(min = 1, max = 100))]
    pub relays_min: Option<At<u32>>,
}

/// Where alarms go.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct RawAlert {
    /// How the alarm goes out.
    #[schemars(required)]
    pub kind: Option<At<RawAlertKind>>,
    /// Address of the Alertmanager or the webhook.
    pub url: Option<At<String>>,
    /// File with the key that signs a webhook's body (HMAC-SHA256).
    pub key_file: Option<At<String>>,
    /// PEM file with the certificates of the authorities that vouch for the server, instead of the machine's.
    pub ca_file: Option<At<String>>,
    /// Program and arguments, for exec.
    pub command: Option<Vec<At<String>>>,
}

/// Alarms that are not told. Without a time it holds always; one of service, relay and hostgroup is needed.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct RawSilence {
    /// Services, as a glob.
    pub service: Option<At<String>>,
    /// Relays, as a glob; alarms about their logs too.
    pub relay: Option<At<String>>,
    /// Hostgroups, as a glob.
    pub hostgroup: Option<At<String>>,
    /// First moment: 2018-06-06T18:00Z.
    pub from: Option<At<String>>,
    /// Moment at which it ends.
    pub until: Option<At<String>>,
    /// Every week on these days: mon, tue, wed, thu, fri, sat, sun. Default, with hours: every day.
    pub days: Option<Vec<At<RawDay>>>,
    /// From and to in each of the days: 22:00-02:00. Past midnight it goes on into the next day.
    pub hours: Option<At<String>>,
    /// Zone of days and hours; default UTC.
    pub timezone: Option<At<String>>,
}

/// A day of the week.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub(super) enum RawDay {
    Mon,
    Tue,
    Wed,
    Thu,
    Fri,
    Sat,
    Sun,
}

/// How an alarm goes out.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub(super) enum RawAlertKind {
    /// Prometheus Alertmanager.
    Alertmanager,
    /// An HTTP POST.
    Webhook,
    /// A program.
    Exec,
    /// Lines on standard output.
    Stdout,
    /// Refused: mail is what is broken.
    Mail,
}

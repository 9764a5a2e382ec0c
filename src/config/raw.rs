//! The configuration as written: what serde reads, and what the JSON schema is made of.
//!
//! The comments of the fields are the descriptions in the schema and in `docs/configuration.md`. Ranges, required keys and
//! examples are declared only here. Default values are declared only in `defaults`; a key whose default depends on the
//! machine or on other keys describes it in `x-default`.

use crate::model::log_kinds::{LOG_KINDS, LogKind};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::at::At;
use super::raw_formats::{RawConditions, RawFields, RawTemplate};
use super::zone::DEFAULT_ZONE;

/// Default of `relays_min`: two relays, so that one may fail.
pub(super) const RELAYS_MIN: u32 = 2;

/// Default of `grace_minutes` of a schedule.
pub(super) const GRACE_MIN: u32 = 15;

/// Default of `every_s` of a heartbeat.
pub(super) const HEARTBEAT_S: u32 = 60;

/// Configuration of mailpulse: `mailpulse.toml`, and the files of `conf.d` beside it.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
#[schemars(title = "mailpulse.toml")]
pub(super) struct RawConfig {
    /// The event store, and the limits on memory and disk space.
    pub store: RawStore,
    /// How addresses are stored.
    pub privacy: RawPrivacy,
    /// A log to read. Repeat the table for each log.
    pub source: Vec<At<RawSource>>,
    /// A service, and the rules that attribute mail to it. The first service that matches wins.
    pub service: Vec<At<RawService>>,
    /// A named set of sending hosts. The first group that matches wins.
    pub hostgroup: Vec<At<RawHostGroup>>,
    /// Other names of a host, as the lines of central logs print them.
    pub host_alias: Vec<At<RawHostAlias>>,
    /// A provider of mail: who runs the receiving side. It adds to the built-in table of large providers, or overrides it.
    pub provider: Vec<At<RawProvider>>,
    /// Which mail is yours: what distinguishes outbound mail from mail of others.
    pub ours: RawOurs,
    /// Outage detection.
    pub detect: RawDetect,
    /// Mail that a service promises for a set time: it is `overdue` when it has not come. Repeat the table for each time.
    pub schedule: Vec<At<RawSchedule>>,
    /// The number of relays that services are expected to use.
    pub routes: RawRoutes,
    /// Following logs with `mailpulse tail`.
    pub tail: RawTail,
    /// Web pages, JSON API, and metrics with `mailpulse serve`.
    pub serve: RawServe,
    /// Metrics of `tail` and `run` for Prometheus, without pages.
    pub metrics: RawMetrics,
    /// The connection to ClickHouse.
    pub clickhouse: RawClickHouse,
    /// A channel that alarms are sent to. Repeat the table for each channel.
    pub alert: Vec<At<RawAlert>>,
    /// A dead man's switch: an address that `watch` requests as long as it evaluates mail.
    pub heartbeat: Vec<At<RawHeartbeat>>,
    /// Alarms that are not sent for a time, or in a weekly window. Specify at least one of `service`, `relay`, `hostgroup`, and
    /// `provider`. Without a time, the silence is permanent.
    pub silence: Vec<At<RawSilence>>,
}

/// The event store, and the limits on memory and disk space.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub(super) struct RawStore {
    /// The store: a folder (a `file://` URL, or a path relative to this file). Commands that only read also accept a
    /// ClickHouse URL (`clickhouse://USER@HOST:8123/DATABASE`).
    #[schemars(example = &"file:///var/lib/mailpulse")]
    #[schemars(extend("x-default" = "`/var/lib/mailpulse` for root or if it exists, otherwise the user's state folder"))]
    pub url: Option<At<String>>,
    /// A ClickHouse server that receives a copy of all committed data. Use `clickhouses://` for TLS.
    #[schemars(example = &"clickhouse://mailpulse@ch.example.org:8123/mail")]
    pub ship: Option<At<String>>,
    /// Maximum size of the data that waits to be sent to ClickHouse. When the limit is reached, reading stops.
    #[schemars(range(min = 1, max = 100000000), example = 20480)]
    pub outbox_mib_max: u32,
    /// Maximum size of the unreferenced files in `lost+found`. When the limit is reached, the oldest files are removed.
    #[schemars(range(min = 64, max = 1000000), example = 2048)]
    pub lost_found_mib_max: u32,
    /// Memory limit of one `query --sql`. A query that needs more memory fails.
    #[schemars(range(min = 64, max = 1000000), example = 1024)]
    pub query_mib_max: u32,
    /// Time limit of one `query --sql`. A query that takes longer fails.
    #[schemars(range(min = 1, max = 86400), example = 300)]
    pub query_s_max: u32,
    /// Retention period of events. `tail` and `store compact` remove older events.
    #[schemars(range(min = 1, max = 36500), example = 365)]
    pub retain_days: u32,
    /// Maximum number of rows in a segment. ClickHouse deduplicates only blocks of fewer than 500,000 rows.
    #[schemars(range(min = 1000, max = 500000), example = 100000)]
    pub segment_rows_max: u32,
    /// Maximum size of a segment before compression.
    #[schemars(range(min = 1, max = 1024), example = 64)]
    pub segment_mib_max: u32,
    /// Maximum number of queued messages per host that are held in memory. Further messages stay in the store.
    #[schemars(range(min = 1000, max = 100000000), example = 500000)]
    pub open_messages_max: u32,
    /// Maximum number of derived services per source. Mail of further senders is `unattributed`. A new name replaces the
    /// least used service when it was used on more of the last 30 days.
    #[schemars(range(min = 10, max = 100000), example = 2000)]
    pub services_max: u32,
    /// Maximum number of hosts that the lines of one source may name. Lines of further hosts belong to the host that reads.
    #[schemars(range(min = 1, max = 10000), example = 500)]
    pub hosts_max: u32,
    /// Whether mail that matches no `[[service]]` rule gets a service derived from the sender and the client.
    #[schemars(example = true, extend("x-default" = "`true` as long as there is no `[[service]]`"))]
    pub derive: Option<bool>,
}

/// Web pages, JSON API, and metrics with `mailpulse serve`.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub(super) struct RawServe {
    /// Address and port to listen on. An address that other machines can reach requires `auth = "token"` and
    /// `trusted_proxies`.
    #[schemars(example = &"127.0.0.1:8080")]
    #[schemars(extend("x-default" = "`127.0.0.1:8425` for `serve`; `run` serves pages only if this table names an address or who may see them"))]
    pub listen: Option<At<String>>,
    /// The address at which people open the pages, behind a proxy for example. Links in pages and alarms begin with it. It may
    /// contain a path.
    #[schemars(example = &"http://localhost:8080/mailpulse/")]
    pub url_base: Option<At<String>>,
    /// Who decides on access: `token` (the program requires the token of `token_file`), `proxy` (a proxy in front of a loopback
    /// address authenticates people), or `none`. Required if `url_base` is not a local address.
    #[schemars(example = &"proxy", extend("x-default" = "`token` if `token_file` is set, otherwise `none`"))]
    pub auth: Option<At<RawServeAuth>>,
    /// File with the access token, at least 24 characters, for its owner only: `openssl rand -hex 16`.
    #[schemars(example = &"serve.token")]
    pub token_file: Option<At<String>>,
    /// Addresses and networks of the proxies in front. Their `X-Forwarded-For` header is believed.
    #[schemars(example = ["192.0.2.10"])]
    pub trusted_proxies: Vec<At<String>>,
    /// Further host names that requests may use. `localhost`, the address of `listen`, and the host of `url_base` are allowed
    /// anyway.
    #[schemars(example = ["mail.example.org"])]
    pub hosts: Vec<At<String>>,
    /// Time zone of the times in pages, unless a reader chooses another one: a name such as `Europe/Berlin`.
    #[schemars(example = &"Europe/Berlin", extend("x-default" = "`UTC`"))]
    pub timezone: Option<At<String>>,
    /// Maximum number of connections.
    #[schemars(range(min = 1, max = 10000), example = 200)]
    pub connections_max: u32,
    /// Maximum number of pages that are updated live.
    #[schemars(range(min = 1, max = 10000), example = 100)]
    pub streams_max: u32,
    /// Maximum number of questions to the store that are answered at the same time.
    #[schemars(range(min = 1, max = 64), example = 4)]
    pub questions_max: u32,
}

/// Metrics of `tail` and `run` for Prometheus, without pages. They are at `/metrics`.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub(super) struct RawMetrics {
    /// Address and port to listen on. An address that other machines can reach requires `token_file` and `trusted_proxies`.
    #[schemars(example = &"127.0.0.1:8426", extend("x-default" = "none: metrics are shown by `serve` only"))]
    pub listen: Option<At<String>>,
    /// File with the access token that a scrape must have, at least 24 characters, for its owner only: `openssl rand -hex 16`.
    #[schemars(example = &"metrics.token")]
    pub token_file: Option<At<String>>,
    /// Addresses and networks of the proxies in front. Their `X-Forwarded-For` header is believed.
    #[schemars(example = ["192.0.2.10"])]
    pub trusted_proxies: Vec<At<String>>,
    /// Further host names that requests may use. `localhost` and the address of `listen` are allowed anyway.
    #[schemars(example = ["mx1.example.org"])]
    pub hosts: Vec<At<String>>,
}

/// Who decides on access to the pages.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub(super) enum RawServeAuth {
    /// Nobody: whoever reaches the address.
    None,
    /// The program, by a token.
    Token,
    /// A proxy in front.
    Proxy,
}

/// The connection to ClickHouse.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub(super) struct RawClickHouse {
    /// File with the user's password. The environment variable `MAILPULSE_CLICKHOUSE_PASSWORD` takes precedence.
    #[schemars(example = &"clickhouse.password")]
    pub password_file: Option<At<String>>,
    /// PEM file with the certificate authorities to trust for `clickhouses://`.
    #[schemars(example = &"our-ca.pem", extend("x-default" = "the system's certificate authorities"))]
    pub ca_file: Option<At<String>>,
    /// Time limit of a query to the server.
    #[schemars(range(min = 1, max = 3600), example = 120)]
    pub read_timeout_s: u32,
    /// Time limit of an insert of one batch.
    #[schemars(range(min = 1, max = 3600), example = 300)]
    pub insert_timeout_s: u32,
    /// Interval at which `tail` sends waiting data. A shorter interval creates more and smaller parts on the server.
    #[schemars(range(min = 1, max = 3600), example = 60)]
    pub ship_every_s: u32,
}

/// Following logs with `mailpulse tail`.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub(super) struct RawTail {
    /// Interval at which growing logs are read and committed.
    #[schemars(range(min = 50, max = 60000), example = 1000)]
    pub poll_ms: u32,
    /// Interval at which folders are scanned for new file names, with or without notifications from the system.
    #[schemars(range(min = 1, max = 3600), example = 30)]
    pub rescan_s: u32,
    /// Time for which a deleted file stays open, so that its last lines are read.
    #[schemars(range(min = 0, max = 86400), example = 300)]
    pub deleted_wait_s: u32,
    /// Maximum number of files that are kept open. Further files are read when folders are scanned.
    #[schemars(range(min = 1, max = 100000), example = 2000)]
    pub open_files_max: u32,
    /// Interval at which the arrivals of one mail on several hosts are linked.
    #[schemars(range(min = 1, max = 86400), example = 300)]
    pub link_s: u32,
    /// Whether to use change notifications (inotify). Network file systems send none for changes by other hosts.
    #[schemars(example = false)]
    pub watch: bool,
}

/// How addresses are stored.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub(super) struct RawPrivacy {
    /// How the part of an address before the `@` is stored. Accounts name derived services only with `keep`.
    #[schemars(example = &"drop")]
    pub local_parts: RawLocalParts,
    /// What is stored of the replies of remote hosts.
    #[schemars(example = &"keep")]
    pub replies: RawReplies,
    /// File with the key of the hash.
    #[schemars(example = &"/etc/mailpulse/key", extend("x-default" = "`key` in the store, created on first use"))]
    pub key_file: Option<At<String>>,
}

/// How local parts are stored.
#[derive(Debug, Default, Clone, Copy, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub(super) enum RawLocalParts {
    /// Replaced by a keyed hash; equal addresses stay equal.
    #[default]
    Hash,
    /// Stored unchanged.
    Keep,
    /// Not stored.
    Drop,
}

/// What is stored of replies.
#[derive(Debug, Default, Clone, Copy, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub(super) enum RawReplies {
    /// Codes and the reason class.
    #[default]
    Class,
    /// Also the words, up to 512 bytes, for `trace` and `incident`, with addresses as `local_parts` says.
    Keep,
}

/// A log to read.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct RawSource {
    /// The program that writes the log, or `pattern` or `json` for a format that this table describes.
    #[schemars(required, example = &"exim")]
    pub kind: Option<At<RawSourceKind>>,
    /// Globs of the log files, including rotated and compressed files. Paths are relative to the main configuration file.
    #[schemars(example = ["/var/log/exim4/mainlog*"], extend("x-default" = "the pattern of `host_from`"))]
    pub paths: Option<Vec<At<String>>>,
    /// The host that wrote the log. `from-log`: the host that each line names, for `exim` and `postfix` logs of a central log
    /// server, and journals that collect.
    #[schemars(example = &"mx1001", extend("x-default" = "this host; in a new log with lines of several hosts, the host that each line names"))]
    pub host: Option<At<String>>,
    /// Pattern that takes the host from the path.
    #[schemars(example = &"/srv/logs/{host}/mainlog*")]
    pub host_from: Option<At<String>>,
    /// Time zone of the timestamps: an IANA name or a fixed offset such as `+02:00`.
    #[schemars(example = &"Europe/Berlin", extend("default" = DEFAULT_ZONE))]
    pub timezone: Option<At<String>>,
    /// Year of timestamps without a year (RFC 3164). Use it for archives whose modification times were lost.
    #[schemars(range(min = 1970, max = 9999), example = 2018, extend("x-default" = "derived from the file's modification time"))]
    pub year: Option<i16>,
    /// The service that an application's log belongs to.
    #[schemars(example = &"shop", extend("x-default" = "determined by the kind or the rules"))]
    pub service: Option<At<String>>,
    /// The relay that the application submits its mail to.
    #[schemars(example = &"mx1001")]
    pub relay: Option<At<String>>,
    /// `exim` and `postfix`: additional syslog tags of the program, such as Exim's `syslog_processname` or a container's ID
    /// or name. A tag on every line of a log is recognized without this key.
    #[schemars(example = ["mailer", "3f2e1d0c9b8a"])]
    pub syslog_tag: Option<At<Vec<At<String>>>>,
    /// `pattern`: the templates of records, in order. The first template that matches wins.
    pub template: Option<At<Vec<At<RawTemplate>>>>,
    /// `pattern`: a template of the beginning of a record.
    #[schemars(example = &"{time:%Y-%m-%d %H:%M:%S}", extend("x-default" = "the first template up to its time"))]
    pub starts: Option<At<String>>,
    /// `pattern`: whether the log has no timestamps.
    #[schemars(example = true, extend("default" = false))]
    pub undated: Option<At<bool>>,
    /// `json`: the paths of the fields.
    pub fields: Option<At<RawFields>>,
    /// `json`: conditions for a submitted mail. One entry must hold in full, and no entry of `failed_when`.
    #[schemars(example = serde_json::json!([{"event": "mail.sent"}]))]
    pub submitted_when: Option<At<Vec<At<RawConditions>>>>,
    /// `json`: conditions for a failed submission. One entry must hold in full.
    #[schemars(example = serde_json::json!([{"event": "mail.*", "error.class": {"contains": "SMTP"}}]))]
    pub failed_when: Option<At<Vec<At<RawConditions>>>>,
    /// `json`: conditions for a failure that the application retries. One entry must hold in full.
    #[schemars(example = serde_json::json!([{"job_id": {"present": true}}]))]
    pub retried_when: Option<At<Vec<At<RawConditions>>>>,
    /// `exim` and `postfix`: whether to read the systemd journal instead of files.
    #[schemars(example = true, extend("default" = false))]
    pub journal: Option<At<bool>>,
    /// Folder of journal files.
    #[schemars(example = &"/var/log/journal/remote", extend("x-default" = "the journal of this machine"))]
    pub directory: Option<At<String>>,
    /// Units whose journal entries are read.
    #[schemars(example = ["postfix@-.service"], extend("x-default" = "all entries of the syslog facility `mail`"))]
    pub units: Option<Vec<At<String>>>,
    /// Syslog identifiers whose journal entries are read. Use it instead of `units`.
    #[schemars(example = ["exim"])]
    pub identifiers: Option<Vec<At<String>>>,
}

/// The program that writes a log.
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

impl RawSourceKind {
    /// What is known of the kind; the table has the kinds in this order, and a test says so.
    pub(super) fn log_kind(self) -> &'static LogKind {
        &LOG_KINDS[self as usize]
    }
}

/// A service, and the rules that attribute mail to it.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct RawService {
    /// Name of the service.
    #[schemars(required, example = &"gerrit")]
    pub name: Option<At<String>>,
    /// Rules. A mail belongs to the service if any entry matches.
    #[serde(rename = "match")]
    #[schemars(required, example = serde_json::json!([{"sender": "gerrit@example.org"}, {"client": "gerrit*.example.org"}]))]
    pub matches: Option<Vec<At<RawMatch>>>,
    /// Minimum number of relays through which the service's mail is expected to leave. Set 1 to accept a single relay.
    #[schemars(range(min = 1, max = 100), example = 1, extend("x-default" = "`relays_min` of `[routes]`"))]
    pub relays_min: Option<At<u32>>,
    /// Time zone of the service's daily rhythm: an IANA name or a fixed offset such as `+02:00`.
    #[schemars(example = &"Europe/Berlin", extend("x-default" = "`timezone` of `[detect]`"))]
    pub timezone: Option<At<String>>,
    /// Holiday files of the service: iCalendar, or one date per line. `[]` means no holidays.
    #[schemars(example = ["germany.ics"], extend("x-default" = "`holidays` of `[detect]`"))]
    pub holidays: Option<Vec<At<String>>>,
}

/// Conditions of one entry of `match`. All of them must hold. Values can be globs; case is ignored.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct RawMatch {
    /// The complete envelope sender; `<>` for bounces.
    #[schemars(example = &"gerrit@example.org")]
    pub sender: Option<At<String>>,
    /// The domain of the envelope sender.
    #[schemars(example = &"phabricator.example.org")]
    pub sender_domain: Option<At<String>>,
    /// The host name of the client.
    #[schemars(example = &"gerrit*.example.org")]
    pub client: Option<At<String>>,
    /// The address or network of the client.
    #[schemars(example = &"10.64.32.7")]
    pub client_ip: Option<At<String>>,
    /// The network of the client.
    #[schemars(example = &"10.64.32.0/24")]
    pub network: Option<At<String>>,
    /// The local user who submitted the mail.
    #[schemars(example = &"www-data")]
    pub user: Option<At<String>>,
    /// The authenticated ID, or `AUTHENTICATOR:ID` as Exim logs it.
    #[schemars(example = &"dovecot_plain*")]
    pub auth: Option<At<String>>,
    /// The router of the delivery.
    #[schemars(example = &"dnslookup")]
    pub router: Option<At<String>>,
    /// The transport of the delivery.
    #[schemars(example = &"remote_smtp")]
    pub transport: Option<At<String>>,
    /// The host part of the Message-ID.
    #[schemars(example = &"otrs*.example.org")]
    pub message_id_host: Option<At<String>>,
    /// The host that wrote the log.
    #[schemars(example = &"mx1001")]
    pub host: Option<At<String>>,
}

/// A named set of sending hosts.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct RawHostGroup {
    /// Name of the group.
    #[schemars(example = &"phab", extend("x-default" = "the names of the groups in `inventory`"))]
    pub name: Option<At<String>>,
    /// Host names, globs, or addresses.
    #[serde(default)]
    #[schemars(example = ["phab[0-9]*.example.org"])]
    pub hosts: Vec<At<String>>,
    /// Networks.
    #[serde(default)]
    #[schemars(example = ["10.64.32.0/24"])]
    pub networks: Vec<At<String>>,
    /// Inventory file: the output of `ansible-inventory --list`, or a CSV of `host,group`.
    #[schemars(example = &"hosts.json")]
    pub inventory: Option<At<String>>,
}

/// Other names of a host, as the lines of central logs print them. A name with and without its domain is one host anyway.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct RawHostAlias {
    /// Name of the host.
    #[schemars(required, example = &"mx1001")]
    pub name: Option<At<String>>,
    /// Its other names and addresses.
    #[schemars(required, example = ["10.64.0.5", "mail.example.org"])]
    pub also: Option<Vec<At<String>>>,
}

/// A provider of mail: who runs the receiving side. It adds to the built-in table of large providers, or overrides it. Of two
/// globs that match, the one with more literal text decides. What no table names is named after its registrable domain.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct RawProvider {
    /// Name of the provider, without dots.
    #[schemars(required, example = &"office365")]
    pub name: Option<At<String>>,
    /// Globs of next hops' names.
    #[schemars(required, example = ["*.mail.protection.outlook.com", "*.mx.microsoft"])]
    pub mx: Option<Vec<At<String>>>,
}

/// Which mail is yours: what distinguishes outbound mail from mail of others. Mail that is submitted locally, by an
/// authenticated user, or by a client of yours is yours. Loopback, private, and link-local networks, this host, the hosts of all `[[source]]` tables, and the
/// hosts of inventories always are.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub(super) struct RawOurs {
    /// Networks and addresses of our hosts and clients.
    #[schemars(example = ["208.80.152.0/22", "2620:0:860::/46"])]
    pub networks: Vec<At<String>>,
    /// Networks and addresses that are not ours, although private or listed: a gateway or load balancer that passes on mail
    /// from the outside. These exceptions take precedence.
    #[schemars(example = ["10.9.9.1"])]
    pub outside: Vec<At<String>>,
    /// Names of our hosts, and globs. The MTA must have verified the name of a client.
    #[schemars(example = ["*.wmnet", "*.wikimedia.org"])]
    pub hosts: Vec<At<String>>,
    /// Domains whose mail stays with us, and globs. They tell destinations, never clients.
    #[schemars(example = ["wikimedia.org", "*.wikimedia.org"])]
    pub domains: Vec<At<String>>,
}

/// Outage detection.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub(super) struct RawDetect {
    /// Target number of false alarms per service in 90 days. The detection calibrates its thresholds to it.
    #[schemars(range(min = 0.001, max = 1000.0), example = 0.5)]
    pub false_alarms_per_service_per_90_days: f64,
    /// Time zone of the daily rhythm of mail: an IANA name or a fixed offset such as `+02:00`.
    #[schemars(example = &"Europe/Berlin", extend("default" = DEFAULT_ZONE))]
    pub timezone: Option<At<String>>,
    /// Holiday files: iCalendar, or one date per line. Less mail on these days raises no alarm.
    #[schemars(example = ["holidays.txt"])]
    pub holidays: Vec<At<String>>,
    /// Whether `watch` also sends provisional findings (series with less than 14 days of history).
    #[schemars(example = true)]
    pub send_provisional: bool,
    /// Name of who watches, up to 64 letters, digits, `-`, `.`, and `_`. `watch` keeps what it judged and reported under this
    /// name. Two `watch` over one ClickHouse need two names.
    #[schemars(example = &"mail-team")]
    pub owner: Option<At<String>>,
}

/// The number of relays that services are expected to use.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub(super) struct RawRoutes {
    /// Minimum number of relays through which each service's mail is expected to leave.
    #[schemars(range(min = 1, max = 100), example = 3, extend("default" = RELAYS_MIN))]
    pub relays_min: Option<At<u32>>,
}

/// A channel that alarms are sent to.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct RawAlert {
    /// The type of the channel.
    #[schemars(required, example = &"alertmanager")]
    pub kind: Option<At<RawAlertKind>>,
    /// Address of the Alertmanager or the webhook. Required for both, except for PagerDuty.
    #[schemars(example = &"http://127.0.0.1:9093")]
    pub url: Option<At<String>>,
    /// `webhook`: the form of the body.
    #[schemars(example = &"slack", extend("default" = "json"))]
    pub format: Option<At<RawWebhookFormat>>,
    /// `webhook`: file with the key that signs the body (`json`: HMAC-SHA256), the routing key (`pagerduty`; required), or the
    /// access token (`ntfy`).
    #[schemars(example = &"hook.key", extend("x-default" = "the body is not signed"))]
    pub key_file: Option<At<String>>,
    /// Address of the page that says what to do about an alarm. `{state}` in it stands for the state, such as `dropped`.
    #[schemars(example = &"https://wiki.example.org/mail-alarms", extend("x-default" = "notifications name the page of their state in `docs/runbooks`"))]
    pub runbook_url: Option<At<String>>,
    /// `alertmanager` and `webhook`: PEM file with the certificate authorities to trust.
    #[schemars(example = &"our-ca.pem", extend("x-default" = "the system's certificate authorities"))]
    pub ca_file: Option<At<String>>,
    /// `exec`: the program and its arguments. Required for `exec`.
    #[schemars(example = ["/usr/local/bin/page", "--team", "mail"])]
    pub command: Option<Vec<At<String>>>,
}

/// A dead man's switch: an address that `watch` requests as long as it evaluates mail, so that somebody notices when mailpulse
/// itself stops.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct RawHeartbeat {
    /// The address, requested with GET. It can be a secret: messages show only its scheme and host.
    #[schemars(required, example = &"https://hc-ping.com/1d2c3b4a-0000-0000-0000-000000000000")]
    pub url: Option<At<String>>,
    /// Interval of the requests.
    #[schemars(range(min = 10, max = 86400), example = 300, extend("default" = HEARTBEAT_S))]
    pub every_s: Option<At<u32>>,
    /// PEM file with the certificate authorities to trust.
    #[schemars(example = &"our-ca.pem", extend("x-default" = "the system's certificate authorities"))]
    pub ca_file: Option<At<String>>,
}

/// The form of a webhook's body.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub(super) enum RawWebhookFormat {
    /// JSON of mailpulse.
    Json,
    /// Incoming webhooks of Slack, Mattermost, and Rocket.Chat.
    Slack,
    /// The webhook trigger of Workflows in Microsoft Teams.
    Teams,
    /// PagerDuty Events API v2.
    Pagerduty,
    /// ntfy.
    Ntfy,
}

/// Alarms that are not sent.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct RawSilence {
    /// Glob of services.
    #[schemars(example = &"gerrit")]
    pub service: Option<At<String>>,
    /// Glob of relays. Alarms about the logs of these relays, and alarms that they are the cause of, are silenced too.
    #[schemars(example = &"mx2*")]
    pub relay: Option<At<String>>,
    /// Glob of hostgroups.
    #[schemars(example = &"phab*")]
    pub hostgroup: Option<At<String>>,
    /// Glob of providers.
    #[schemars(example = &"google")]
    pub provider: Option<At<String>>,
    /// Why, for `silence list`, `status`, and graphs.
    #[schemars(example = &"the archive relay is switched off at night")]
    pub reason: Option<At<String>>,
    /// Start of the silence.
    #[schemars(example = &"2018-06-06T18:00Z")]
    pub from: Option<At<String>>,
    /// End of the silence.
    #[schemars(example = &"2018-06-06T22:00Z")]
    pub until: Option<At<String>>,
    /// Days of a weekly window.
    #[schemars(example = ["sat", "sun"], extend("x-default" = "every day"))]
    pub days: Option<Vec<At<RawDay>>>,
    /// Hours of a weekly window. A window that passes midnight continues into the next day.
    #[schemars(example = &"22:00-02:00", extend("x-default" = "the whole day"))]
    pub hours: Option<At<String>>,
    /// Time zone of `days` and `hours`.
    #[schemars(example = &"Europe/Berlin", extend("default" = DEFAULT_ZONE))]
    pub timezone: Option<At<String>>,
}

/// Mail that a service promises for a set time.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct RawSchedule {
    /// The service that sends the mail. If it sends other mail as well, give this mail a service of its own.
    #[schemars(required, example = &"backup-report")]
    pub service: Option<At<String>>,
    /// Time of day at which the mail is due.
    #[schemars(required, example = &"06:10")]
    pub time: Option<At<String>>,
    /// Minutes by which the mail may be early or late. It is `overdue` after this time.
    #[schemars(range(min = 1, max = 360), example = 20, extend("default" = GRACE_MIN))]
    pub grace_minutes: Option<At<u32>>,
    /// Days on which the mail is due.
    #[schemars(example = ["mon", "tue", "wed", "thu", "fri"], extend("x-default" = "every day"))]
    pub days: Option<Vec<At<RawDay>>>,
    /// Time zone of `time` and `days`.
    #[schemars(example = &"Europe/Berlin", extend("x-default" = "that of the service, otherwise that of `[detect]`"))]
    pub timezone: Option<At<String>>,
    /// Whether no mail is due on declared holidays of the service.
    #[schemars(example = true, extend("default" = false))]
    pub except_holidays: Option<At<bool>>,
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

/// The type of an alert channel.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub(super) enum RawAlertKind {
    /// A Prometheus Alertmanager.
    Alertmanager,
    /// An HTTP POST request.
    Webhook,
    /// A program.
    Exec,
    /// Lines on standard output.
    Stdout,
    /// Refused: mail is what fails in an outage.
    Mail,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_kind_of_log_is_a_kind_of_source() {
        for kind in &LOG_KINDS {
            let read: RawSourceKind = serde_json::from_value(kind.name.into()).unwrap();
            assert_eq!(read.log_kind().name, kind.name);
        }
    }
}

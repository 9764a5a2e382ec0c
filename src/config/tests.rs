//! Loading of whole configurations, and the table of bad ones.

use std::fs;
use std::path::Path;

use super::redundancy::RelaysWanted;
use super::*;
use crate::normalise::provider::NextHop;
use crate::normalise::redact::LocalParts;
use crate::normalise::rules::Facts;
use crate::planned::AlarmSubject;

#[path = "bad_input_tests.rs"]
mod bad;

/// Writes files into a new folder and loads `mailpulse.toml` of it.
fn load(files: &[(&str, &str)]) -> Result<Config, Vec<String>> {
    let folder = tempfile::tempdir().unwrap();
    for (name, content) in files {
        let path = folder.path().join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, content).unwrap();
    }
    let prefix = format!("{}/", folder.path().display());
    Config::load(&folder.path().join("mailpulse.toml")).map_err(|errors| {
        errors
            .iter()
            .map(|error| error.to_string().replace(&prefix, ""))
            .collect()
    })
}

fn errors_of(files: &[(&str, &str)]) -> Vec<String> {
    load(files).err().unwrap_or_default()
}

#[test]
fn every_mistake_has_its_message() {
    for (text, expected) in bad::BAD {
        let got = errors_of(&[("mailpulse.toml", text)]);
        assert_eq!(got, *expected, "\nfor:\n{text}");
    }
}

#[test]
fn the_example_loads_and_names_the_services() {
    let config = Config::load(&Path::new(env!("CARGO_MANIFEST_DIR")).join("examples/wikimedia.toml"));
    let config = config.unwrap_or_else(|errors| panic!("{errors:#?}"));
    assert_eq!(config.sources.len(), 11);
    for (path, kind, service) in [
        ("/srv/logs/mx1001/mainlog.2.gz", "exim", None),
        ("/srv/logs/phab1001/daemons.log", "phabricator", Some("phabricator")),
        ("/srv/logs/cobalt/error_log.2018-06-05.gz", "gerrit", Some("gerrit")),
        ("/srv/logs/gerrit2001/error_log.json", "gerrit", Some("gerrit")),
        ("/srv/logs/thorium/runcpserver.log.1", "hue", Some("hue")),
        ("/srv/logs/krypton/iegreview.log", "slimapp", Some("iegreview")),
        ("/srv/logs/an-coord1001/oozie.log-2018-06-06-18", "oozie", Some("oozie")),
        (
            "/srv/logs/krypton/scholarships.log.1",
            "slimapp",
            Some("wikimania_scholarships"),
        ),
        ("/srv/logs/sentry1001/worker.log", "sentry", Some("sentry")),
        ("/srv/logs/snapshot1008/dumps.log", "dumps", Some("snapshot")),
    ] {
        let source = config.source_of(Path::new(path)).unwrap_or_else(|| panic!("{path}"));
        assert_eq!(
            (source.kind.name(), source.service.as_deref()),
            (kind, service),
            "{path}"
        );
    }
    let dumps = config.source_of(Path::new("/srv/logs/snapshot1008/dumps.log")).unwrap();
    let host = dumps.host_in(Path::new("/srv/logs/snapshot1008/dumps.log"));
    assert_eq!(host.as_deref(), Some("snapshot1008"));
    assert_eq!(config.hostgroups.find(Some(b"snapshot1008"), None), Some("snapshot"));
    let service = |sender: &str, client: &str| {
        let facts = Facts {
            sender: Some(sender.as_bytes()),
            client_name: Some(client.as_bytes()),
            ..Facts::default()
        };
        config
            .services
            .find(&facts)
            .map(|found| config.services.name(found.service))
    };
    for (sender, client, name, group) in [
        ("gerrit@wikimedia.org", "cobalt.wikimedia.org", "gerrit", Some("gerrit")),
        (
            "no-reply@phabricator.wikimedia.org",
            "phab1001.eqiad.wmnet",
            "phabricator",
            Some("phab"),
        ),
        ("root@hue1001.eqiad.wmnet", "thorium.eqiad.wmnet", "hue", Some("hadoop")),
        (
            "oozie@an-coord1001.eqiad.wmnet",
            "an-coord1001.eqiad.wmnet",
            "oozie",
            Some("hadoop"),
        ),
        (
            "grants@wikimedia.org",
            "krypton.eqiad.wmnet",
            "iegreview",
            Some("webapps"),
        ),
        (
            "scholarships@wikimedia.org",
            "krypton.eqiad.wmnet",
            "wikimania_scholarships",
            Some("webapps"),
        ),
        (
            "sentry@wikimedia.org",
            "sentry1001.eqiad.wmnet",
            "sentry",
            Some("webapps"),
        ),
        (
            "ops-dumps@wikimedia.org",
            "snapshot1008.eqiad.wmnet",
            "snapshot",
            Some("snapshot"),
        ),
        ("wiki@wikimedia.org", "mw1299.eqiad.wmnet", "mediawiki", Some("mw")),
    ] {
        assert_eq!(service(sender, client), Some(name), "{sender}");
        assert_eq!(config.hostgroups.find(Some(client.as_bytes()), None), group, "{client}");
    }
}

#[test]
fn every_example_loads() {
    let examples = Path::new(env!("CARGO_MANIFEST_DIR")).join("examples");
    let mut loaded = 0;
    for entry in fs::read_dir(examples).unwrap() {
        let path = entry.unwrap().path();
        if path.extension().is_some_and(|end| end == "toml") {
            let config = Config::load(&path).unwrap_or_else(|errors| panic!("{errors:#?}"));
            assert!(!config.sources.is_empty(), "{}", path.display());
            loaded += 1;
        }
    }
    assert!(loaded >= 7, "{loaded}");
}

#[test]
fn an_empty_file_is_a_configuration() {
    let config = load(&[("mailpulse.toml", "")]).unwrap();
    assert!(config.services.is_empty() && config.hostgroups.is_empty() && config.sources.is_empty());
    assert_eq!(config.store, Config::empty().store);
    assert_eq!(
        (config.store.retain_days, config.privacy.local_parts),
        (90, LocalParts::Hash)
    );
    assert_eq!(config.key_path(), config.store.folder.join("key"));
}

#[test]
fn further_files_append_and_do_not_contradict() {
    let service = |name: &str| format!("[[service]]\nname = \"{name}\"\nmatch = [{{ sender = \"{name}@*\" }}]\n");
    let files = [
        (
            "mailpulse.toml",
            format!("[store]\nretain_days = 90\n{}", service("main")),
        ),
        ("conf.d/20-b.toml", service("b")),
        (
            "conf.d/10-a.toml",
            format!("[store]\nretain_days = 90\nurl = \"here\"\n{}", service("a")),
        ),
        ("conf.d/.10-a.toml.swp", "junk".to_owned()),
        ("conf.d/30.toml~", "junk".to_owned()),
    ];
    let files: Vec<(&str, &str)> = files.iter().map(|(name, text)| (*name, text.as_str())).collect();
    let config = load(&files).unwrap();
    assert_eq!(config.services.names().collect::<Vec<_>>(), ["main", "a", "b"]);
    assert!(config.store.folder.is_absolute() && config.store.folder.ends_with("here"));
    assert!(!config.store.folder.to_string_lossy().contains("conf.d"));
    assert_eq!(config.files.len(), 3);

    let contradiction = [
        ("mailpulse.toml", "[store]\nretain_days = 90\nurl = \"a\"\n"),
        (
            "conf.d/a.toml",
            "# comment\n[store]\nretain_days = 30\nurl = \"a\"\n[[service]]\nname = 3\n",
        ),
        ("conf.d/b.toml", "service = 3\n"),
    ];
    assert_eq!(
        errors_of(&contradiction),
        [
            "conf.d/a.toml:3:1: `store.retain_days` is 30 here, and 90 at mailpulse.toml:2; remove one of the two",
            "conf.d/a.toml:5:1: [[service]] has no `match`; add `match = …`",
            "conf.d/a.toml:6:8: `name` is an integer, but must be a string; put it in quotes",
            "conf.d/b.toml:1:1: `service` is 3 here, and a list at conf.d/a.toml:5; remove one of the two",
        ]
    );
}

#[test]
fn files_that_cannot_be_read() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("mailpulse.toml");
    let errors = |path: &Path| -> Vec<String> {
        let errors = Config::load(path).unwrap_err();
        errors
            .iter()
            .map(|error| error.to_string().replace(&format!("{}/", folder.path().display()), ""))
            .collect()
    };
    assert_eq!(
        errors(&path),
        [
            "mailpulse.toml: cannot be read: No such file or directory (os error 2); write one with `mailpulse init`, \
          or name another with `--config`"
        ]
    );
    fs::write(&path, b"[store]\nurl = \"\xff\"\n").unwrap();
    assert_eq!(
        errors(&path),
        ["mailpulse.toml: cannot be read: line 2 is not UTF-8; save it as UTF-8"]
    );
    let device = Config::load(Path::new("/dev/zero")).unwrap_err();
    assert!(device[0].what.contains("larger than 16 MiB"), "{device:?}");
}

#[test]
fn sources_know_their_files_and_hosts() {
    let text = "[[source]]\nkind = \"exim\"\npaths = [\"/var/log/exim4/mainlog*\"]\n\
                [[source]]\nkind = \"exim\"\nhost_from = \"/srv/logs/{host}/mainlog*\"\ntimezone = \"-03:30\"\n\
                [[source]]\nkind = \"exim\"\npaths = [\"logs/../old/**/main*\"]\nhost = \"mx2001\"\n";
    let config = load(&[("mailpulse.toml", text)]).unwrap();
    let source = |path: &str| config.source_of(Path::new(path));
    let this = source("/var/log/exim4/mainlog.2.gz").unwrap();
    assert!(matches!(this.host, HostOf::This) && this.timezone == jiff::tz::TimeZone::UTC);
    assert!(source("/var/log/exim4/old/mainlog").is_none());
    let many = source("/srv/./x/../logs/mx1001/mainlog.1").unwrap();
    assert!(matches!(many.host, HostOf::Path));
    assert_eq!(
        many.host_in(Path::new("/srv/logs/mx1001/mainlog.1")).as_deref(),
        Some("mx1001")
    );
    assert_eq!(many.paths[0].as_str(), "/srv/logs/*/mainlog*");
    let folder = config.files[0].parent().unwrap();
    assert!(config.source_of(&folder.join("old/2018/mainlog")).is_some());
    assert!(config.source_of(&folder.join("logs/mainlog")).is_none());
}

#[test]
fn inventories_give_members_to_groups() {
    let csv = "host,group\nphab1001.x.org,phab\nmw1.x.org,mw\n10.0.0.7,mw\n";
    let named = "[[hostgroup]]\nname = \"phab\"\nhosts = [\"p*\"]\ninventory = \"hosts.csv\"\n";
    let all = "[[hostgroup]]\ninventory = \"hosts.csv\"\n";
    let config = load(&[("mailpulse.toml", &format!("{named}{all}")), ("hosts.csv", csv)]).unwrap();
    assert_eq!(config.hostgroups.names().collect::<Vec<_>>(), ["phab", "mw"]);
    assert_eq!(config.hostgroups.find(Some(b"PHAB1001.x.org"), None), Some("phab"));
    assert_eq!(config.hostgroups.find(None, "10.0.0.7".parse().ok()), Some("mw"));
    assert!(config.warnings.is_empty(), "{:?}", config.warnings);
    let text = format!("{named}[[hostgroup]]\nname = \"db\"\ninventory = \"hosts.json\"\n");
    let json = "{\"db\": {\"hosts\": []}, \"mx\": {\"hosts\": [\"mx1\"]}}";
    let config = load(&[("mailpulse.toml", &text), ("hosts.csv", csv), ("hosts.json", json)]).unwrap();
    let warnings: Vec<String> = config
        .warnings
        .iter()
        .map(|w| format!("{}: {}", w.line, w.what))
        .collect();
    assert_eq!(
        warnings,
        [
            "4: no hostgroup uses these groups of the inventory: mw",
            "7: group `db` of the inventory has no hosts",
            "7: no hostgroup uses these groups of the inventory: mx",
        ]
    );
    let wrong = named.replace("\"phab\"", "\"phap\"");
    assert_eq!(
        errors_of(&[("mailpulse.toml", &wrong), ("hosts.csv", csv)]),
        [
            "mailpulse.toml:4:13: the inventory has no group `phap`; did you mean `phab`? Without `name`, every group of \
          the inventory is one"
        ]
    );
    assert_eq!(
        errors_of(&[("mailpulse.toml", all), ("hosts.csv", "a,b c\nd e,f\n")]),
        [
            "mailpulse.toml:2:13: inventory `hosts.csv`, line 2: `d e` is not a host name; write lines of `host,group`, \
          separated by a comma"
        ]
    );
}

#[test]
fn the_schema_knows_every_key_and_no_null() {
    let schema = json_schema();
    let parsed: serde_json::Value = serde_json::from_str(&schema).unwrap();
    assert!(!schema.contains("null") && !schema.contains("$ref"), "{schema}");
    assert_eq!(
        parsed["properties"]["source"]["items"]["required"],
        serde_json::json!(["kind"])
    );
    assert_eq!(parsed["properties"]["store"]["additionalProperties"], false);
}

#[test]
fn the_shape_that_the_interface_shows() {
    let text = r#"
        [store]
        url = "file:///var/lib/mailpulse"
        retain_days = 90
        [privacy]
        local_parts = "hash"
        key_file = "/etc/mailpulse/key"
        [[source]]
        kind = "exim"
        paths = ["/var/log/exim4/mainlog*"]
        host = "mx1001"
        timezone = "UTC"
        [[service]]
        name = "gerrit"
        match = [{ sender = "gerrit@wikimedia.org" }, { client = "gerrit*.wikimedia.org" }]
        [[hostgroup]]
        name = "phab"
        hosts = ["phab[0-9]*.*.wmnet"]
        networks = ["10.64.32.0/24"]
        [[provider]]
        name = "office365"
        mx = ["*.mail.protection.outlook.com", "*.mx.microsoft"]
        [detect]
        false_alarms_per_service_per_90_days = 1
        [[alert]]
        kind = "alertmanager"
        url = "http://127.0.0.1:9093"
    "#;
    let config = load(&[("mailpulse.toml", text)]).unwrap();
    assert_eq!(config.store.folder, Path::new("/var/lib/mailpulse"));
    assert_eq!(config.key_path(), Path::new("/etc/mailpulse/key"));
    assert_eq!(
        config.alerts,
        [ConfiguredAlert {
            alert: Alert::Alertmanager(Server {
                url: "http://127.0.0.1:9093".to_owned(),
                ca_file: None,
                ca_place: String::new(),
            }),
            runbook_url: None,
        }]
    );
    assert_eq!(config.detect.false_alarms_per_service_per_90_days, 1.0);
}

#[test]
#[ignore = "slow: tests/run runs it"]
fn junk_is_reported_and_never_panics() {
    let example = |name: &str| fs::read(Path::new(env!("CARGO_MANIFEST_DIR")).join("examples").join(name)).unwrap();
    let examples = ["wikimedia.toml", "gitlab.toml", "mailman.toml"].map(example);
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("mailpulse.toml");
    let mut state = 20_180_606_u64;
    let mut below = |limit: usize| {
        state = state
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        (state >> 33) as usize % limit
    };
    for round in 0..450 {
        let mut text = examples[round % 3].clone();
        for _ in 0..1 + below(4) {
            let (at, length) = (below(text.len()), below(12));
            let piece = ["\"", "]", "[[", "\u{fc}", "= 3", "{", "\n", "#", "*", ""][below(10)];
            text.splice(at..(at + length).min(text.len()), piece.bytes());
        }
        fs::write(&path, &text).unwrap();
        if let Err(errors) = Config::load(&path) {
            assert!(!errors.is_empty() && errors.iter().all(|error| !error.to_string().contains(['\n', '\u{1b}'])));
        }
    }
}

#[test]
fn silences_hold_in_their_hours_and_for_what_they_name() {
    let text = "[[silence]]\nservice = \"gerrit*\"\ndays = [\"sat\"]\nhours = \"22:00-02:00\"\n";
    let config = load(&[("mailpulse.toml", text)]).unwrap();
    let holds = |kind: &str, name: &str, at: &str| {
        let subject = AlarmSubject {
            kind,
            name,
            cause: None,
        };
        config.silences[0].holds(subject, at.parse().unwrap())
    };
    assert!(holds("service", "gerrit", "2018-06-09T22:00Z"));
    assert!(holds("service", "gerrit", "2018-06-10T01:59Z"));
    assert!(!holds("service", "gerrit", "2018-06-10T02:00Z"));
    assert!(!holds("service", "gerrit", "2018-06-09T01:00Z"));
    assert!(!holds("relay", "gerrit", "2018-06-09T23:00Z"));
    assert!(!holds("service", "phabricator", "2018-06-09T23:00Z"));
}

#[test]
fn services_have_clocks_holidays_and_ways_of_their_own() {
    let text = r#"
        [detect]
        timezone = "Europe/Berlin"
        holidays = ["days/de.txt", "days/company.ics"]
        [[service]]
        name = "phabricator"
        match = [{ sender = "phab@x.org" }]
        timezone = "America/New_York"
        holidays = []
        [[service]]
        name = "gerrit"
        match = [{ sender = "gerrit@x.org" }]
        relays_min = 1
        [[service]]
        name = "hue"
        match = [{ sender = "hue@x.org" }]
        holidays = ["days/de.txt"]
    "#;
    let ics = "BEGIN:VCALENDAR\nBEGIN:VEVENT\nDTSTART;VALUE=DATE:20260102\nEND:VEVENT\nEND:VCALENDAR\n";
    let files = [
        ("mailpulse.toml", text),
        ("days/de.txt", "2026-12-25\n2026-12-26\n"),
        ("days/company.ics", ics),
    ];
    let config = load(&files).unwrap();
    let told = |service: &str| {
        let rhythm = config.detect.rhythms.of(service);
        (rhythm.zone.iana_name().unwrap().to_owned(), rhythm.holidays.len())
    };
    assert_eq!(told("phabricator"), ("America/New_York".to_owned(), 0));
    assert_eq!(told("gerrit"), ("Europe/Berlin".to_owned(), 3));
    assert_eq!(told("hue"), ("Europe/Berlin".to_owned(), 2));
    assert_eq!(config.redundancy.of_service("gerrit").relays_min, 1);
    assert_eq!(
        config.redundancy.of_service("hue"),
        &RelaysWanted {
            relays_min: 2,
            place: None
        }
    );

    let empty = load(&[files[0], ("days/de.txt", "# none yet\n"), files[2]]).unwrap();
    assert_eq!(empty.warnings.len(), 1, "{:?}", empty.warnings);
    assert!(empty.warnings[0].what.contains("holidays `days/de.txt` has no day"));
    let bad = [files[0], ("days/de.txt", "2026-12-25\nChristmas\n"), files[2]];
    // Two places name the file; it is told once.
    let hint = "write one date per line, such as 2026-12-25, or an iCalendar file with all-day events";
    assert_eq!(
        errors_of(&bad),
        [format!(
            "mailpulse.toml:4:21: holidays `days/de.txt`, line 2: expected a date like 2026-12-25; {hint}"
        )]
    );
}

#[test]
fn a_provider_that_shadows_another_is_named_with_both_places() {
    let text = "[[provider]]\n\
                name = \"office365\"\n\
                mx = [\"*.mail.protection.outlook.com\", \"*.mx.example\"]\n\
                [[provider]]\n\
                name = \"second\"\n\
                mx = [\"*.MX.example\", \"mx1.mx.example\"]\n\
                [[provider]]\n\
                name = \"google\"\n\
                mx = [\"*.google.com\", \"mx*.com\"]\n";
    let config = load(&[("mailpulse.toml", text)]).unwrap();
    let told = |errors: &[ConfigError]| -> Vec<String> {
        let text = |error: &ConfigError| format!("{}:{}: {}", error.line, error.column, error.what);
        errors.iter().map(text).collect()
    };
    assert_eq!(
        told(&config.warnings),
        [
            "3:7: provider `office365` takes over hosts of the built-in provider `microsoft`: *.mail.protection.outlook.com",
            "9:23: provider `google` takes over hosts of the built-in provider `microsoft` and 21 more: mx*.com"
        ]
    );
    let faults = told(&config.faults);
    assert_eq!(faults.len(), 1, "{faults:?}");
    assert!(
        faults[0].starts_with("6:7: `*.MX.example` never matches: provider `office365` at "),
        "{faults:?}"
    );
    assert!(faults[0].ends_with("mailpulse.toml:3 has the same glob"), "{faults:?}");
    let provider = |name: &[u8]| {
        let hop = NextHop {
            name,
            ..NextHop::default()
        };
        config.providers.of(hop).into_owned()
    };
    let hosts: [&[u8]; 3] = [b"a.mx.example", b"mx1.mx.example", b"x.mail.protection.outlook.com"];
    assert_eq!(hosts.map(provider), ["office365", "second", "office365"]);

    let many: String = (0..12)
        .map(|n| format!("[[provider]]\nname = \"p{n}\"\nmx = [\"*.p{n}.example\"]\n"))
        .collect();
    let config = load(&[("mailpulse.toml", &many)]).unwrap();
    assert_eq!(config.warnings.len(), 1, "{:?}", config.warnings);
    assert!(
        config.warnings[0].what.contains("by their domains: "),
        "{:?}",
        config.warnings
    );
}

#[test]
fn who_is_ours_is_read_and_overlaps_are_told() {
    let text = "[ours]\nnetworks = [\"198.51.100.0/24\", \"198.51.100.7\", \"203.0.113.0/28\"]\n\
                outside = [\"203.0.113.0/24\", \"10.9.9.1\"]\nhosts = [\"*.wmnet\"]\ndomains = [\"example.org\"]\n\
                [[hostgroup]]\nname = \"db\"\ninventory = \"inv.csv\"\n";
    let config = load(&[
        ("mailpulse.toml", text),
        ("inv.csv", "host,group\ndb1.example.com,db\n"),
    ])
    .unwrap();
    let ours = &config.ours;
    assert_eq!((ours.networks.len(), ours.outside.len()), (3, 2));
    assert_eq!(
        (&ours.hosts[..], &ours.domains[..]),
        (&["*.wmnet".to_owned()][..], &["example.org".to_owned()][..])
    );
    assert_eq!(ours.members, ["db1.example.com"]);
    let warnings: Vec<&str> = config.warnings.iter().map(|warning| warning.what.as_str()).collect();
    assert_eq!(warnings.len(), 2, "{warnings:?}");
    assert!(
        warnings[0].contains("`198.51.100.7` of `networks` is redundant"),
        "{warnings:?}"
    );
    assert!(warnings[1].contains("`203.0.113.0/28` has no effect"), "{warnings:?}");
}

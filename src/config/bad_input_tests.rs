//! Bad configurations, and exactly what is said of them.

/// What stands in `mailpulse.toml`, and all that is reported.
pub(super) const BAD: &[(&str, &[&str])] = &[
    (
        "[[service]]\n\
         name = \"gerrit\"\n\
         match = [{ snder = \"gerrit@x.org\" }]\n",
        &["mailpulse.toml:3:12: unknown key `snder`; did you mean `sender`?"],
    ),
    (
        "stroe = 1\n\
         retain_days = 3\n\
         [sources]\n\
         [Store]\n",
        &[
            "mailpulse.toml:1:1: unknown key `stroe`; did you mean `store`?",
            "mailpulse.toml:2:1: unknown key `retain_days`; it belongs to [store]",
            "mailpulse.toml:3:2: unknown key `sources`; did you mean `source`?",
            "mailpulse.toml:4:2: unknown key `Store`; did you mean `store`?",
        ],
    ),
    (
        "[store]\n\
         retain_days = \"90\"\n\
         segment_mib_max = 0x1000\n\
         segment_rows_max = 600_000\n\
         url = 3\n",
        &[
            "mailpulse.toml:2:15: `retain_days` is a string, but must be an integer; write a number without quotes",
            "mailpulse.toml:3:19: `segment_mib_max` is out of range; write a number from 1 to 1024",
            "mailpulse.toml:4:20: `segment_rows_max` is out of range; write a number from 1000 to 500000",
            "mailpulse.toml:5:7: `url` is an integer, but must be a string; put it in quotes",
        ],
    ),
    (
        "[store]\n\
         url = \"clickhouse://ch/mail\"\n\
         ship = \"clickhouse://ch/mail\"\n",
        &[
            "mailpulse.toml:3:8: `ship` sends from an embedded store, and `url` is a ClickHouse; keep the events in a \
             folder (`url`), and send them (`ship`)",
        ],
    ),
    (
        "[store]\n\
         url = \"clickhouses://ch:0/mail\"\n\
         ship = \"clickhouse://u:secret@ch/mail\"\n",
        &[
            "mailpulse.toml:2:7: the port is not a number from 1 to 65535; write \
             `clickhouse://user@host:8123/database`, or `clickhouses://…` \
             for TLS",
            "mailpulse.toml:3:8: a password in the URL ends up in process lists and logs; remove it, and set \
             MAILPULSE_CLICKHOUSE_PASSWORD or `password_file` of [clickhouse]",
        ],
    ),
    (
        "[store]\n\
         url = \"file://var/lib/mailpulse\"\n",
        &[
            "mailpulse.toml:2:7: `file://var/lib/mailpulse` has no absolute path; write three slashes: \
             `file:///…`",
        ],
    ),
    (
        "[store]\n\
         url = \"file:///var/mail%20pulse\"\n",
        &["mailpulse.toml:2:7: `file:///var/mail%20pulse` contains `%`; write the path alone, without `file://`"],
    ),
    (
        "[privacy]\n\
         local_parts = \"hsh\"\n\
         key_file = \"\"\n",
        &[
            "mailpulse.toml:2:15: unknown `local_parts = \"hsh\"`; did you mean `hash`?",
            "mailpulse.toml:3:12: `key_file` is empty; remove it: a key is then created in the store",
        ],
    ),
    (
        "[privacy]\n\
         local_parts = true\n",
        &[
            "mailpulse.toml:2:15: `local_parts` is true or false, but must be a string; write one of: \"hash\", \
             \"keep\", \"drop\"",
        ],
    ),
    (
        "[[source]]\n\
         kind = \"postfix\"\n\
         service = \"gerrit\"\n\
         paths = [\"/var/log/mail.log*\"]\n\
         [[source]]\n\
         kind = \"hue\"\n\
         service = \"a b\"\n\
         paths = [\"/var/log/hue/error.log*\"]\n",
        &[
            "mailpulse.toml:3:11: `service` at a source of an MTA, whose log has the mail of many services; remove it, and \
             write a [[service]] rule",
            "mailpulse.toml:7:11: `a b` cannot be the name of a service; use at most 64 letters, digits, `-`, `_`, and dots, and start with a letter or a digit",
        ],
    ),
    (
        "[[source]]\n\
         kind = \"hue\"\n\
         journal = true\n\
         paths = [\"/var/log/hue/error.log*\"]\n\
         [[source]]\n\
         kind = \"postfix\"\n\
         paths = [\"/var/log/mail.log*\"]\n\
         units = [\"postfix@-.service\"]\n\
         [[source]]\n\
         kind = \"postfix\"\n\
         journal = true\n\
         units = [\"postfix@-.service\"]\n\
         identifiers = [\"\"]\n\
         [[source]]\n\
         kind = \"postfix\"\n\
         journal = true\n",
        &[
            "mailpulse.toml:3:11: `journal` at a source of an application, which writes files; remove it and name its \
             files: `paths = […]`",
            "mailpulse.toml:4:10: `paths` at a source that reads the journal; remove `paths`, or write two [[source]]s",
            "mailpulse.toml:8:10: `units` at a source that does not read the journal; add `journal = true`, or remove \
             it",
            "mailpulse.toml:12:10: both `units` and `identifiers` are given; keep one of them: an entry would have to \
             match both",
            "mailpulse.toml:13:16: `` in `identifiers` matches nothing; write it as `journalctl` shows it",
            "mailpulse.toml:16:11: the source at mailpulse.toml:11 already reads this journal; merge them, with all `units` or all `identifiers`",
        ],
    ),
    (
        "[[source]]\n\
         kind = \"exmi\"\n\
         paths = \"/var/log/exim4/mainlog*\"\n",
        &[
            "mailpulse.toml:2:8: unknown `kind = \"exmi\"`; did you mean `exim`?",
            "mailpulse.toml:3:9: `paths` is a string, but must be a list; write `paths = \
             [\"/var/log/exim4/mainlog*\"]`",
        ],
    ),
    (
        "[[source]]\n\
         kind = \"exim\"\n\
         \n\
         [[source]]\n\
         paths = [\"a[\", \"{a,b}/mainlog\", \"/l/{host}/mainlog\", \"\", 3, \"ok\", \"./x/../ok\"]\n",
        &[
            "mailpulse.toml:1:1: [[source]] has no `paths`; add `paths = [\"/var/log/exim4/mainlog*\"]`",
            "mailpulse.toml:4:1: [[source]] has no `kind`; add `kind = …`",
            "mailpulse.toml:5:10: `a[` is not a glob: invalid range pattern; globs of paths support `*`, `?`, `[0-9]`, \
             and `**` as a whole folder",
            "mailpulse.toml:5:16: `{a,b}/mainlog` contains braces, which globs of paths do not support; write one path \
             for each",
            "mailpulse.toml:5:33: `/l/{host}/mainlog` contains `{host}`; write `host_from = \"/l/{host}/mainlog\"`",
            "mailpulse.toml:5:54: `` names no file; write a path or a glob of paths",
            "mailpulse.toml:5:58: `paths` is an integer, but must be a string; put it in quotes",
            "mailpulse.toml:5:67: `./x/../ok` is already defined at mailpulse.toml:5; remove one: a file belongs to \
             one source",
        ],
    ),
    (
        "[[source]]\n\
         kind = \"exim\"\n\
         paths = [\"a\"]\n\
         host = \"mx 1\"\n\
         timezone = \"Europe/Berln\"\n",
        &[
            "mailpulse.toml:4:8: `host = \"mx 1\"` is not a host name; use at most 253 letters, digits, `-`, `_`, and dots",
            "mailpulse.toml:5:12: unknown `timezone = \"Europe/Berln\"`; did you mean `Europe/Berlin`?",
        ],
    ),
    (
        "[[source]]\n\
         kind = \"exim\"\n\
         paths = [\"a\"]\n\
         host = \"mx1\"\n\
         host_from = \"/srv/{host}*/mainlog\"\n\
         timezone = \"+25:00\"\n",
        &[
            "mailpulse.toml:4:8: both `host` and `host_from` are given; keep `host` for one host, `host_from` for \
             many",
            "mailpulse.toml:5:13: `host_from = \"/srv/{host}*/mainlog\"` has a wildcard beside `{host}`, so that the end of the name is ambiguous; put a fixed character between them: `{host}.log*`",
            "mailpulse.toml:6:12: unknown `timezone = \"+25:00\"`; write a name such as `Europe/Berlin`, or an \
             offset such as `+02:00`",
        ],
    ),
    (
        "[source]\n\
         kind = \"exim\"\n",
        &[
            "mailpulse.toml:1:1: `source` is a table, but must be a list; write [[source]], in double \
             brackets",
        ],
    ),
    (
        "[[store]]\n\
         url = \"x\"\n",
        &["mailpulse.toml:1:1: `store` is a list, but must be a table; write [store], in single brackets"],
    ),
    (
        "[[service]]\n\
         name = \"Gerrit\"\n\
         match = [{ sender = \"a@b\" }]\n\
         [[service]]\n\
         name = \"gerrit\"\n\
         match = [{ sender = \"gerrit\", user = \"\" }, {}]\n\
         [[service]]\n\
         name = \"unattributed\"\n\
         match = []\n\
         [[service]]\n\
         name = \"a b\"\n\
         [[service]]\n\
         match = { sender = \"a@b\" }\n",
        &[
            "mailpulse.toml:5:8: service `gerrit` is already defined at mailpulse.toml:2; merge the entries of both into one `match`",
            "mailpulse.toml:6:21: `sender = \"gerrit\"` is not a complete address; write `sender = \"gerrit@*\"`, or \
             `sender_domain` for a domain",
            "mailpulse.toml:6:38: `user = \"\"` is empty; leave the key out",
            "mailpulse.toml:6:44: this entry has no condition; add at least one key: an empty entry would match every mail",
            "mailpulse.toml:8:8: `unattributed` is reserved for mail that matches no service; use another name",
            "mailpulse.toml:8:8: service `unattributed` has an empty `match`; add an entry: `match = [{ sender = \
             \"…\" }]`",
            "mailpulse.toml:10:1: [[service]] has no `match`; add `match = …`",
            "mailpulse.toml:11:8: `a b` cannot be the name of a service; use at most 64 letters, digits, `-`, `_`, and dots, and start with a letter or a digit",
            "mailpulse.toml:12:1: [[service]] has no `name`; add `name = …`",
            "mailpulse.toml:13:9: `match` is a table, but must be a list; write `match = [{ … }]`",
        ],
    ),
    (
        "[[service]]\n\
         name = \"x\"\n\
         match = [{ client = \"10.0.0.1\" }, { network = \"10.0.0.1/8\" }, { client = \"phab[0-9\" }]\n",
        &[
            "mailpulse.toml:3:21: `client = \"10.0.0.1\"` is not a host name; write `client_ip = \"10.0.0.1\"`",
            "mailpulse.toml:3:47: `10.0.0.1/8` has bits set beyond its prefix length; write `10.0.0.0/8`, or \
             `10.0.0.1` for the one host",
            "mailpulse.toml:3:74: `client = \"phab[0-9\"` is not a glob: unclosed character class; missing ']'; \
             globs support `*`, `?`, `[0-9]`, `{a,b}`, and `\\` before a character to mean itself",
        ],
    ),
    (
        "[[hostgroup]]\n\
         name = \"a\"\n\
         [[hostgroup]]\n\
         hosts = [\"x\"]\n\
         [[hostgroup]]\n\
         name = \"b\"\n\
         hosts = [\"10.0.0.0/8\"]\n\
         networks = [\"10.0.0.0/40\"]\n\
         inventory = \"none.json\"\n\
         [[hostgroup]]\n\
         name = \"unattributed\"\n\
         hosts = [\"*\"]\n",
        &[
            "mailpulse.toml:1:1: hostgroup `a` has no hosts; add `hosts`, `networks` or `inventory`",
            "mailpulse.toml:3:1: [[hostgroup]] has no `name`; add `name = …`",
            "mailpulse.toml:7:10: `10.0.0.0/8` is a network; move it to `networks`",
            "mailpulse.toml:8:13: `10.0.0.0/40` is neither network nor address; write it as `10.64.32.0/24`, \
             `2620:0:861::/48` or a single address",
            "mailpulse.toml:9:13: inventory `none.json` cannot be read: No such file or directory (os error 2); \
             correct the path: it is relative to the main configuration file",
            "mailpulse.toml:11:8: `unattributed` is reserved for mail that matches no hostgroup; use another name",
        ],
    ),
    (
        "[[host_alias]]\n\
         name = \"mx 1\"\n\
         also = [\"mx1\"]\n\
         [[host_alias]]\n\
         name = \"mx1\"\n\
         also = []\n\
         [[host_alias]]\n\
         name = \"mx2\"\n\
         also = [\"10.0.0.2\", \"a b\", \"2001:db8::2\"]\n\
         [[host_alias]]\n\
         name = \"mx3\"\n\
         also = [\"10.0.0.2\"]\n\
         [[source]]\n\
         kind = \"gerrit\"\n\
         paths = [\"/x/error_log\"]\n\
         host = \"from-log\"\n",
        &[
            "mailpulse.toml:2:8: `name = \"mx 1\"` is not a host name; use an IP address, or at most 253 letters, digits, `-`, \
             `_`, and dots",
            "mailpulse.toml:5:8: host `mx1` has no other name; add one: `also = [\"10.64.0.5\"]`",
            "mailpulse.toml:9:21: `a b` is neither a host name nor an address; use an IP address, or at most 253 letters, \
             digits, `-`, `_`, and dots",
            "mailpulse.toml:12:9: `10.0.0.2` is already another name of `mx2`, at mailpulse.toml:9; a name stands for one host",
            "mailpulse.toml:16:8: `host = \"from-log\"` is for logs of kind exim and postfix; name the host, or use `host_from`",
        ],
    ),
    (
        "[[provider]]\n\
         name = \"mail.example\"\n\
         mx = [\"*.mail.example\"]\n\
         [[provider]]\n\
         name = \"other\"\n\
         mx = []\n\
         [[provider]]\n\
         name = \"a\"\n\
         mx = [\"mx[0\", \"192.0.2.1\", \"*\"]\n\
         [[provider]]\n\
         name = \"A\"\n\
         mx = [\"*.a.example\"]\n",
        &[
            "mailpulse.toml:2:8: `mail.example` cannot be the name of a provider; use at most 64 letters, digits, \
             `-`, and `_`, and start with a letter or a digit; names with dots are those of domains",
            "mailpulse.toml:5:8: `other` is reserved for providers that have no name; use another name",
            "mailpulse.toml:5:8: provider `other` has an empty `mx`; add a glob: `mx = [\"*.mx.example.org\"]`",
            "mailpulse.toml:9:7: `mx[0` is not a glob: unclosed character class; missing ']'; globs support `*`, `?`, \
             `[0-9]`, `{a,b}`, and `\\` before a character to mean itself",
            "mailpulse.toml:9:15: `192.0.2.1` is an address; providers are known by the names of their hosts",
            "mailpulse.toml:9:28: `*` matches every host; write the part that the names of the provider's hosts have in common",
            "mailpulse.toml:11:8: provider `A` is already defined at mailpulse.toml:8; merge the globs of both into one `mx`",
        ],
    ),
    (
        "[detect]\nowner = \"../x\"\n",
        &[
            "mailpulse.toml:2:9: `owner = \"../x\"` cannot be part of a file's name; write up to 64 letters, digits, `-`, `.`, \
             and `_`, such as `mail-team`",
        ],
    ),
    (
        "[detect]\n\
         false_alarms_per_service_per_90_days = 0\n\
         [[alert]]\n\
         kind = \"mail\"\n\
         url = \"mailto:a@b\"\n\
         [[alert]]\n\
         kind = \"webhook\"\n\
         url = \"ftp://x\"\n\
         [[alert]]\n\
         kind = \"exec\"\n\
         [[alert]]\n\
         kind = \"alertmanager\"\n\
         [[alert]]\n\
         kind = \"pager\"\n",
        &[
            "mailpulse.toml:2:40: `false_alarms_per_service_per_90_days` is out of range; write a number from \
             0.001 to 1000.0",
            "mailpulse.toml:4:8: alarms cannot be sent by mail: mail is what fails in an outage; use alertmanager, webhook, exec, or stdout",
            "mailpulse.toml:8:7: `url = \"ftp://x\"` is not a URL; write `http://host:port/path`",
            "mailpulse.toml:9:1: [[alert]] of kind exec has no `command`; add `command = [\"/path/to/program\"]`",
            "mailpulse.toml:11:1: [[alert]] has no `url`; add `url = \"http://127.0.0.1:9093\"`",
            "mailpulse.toml:14:8: unknown `kind = \"pager\"`; known: alertmanager, webhook, exec, stdout",
        ],
    ),
    (
        "[store\n\
         url = \"a\"\n\
         [privacy]\n\
         local_parts = \"hsh\"\n",
        &[
            "mailpulse.toml:1:7: invalid TOML: unclosed table, expected `]`; see https://toml.io for how it is written",
            "mailpulse.toml:4:15: unknown `local_parts = \"hsh\"`; did you mean `hash`?",
        ],
    ),
    (
        "[store]\n\
         url = \"a\"\n\
         url = \"b\"\n",
        &["mailpulse.toml:3:1: invalid TOML: duplicate key; see https://toml.io for how it is written"],
    ),
    (
        "\"\\u001b[31m\" = 1\n",
        &[
            "mailpulse.toml:1:1: unknown key `\\u{1b}[31m`; known tables: store, privacy, source, service, \
             hostgroup, host_alias, provider, ours, detect, schedule, routes, tail, serve, metrics, clickhouse, alert, heartbeat, silence",
        ],
    ),
    (
        "[[silence]]\n\
         from = \"2018-06-06T18:00Z\"\n\
         [[silence]]\n\
         relay = \"mx*\"\n\
         from = \"2018-06-06T18:00Z\"\n\
         until = \"2018-06-06T17:00Z\"\n\
         hours = \"22\"\n",
        &[
            "mailpulse.toml:1:1: [[silence]] does not define what is silenced; add `service`, `relay`, `hostgroup` or \
             `provider`; `\"*\"` is all of them",
            "mailpulse.toml:6:9: `until` is not after `from`; set a later end",
            "mailpulse.toml:7:9: `hours = \"22\"` is not a range of hours; write it as \"22:00-02:00\"",
        ],
    ),
    (
        "[[source]]\n\
         kind = \"pattern\"\n\
         paths = [\"a\"]\n\
         starts = \"{tme}\"\n\
         [[source.template]]\n\
         outcome = \"failed\"\n\
         text = \"\\\"{time:%H:%M:%S}\\\" {reson}\"\n\
         [[source]]\n\
         kind = \"pattern\"\n\
         paths = [\"b\"]\n\
         [[source.template]]\n\
         outcome = \"faild\"\n\
         text = \"{time:%H:%M:%S} {reason}\"\n\
         txt = 1\n\
         [[source]]\n\
         kind = \"pattern\"\n\
         paths = [\"c\"]\n\
         [[source]]\n\
         kind = \"pattern\"\n\
         paths = [\"d\"]\n\
         [[source.template]]\n\
         outcome = \"other\"\n\
         retried = true\n\
         text = \"no time\"\n",
        &[
            "mailpulse.toml:7:30: template 1: `reson` is not a name (did you mean `reason`?); known are time, level, \
             logger, host, message, key, sender, recipient, recipients, relay, message_id, reason, and `_` for text to skip",
            "mailpulse.toml:12:11: unknown `outcome = \"faild\"`; did you mean `failed`?",
            "mailpulse.toml:14:1: unknown key `txt`; did you mean `text`?",
            "mailpulse.toml:15:1: [[source]] of kind pattern has no `template`; add `[[source.template]]` with \
             `outcome = \"failed\"` and `text = \"{time:%Y-%m-%d %H:%M:%S} …\"`",
            "mailpulse.toml:23:11: `retried` at a template that is not a failure; remove it, or write `outcome = \
             \"failed\"`",
            "mailpulse.toml:24:9: template 1: no `{time:…}` in it; add one, as in `{time:%Y-%m-%d %H:%M:%S}`, or set `undated = true` if the log has no times",
        ],
    ),
    (
        "[[source]]\n\
         kind = \"json\"\n\
         paths = [\"a\"]\n\
         failed_when = [\n\
         { exception.class = \"Net::*\" },\n\
         { x = { contains = \"\" } },\n\
         { y = 3 },\n\
         ]\n\
         [source.fields]\n\
         time = \"t\"\n\
         tme_format = \"epoch\"\n\
         [[source]]\n\
         kind = \"json\"\n\
         paths = [\"b\"]\n\
         failed_when = [{ x = { contains = \"\" } }, { y = \"*\" }]\n\
         [[source]]\n\
         kind = \"json\"\n\
         paths = [\"c\"]\n\
         failed_when = [{}, { x = {} }, { y = { equals = \"a\", glob = \"b*\" } }]\n\
         [[source]]\n\
         kind = \"json\"\n\
         paths = [\"d\"]\n\
         fields = { time = \"t\", time_format = \"%H:%\" }\n\
         failed_when = [{ x = \"y\" }]\n\
         [[source]]\n\
         kind = \"json\"\n\
         paths = [\"e\"]\n\
         starts = \"x\"\n\
         [source.fields]\n\
         time = \"a..b\"\n",
        &[
            "mailpulse.toml:5:13: unknown key `class`; known are equals, contains, glob, present; a field inside \
             another is written in quotes, `\"exception.class\" = …`",
            "mailpulse.toml:7:7: `y` is an integer, but must be a string; put it in quotes",
            "mailpulse.toml:11:1: unknown key `tme_format`; did you mean `time_format`?",
            "mailpulse.toml:15:16: failed_when 1: `` of `x` matches every text; to test whether the field exists, \
             use `present`",
            "mailpulse.toml:19:26: a condition without a test, or with several; write one of `equals`, `contains`, `glob` \
             and `present`",
            "mailpulse.toml:19:38: a condition without a test, or with several; write one of `equals`, `contains`, `glob` \
             and `present`",
            "mailpulse.toml:23:42: time_format: unknown directive; known are %Y %y %m %-m %d %-d %e %b %B %a %A %H \
             %-H %k %I %-I %l %M %S %f %3f %6f %9f %L %p %z %:z %Z %s %T %F %R %D %%",
            "mailpulse.toml:25:1: [[source]] of kind json does not define which records are about mail; add \
             `failed_when = [{ field = \"text\" }]`, `submitted_when` or both",
            "mailpulse.toml:28:10: `starts` at a source of kind json, which is read without it; remove it, or write \
             `kind = \"pattern\"`",
        ],
    ),
    (
        "[[source]]\n\
         kind = \"exim\"\n\
         paths = [\"a\"]\n\
         undated = true\n\
         fields = { time = \"t\" }\n\
         failed_when = [{ x = \"y\" }]\n\
         [[source.template]]\n\
         outcome = \"failed\"\n\
         text = \"x\"\n\
         [[source]]\n\
         kind = \"pattern\"\n\
         paths = [\"b\"]\n\
         [source.template]\n\
         outcome = \"failed\"\n\
         text = \"x\"\n",
        &[
            "mailpulse.toml:4:11: `undated` at a source of kind exim, which is read without it; remove it, or write \
             `kind = \"pattern\"`",
            "mailpulse.toml:5:10: `fields` at a source of kind exim, which is read without it; remove it, or write \
             `kind = \"json\"`",
            "mailpulse.toml:6:16: `failed_when` at a source of kind exim, which is read without it; remove it, or \
             write `kind = \"json\"`",
            "mailpulse.toml:7:1: `template` at a source of kind exim, which is read without it; remove it, or write \
             `kind = \"pattern\"`",
            "mailpulse.toml:13:1: `template` is a table, but must be a list; write [[source.template]], in double brackets",
        ],
    ),
    (
        "[detect]\n\
         timezone = \"Europe/Berlinn\"\n\
         holidays = \"de.ics\"\n\
         [routes]\n\
         relays_min = 0\n\
         [[service]]\n\
         name = \"hue\"\n\
         match = [{ sender = \"hue@x.org\" }]\n\
         relays_min = \"two\"\n\
         timezone = \"+2\"\n\
         holidays = [\"nowhere.txt\"]\n\
         [[alert]]\n\
         kind = \"stdout\"\n\
         ca_file = \"ca.pem\"\n\
         [[alert]]\n\
         kind = \"webhook\"\n\
         url = \"http://127.0.0.1\"\n\
         ca_file = \"ca.pem\"\n",
        &[
            "mailpulse.toml:2:12: unknown `timezone = \"Europe/Berlinn\"`; did you mean `Europe/Berlin`?",
            "mailpulse.toml:3:12: `holidays` is a string, but must be a list; write `holidays = [\"de.ics\"]`",
            "mailpulse.toml:5:14: `relays_min` is out of range; write a number from 1 to 100",
            "mailpulse.toml:9:14: `relays_min` is a string, but must be an integer; write a number without quotes",
            "mailpulse.toml:10:12: unknown `timezone = \"+2\"`; write a name such as `Europe/Berlin`, or an offset such \
             as `+02:00`",
            "mailpulse.toml:11:13: holidays `nowhere.txt` cannot be read: No such file or directory (os error 2); \
             correct the path: it is relative to the main configuration file",
            "mailpulse.toml:14:11: `ca_file` is for Alertmanagers and webhooks; remove it",
            "mailpulse.toml:18:11: `ca_file` requires TLS; write `https://` in `url`, or remove it",
        ],
    ),
    (
        "[ours]\n\
         networks = [\"10.1.0.0/16\", \"198.51.100.0/33\", \"0.0.0.0/0\"]\n\
         outside = [\"10.1.0.0/16\"]\n\
         hosts = [\"*\", \"a b\", \"10.0.0.0/8\"]\n\
         domains = [\"*.*\", \"x@y.org\"]\n",
        &[
            "mailpulse.toml:2:13: `10.1.0.0/16` is in `networks` and, at mailpulse.toml:3, in `outside`; remove it from \
             one of the two lists",
            "mailpulse.toml:2:28: `198.51.100.0/33` is neither network nor address; write it as `10.64.32.0/24`, \
             `2620:0:861::/48` or a single address",
            "mailpulse.toml:2:47: `0.0.0.0/0` makes every client ours; list only your own: mail from everywhere else is \
             then the world's",
            "mailpulse.toml:4:10: `*` makes every host ours; list only your own: mail from everywhere else is then the \
             world's",
            "mailpulse.toml:4:15: `a b` is not a host name; write a name, a glob or an address",
            "mailpulse.toml:4:22: `10.0.0.0/8` is a network; move it to `networks`",
            "mailpulse.toml:5:12: `*.*` makes every domain ours; list the domains whose mail stays with you",
            "mailpulse.toml:5:19: `x@y.org` is not a domain; write a domain such as `example.org`, or a glob such as \
             `*.example.org`",
        ],
    ),
    (
        "[ours]\n\
         networks = [\"0.0.0.0/1\", \"128.0.0.0/1\"]\n\
         [[service]]\n\
         name = \"inbound\"\n\
         match = [{ client = \"x\" }]\n",
        &[
            "mailpulse.toml:2:13: together, these networks make every client ours; list only your own: mail from \
             everywhere else is then the world's",
            "mailpulse.toml:4:8: `inbound` is reserved for mail from the outside; use another name",
        ],
    ),
    (
        "[[schedule]]\n\
         service = \"backup\"\n\
         time = \"6.10\"\n\
         timezone = \"Europe/Berlim\"\n\
         [[schedule]]\n\
         service = \"\"\n\
         time = \"23:50\"\n\
         days = []\n\
         [[schedule]]\n\
         time = \"06:10\"\n\
         grace_minutes = 400\n",
        &[
            "mailpulse.toml:3:8: `time = \"6.10\"` is not a time of day; write it as \"06:10\"",
            "mailpulse.toml:4:12: unknown `timezone = \"Europe/Berlim\"`; did you mean `Europe/Berlin`?",
            "mailpulse.toml:6:11: `service` is empty; write the name of a service, as `mailpulse services` shows it",
            "mailpulse.toml:7:8: `days` has no day, so that no mail is ever due; name days such as \"mon\", or remove \
             `days` for every day",
            "mailpulse.toml:9:1: [[schedule]] has no `service`; add `service = …`",
            "mailpulse.toml:11:17: `grace_minutes` is out of range; write a number from 1 to 360",
        ],
    ),
    (
        "[[schedule]]\n\
         service = \"backup\"\n\
         time = \"23:55\"\n\
         days = [\"sun\"]\n\
         [[schedule]]\n\
         service = \"backup\"\n\
         time = \"00:10\"\n\
         days = [\"mon\"]\n\
         [[schedule]]\n\
         service = \"backup\"\n\
         time = \"23:55\"\n\
         days = [\"mon\"]\n",
        &[
            "mailpulse.toml:5:1: the time of this [[schedule]] of `backup` overlaps with that of mailpulse.toml:1: one \
             mail would count for both; lower `grace_minutes`, or give the mails services of their own",
        ],
    ),
];

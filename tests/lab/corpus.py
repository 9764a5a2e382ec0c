#!/usr/bin/env python3
"""Makes parsers/corpus/*/real-*.log from laboratory runs:

    python3 tests/lab/exim_lab.py --out DIR --selector default,all,wikimedia
    python3 tests/lab/corpus.py exim DIR parsers/corpus/exim
    python3 tests/lab/postfix_lab.py --out DIR --ids short,long
    python3 tests/lab/corpus.py postfix DIR parsers/corpus/postfix

The lines are Exim's and Postfix's own. Changed are only the laboratory's folder (to Debian's usual paths) and, in
Exim's real-new-ids.log, the message IDs. Of the connection lines, which repeat for every mail, some are left out.
"""
import json
import os
import re
import sys
from collections import Counter

sys.dont_write_bytecode = True
import header_variants  # noqa: E402

REPEATED = re.compile(rb"TCP/IP connection count|closed by QUIT|no host name found|no MAIL in SMTP|incomplete transaction"
                      rb"|: disconnect from|: connect from")
EACH_MAX = 8
EXIM_PATHS = ((b"/exim.conf", b"/etc/exim4/exim4.conf"), (b"/spool", b"/var/spool/exim4"), (b"/files", b"/var/mail"))
POSTFIX_PATHS = ((b"/conf", b"/etc/postfix"), (b"/spool", b"/var/spool/postfix"), (b"/files", b"/var/mail"),
                 (b"/root", b""), (b"", b"/etc/postfix"))


def scrubbed(path, log, paths):
    with open(os.path.join(path, "truth.json")) as source:
        work = json.load(source)["lab"]["work"].encode()
    seen = Counter()
    with open(os.path.join(path, log), "rb") as source:
        for line in source:
            repeated = REPEATED.search(line)
            seen[repeated and repeated.group(0)] += 1
            if repeated and seen[repeated.group(0)] > EACH_MAX:
                continue
            for ours, usual in paths:
                line = line.replace(work + ours, usual)
            assert work not in line, line
            yield line


def exim(runs):
    logs = {name: list(scrubbed(os.path.join(runs, name), "mainlog", EXIM_PATHS))
            for name in ("default", "all", "wikimedia")}
    logs["new-ids"] = list(header_variants.rewrite_ids(logs["default"], "new"))
    return logs


def postfix(runs):
    return {name: list(scrubbed(os.path.join(runs, name), log, POSTFIX_PATHS))
            for name, log in (("short", "mail.log"), ("long", "mail.rfc3339.log"))}


def main(which, runs, target):
    for name, lines in {"exim": exim, "postfix": postfix}[which](runs).items():
        with open(os.path.join(target, "real-%s.log" % name), "wb") as out:
            out.writelines(lines)


if __name__ == "__main__":
    main(*sys.argv[1:])

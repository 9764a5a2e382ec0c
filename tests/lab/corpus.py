#!/usr/bin/env python3
"""Makes parsers/corpus/exim/real-*.log from laboratory runs:

    python3 tests/lab/exim_lab.py --out DIR --selector default,all,wikimedia
    python3 tests/lab/corpus.py DIR parsers/corpus/exim

The lines are Exim's own. Changed are only the laboratory's folder (to Debian's usual paths) and, in
real-new-ids.log, the message IDs. Of the connection lines, which repeat for every mail, some are left out.
"""
import json
import os
import re
import sys
from collections import Counter

sys.dont_write_bytecode = True
import header_variants  # noqa: E402

REPEATED = re.compile(rb"TCP/IP connection count|closed by QUIT|no host name found|no MAIL in SMTP|incomplete transaction")
EACH_MAX = 8


def scrubbed(path):
    with open(os.path.join(path, "truth.json")) as source:
        work = json.load(source)["lab"]["work"].encode()
    seen = Counter()
    with open(os.path.join(path, "mainlog"), "rb") as source:
        for line in source:
            repeated = REPEATED.search(line)
            seen[repeated and repeated.group(0)] += 1
            if repeated and seen[repeated.group(0)] > EACH_MAX:
                continue
            for ours, usual in ((b"/exim.conf", b"/etc/exim4/exim4.conf"), (b"/spool", b"/var/spool/exim4"),
                                (b"/files", b"/var/mail")):
                line = line.replace(work + ours, usual)
            assert work not in line, line
            yield line


def main(runs, target):
    logs = {name: list(scrubbed(os.path.join(runs, name))) for name in ("default", "all", "wikimedia")}
    logs["new-ids"] = list(header_variants.rewrite_ids(logs["default"], "new"))
    for name, lines in logs.items():
        with open(os.path.join(target, "real-%s.log" % name), "wb") as out:
            out.writelines(lines)


if __name__ == "__main__":
    main(*sys.argv[1:])

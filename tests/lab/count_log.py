#!/usr/bin/env python3
"""Does a laboratory's log say what its truth.json says? For whoever changes the scenario:

    count_log.py DIR          (of a run with file logs; prints differences by sender, exit code 1 if any)

Counts flags by plain pattern matching: a second opinion for this scenario, not a parser for real logs.
"""
import json
import os
import re
import sys
from collections import Counter, defaultdict

LINE = re.compile(r"\S+ \S+(?: [+-]\d{4})?(?: \[\d+\])? (?:(\w{6}-\w{6}-\w{2}) )?(.*)")
FLAGS = {"<=": "messages", "(=": "messages", "**": "bounced", ">>": "cutthrough", "*>": "suppressed"}


def kind(flag, rest):
    if flag == "==":
        return "retry_not_reached" if "retry time not reached" in rest else "deferred_attempts"
    if flag in FLAGS:
        return FLAGS[flag]
    if "T=remote_smtp" in rest:
        return "delivered"
    if re.match(r":?blackhole", rest):
        return "blackholed"
    return {"|": "pipe", "/": "file", ">": "autoreply"}.get(rest[0], "local")


def counted(path):
    senders, counts = {}, defaultdict(Counter)
    with open(path, encoding="utf-8") as log:
        lines = [LINE.match(line).groups() for line in log]
    for queue_id, text in lines:                  # first, because `>>` stands before its `<=`
        found = re.match(r'[<(]= ("[^"]*"@\S+|\S+)', text)
        if queue_id and found:
            senders[queue_id] = found.group(1)
    for queue_id, text in lines:
        flag, _, rest = text.partition(" ")
        named = re.search(r" F=<(.*?)> (?:temporarily )?rejected|MAIL (?:FROM:)?<(.*?)>|rejected from <(.*?)>", text)
        sender = next((g for g in named.groups() if g), "-") if named else senders.get(queue_id, "-")
        count = counts[sender]
        if flag in ("<=", "(=", "=>", "->", ">>", "*>", "**", "=="):
            count[kind(flag, rest)] += 1
            count["fakereject"] += flag == "(="
        elif re.match(r"Completed\b", text):
            count["completed"] += 1
        elif text.startswith("Frozen ("):
            count["frozen"] += 1
        elif text.startswith("cancelled by"):
            count["cancelled"] += 1
        elif "discarded by RCPT ACL" in text:
            counts[re.search(r"F=<(.*?)>", text).group(1)]["discarded"] += 1
        elif "temporarily rejected" in text:
            count["temp_rejected"] += 1
        elif re.search(r"\brejected ", text):
            count["rejected"] += 1
    return counts


def main(path):
    with open(os.path.join(path, "truth.json")) as source:
        truth = json.load(source)["senders"]
    log = counted(os.path.join(path, "mainlog"))
    wrong = 0
    for sender in sorted(set(truth) | set(log)):
        for key in next(iter(truth.values())):
            said, found = truth.get(sender, {}).get(key, 0), log[sender][key]
            if key != "recipients" and said != found:      # no line of the default log tells recipients
                print("%s: %s: truth says %d, the log %d" % (sender, key, said, found))
                wrong = 1
    return wrong


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))

#!/usr/bin/env python3
"""Rewrites one real Exim main log into the forms that its lines can have on other hosts.

    header_variants.py MAINLOG OUTDIR [--ids old|new] [--host mx1001]

MAINLOG comes from a run with `+all` (exim_lab.py --selector all): its headers have milliseconds and a
process number, in UTC. OUTDIR gets one file a form:

    plain.log    2026-11-23 05:43:48 1xVM…
    ms.log       2026-11-23 05:43:48.187 1xVM…
    zone.log     2026-11-23 05:43:48 +0000 1xVM…
    pid.log      2026-11-23 05:43:48 [16300] 1xVM…
    all.log      2026-11-23 05:43:48.187 +0000 [16300] 1xVM…
    syslog.log   Nov 23 05:43:48 mx1001 exim[16300]: 2026-11-23 05:43:48 1xVM…    (RFC 3164, double timestamp)
    rfc3339.log  2026-11-23T05:43:48.187000+00:00 mx1001 exim[16300]: 2026-11-23 05:43:48 1xVM…

and those whose heads and wrappers are rarer, each around the plain line or the one of a syslog form:

    rfc5424 busybox precise shortfull shortunix year nohost level freebsd aix solaris forwarded spaced    heads
    tag nested nestedtag                                    another tag, a head in a head, a container of that name
    docker cri compose dated composedated                   wrappers around the plain line
    dockersyslog crisyslog composesyslog dockercompose      wrappers around a head, and around a wrapper
    journal                                                 journalctl -o json

A line's text is the same in all of them, so they must give the same events (but for milliseconds, which
only ms, all and rfc3339 have). In the syslog forms lines over 870 bytes are split as Exim's
write_syslog() does it, so these files can have more lines.

--ids rewrites message IDs through the whole file: `1xVMqC-0004Eu-0Y` (up to 4.96) to
`1xVMqC-000000004Eu-04QC` (from 4.97 on), or back.
"""
import argparse
import datetime
import json
import os
import re
import sys

HEADER = re.compile(rb"(\d{4}-\d\d-\d\d) (\d\d:\d\d:\d\d)(?:\.(\d{3}))?(?: ([+-]\d{4}))?(?: \[(\d+)\])? (.*)", re.S)
MONTHS = b"Jan Feb Mar Apr May Jun Jul Aug Sep Oct Nov Dec".split()
SYSLOG_BYTES_MAX = 870
DIGITS = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
OLD_ID, NEW_ID = rb"[0-9A-Za-z]{6}-[0-9A-Za-z]{6}-[0-9A-Za-z]{2}", rb"[0-9A-Za-z]{6}-[0-9A-Za-z]{11}-[0-9A-Za-z]{4}"


def stamped(ms=False, zone=False, pid=False):
    def form(h):
        return [h["date"] + b" " + h["time"] + (b"." + h["ms"] if ms else b"") + (b" " + h["zone"] if zone else b"")
                + (b" [" + h["pid"] + b"]" if pid else b"") + b" " + h["text"]]
    return form


def split(line):
    """As write_syslog(): only the first piece has Exim's own timestamp."""
    pieces = [line[i:i + SYSLOG_BYTES_MAX] for i in range(0, len(line), SYSLOG_BYTES_MAX)]
    if len(pieces) == 1:
        return pieces
    return [b"[%d/%d] %s" % (n, len(pieces), piece) for n, piece in enumerate(pieces, 1)]


def syslog(rfc3339):
    def form(h):
        year, month, day = h["date"].split(b"-")
        if rfc3339:
            stamp = h["date"] + b"T" + h["time"] + b"." + h["ms"] + b"000+00:00"
        else:
            stamp = b"%s %2d %s" % (MONTHS[int(month) - 1], int(day), h["time"])
        prefix = b"%s %s exim[%s]: " % (stamp, h["host"], h["pid"])
        return [prefix + piece for piece in split(stamped()(h)[0])]
    return form


def headed(head, tag=b"exim"):
    """A head in bytes with the fields of a line: `{stamp}` is RFC 3164's, `{t}` RFC 3339's time."""
    def form(h):
        year, month, day = h["date"].split(b"-")
        name = MONTHS[int(month) - 1]
        values = {b"date": h["date"], b"time": h["time"], b"ms": h["ms"], b"host": h["host"], b"pid": h["pid"],
                  b"year": year, b"stamp": b"%s %2d %s" % (name, int(day), h["time"]),
                  b"day": b"%s %2d" % (name, int(day)), b"tag": tag, b"weekday": weekday(h["date"]),
                  b"t": h["date"] + b"T" + h["time"] + b"." + h["ms"] + b"000+00:00", b"unix": epoch(h)}
        prefix = re.sub(rb"\{(\w+)\}", lambda m: values[m.group(1)], head)
        return [prefix + piece for piece in split(stamped()(h)[0])]
    return form


def moment(h):
    text = (h["date"] + b" " + h["time"]).decode()
    return datetime.datetime.strptime(text, "%Y-%m-%d %H:%M:%S").replace(tzinfo=datetime.timezone.utc)


def epoch(h):
    return b"%d" % moment(h).timestamp()


def weekday(date):
    return b"Mon Tue Wed Thu Fri Sat Sun".split()[datetime.date.fromisoformat(date.decode()).weekday()]


def nano(h):
    return h["date"] + b"T" + h["time"] + b"." + h["ms"] + b"000000Z"


def wrapped(inner, wrap):
    def form(h):
        return [wrap(h, line) for line in inner(h)]
    return form


def docker(h, line):
    # As Docker does it: what is no UTF-8 is replaced.
    entry = {"log": line.decode("utf-8", "replace") + "\n", "stream": "stdout", "time": nano(h).decode()}
    return json.dumps(entry, separators=(",", ":")).encode()


def cri(h, line):
    return nano(h) + b" stdout F " + line


def compose(h, line):
    return b"exim-1  | " + line


def dated(h, line):
    return nano(h) + b" " + line


def journal(h):
    entries = []
    for piece in split(stamped()(h)[0]):
        journal.number += 1
        entry = {"__CURSOR": "s=0639;i=%x;b=1;m=1;t=1;x=1" % journal.number,
                 "__REALTIME_TIMESTAMP": epoch(h).decode() + h["ms"].decode() + "000", "_HOSTNAME": h["host"].decode(),
                 "SYSLOG_IDENTIFIER": "exim", "_PID": h["pid"].decode(), "MESSAGE": list(piece)}
        entries.append(json.dumps(entry).encode())
    return entries


journal.number = 0

HEADS = {
    "rfc5424": headed(b"<22>1 {t} {host} exim {pid} - - "),
    "busybox": headed(b"{stamp} {host} mail.info exim[{pid}]: "),
    "precise": headed(b"{stamp}.{ms}000 {host} exim[{pid}]: "),
    "shortfull": headed(b"{weekday} {date} {time} UTC {host} exim[{pid}]: "),
    "shortunix": headed(b"{unix}.{ms}000 {host} exim[{pid}]: "),
    "year": headed(b"{year} {stamp} {host} exim[{pid}]: "),
    "nohost": headed(b"{stamp} exim[{pid}]: "),
    "level": headed(b"{t} INFO    exim[{pid}]: "),
    "freebsd": headed(b"{stamp} <mail.info> {host} exim[{pid}]: "),
    "aix": headed(b"{stamp} {host} mail:info exim[{pid}]: "),
    "solaris": headed(b"{stamp} {host} exim[{pid}]: [ID 197553 mail.info] "),
    "forwarded": headed(b"{stamp} loghost Message forwarded from {host}: exim[{pid}]: "),
    "spaced": headed(b"{date} {time} {host} exim[{pid}]: "),
    "tag": headed(b"{stamp} {host} mailer[{pid}]: "),
    "nested": headed(b"{stamp} loghost docker[1]: {stamp} {host} exim[{pid}]: "),
    "nestedtag": headed(b"{stamp} loghost exim[1]: {stamp} {host} exim[{pid}]: "),
}
WRAPPERS = {
    "docker": wrapped(stamped(), docker),
    "cri": wrapped(stamped(), cri),
    "compose": wrapped(stamped(), compose),
    "dated": wrapped(stamped(), dated),
    "composedated": wrapped(wrapped(stamped(), dated), compose),
    "dockersyslog": wrapped(syslog(False), docker),
    "crisyslog": wrapped(syslog(False), cri),
    "composesyslog": wrapped(syslog(False), compose),
    "dockercompose": wrapped(wrapped(stamped(), compose), docker),
}

FORMS = {"plain": stamped(), "ms": stamped(ms=True), "zone": stamped(zone=True), "pid": stamped(pid=True),
         "all": stamped(True, True, True), "syslog": syslog(False), "rfc3339": syslog(True),
         **HEADS, **WRAPPERS, "journal": journal}


def rewrite(lines, form, host=b"mx1001"):
    """Lines of one file in another form. What has no header (there should be none) is passed on."""
    for line in lines:
        found = HEADER.match(line.rstrip(b"\n"))
        if not found:
            yield line
            continue
        date, time, ms, zone, pid, text = found.groups()
        if zone not in (None, b"+0000"):
            raise SystemExit("header_variants: the log must be in UTC")
        fields = dict(date=date, time=time, ms=ms or b"000", zone=b"+0000", pid=pid or b"1", text=text, host=host)
        for out in form(fields):
            yield out + b"\n"


def base62(number, width):
    out = b""
    for _ in range(width):
        number, digit = divmod(number, 62)
        out = DIGITS[digit:digit + 1] + out
    return out


def number(text):
    value = 0
    for digit in text:
        value = value * 62 + DIGITS.index(digit)
    return value


def to_new(old):
    """The last part counts units of 500 µs in the old form, and of 1 µs in the new one."""
    seconds, pid, tick = old.split(b"-")
    return seconds + b"-" + pid.rjust(11, b"0") + b"-" + base62(number(tick) * 500, 4)


def to_old(new):
    seconds, pid, tick = new.split(b"-")
    return seconds + b"-" + pid[-6:] + b"-" + base62(number(tick) // 500, 2)


def rewrite_ids(lines, to):
    """All IDs that messages of this log have, wherever they stand (`R=`, `E…@host`, `-Mc`, confirmations),
    and those that a relay gave (`250 OK id=`)."""
    known, convert = (OLD_ID, to_new) if to == "new" else (NEW_ID, to_old)
    mine, taken = {}, {}
    # The header position, and the places where another message is named
    named = re.compile(rb"(?:^[-\d]{10} [\d:.]{8,12}(?: [+-]\d{4})?(?: \[\d+\])? |\bR=|\bid=)(%s)(?![\w-])" % known)
    for line in lines:
        for found in named.findall(line):
            new = mine[found] = convert(found)
            if taken.setdefault(new, found) != found:
                raise SystemExit("header_variants: two IDs would become %s" % new.decode())
    anywhere = re.compile(rb"(?<![0-9A-Za-z-])(E?)(%s)(?![0-9A-Za-z-])" % known)
    for line in lines:
        yield anywhere.sub(lambda m: m.group(1) + mine.get(m.group(2), m.group(2)), line)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("mainlog")
    parser.add_argument("outdir")
    parser.add_argument("--ids", choices=("old", "new"))
    parser.add_argument("--host", default="mx1001", help="the syslog forms' host")
    args = parser.parse_args()
    with open(args.mainlog, "rb") as source:
        lines = source.read().splitlines(keepends=True)
    if not any(HEADER.match(line) for line in lines):
        sys.exit("header_variants: %s is no Exim main log" % args.mainlog)
    if args.ids:
        lines = list(rewrite_ids(lines, args.ids))
    os.makedirs(args.outdir, exist_ok=True)
    for name, form in FORMS.items():
        with open(os.path.join(args.outdir, name + ".log"), "wb") as target:
            target.writelines(rewrite(lines, form, args.host.encode()))


if __name__ == "__main__":
    main()

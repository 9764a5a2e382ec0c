#!/usr/bin/env python3
"""A laboratory with a real Exim: sends a scripted scenario through it on loopback and keeps its log,
together with what really happened.

    python3 tests/lab/exim_lab.py --out DIR [--selector NAME[,NAME…]] [--relay]

One selector writes DIR/mainlog and DIR/truth.json; several run side by side, each into DIR/NAME/.
With --relay: a sender's Exim, a relay's Exim, and a time in which the relay is down (relay.py).
Needs root and Debian's exim4-daemon-heavy; exit code 77 if either is missing. Nothing is left
running, and nothing outside --out and a temporary folder is written (`syslog`: /dev/log while it runs).
"""
import argparse
import os
import pwd
import shutil
import signal
import subprocess
import sys
import time

sys.dont_write_bytecode = True
import header_variants  # noqa: E402
import mta  # noqa: E402
import relay  # noqa: E402
from scenario import Scenario  # noqa: E402
from sink import Sink  # noqa: E402
from syslogd import DEV_LOG, Syslogd  # noqa: E402
from truth import Truth  # noqa: E402


def need(condition, what):
    if not condition:
        print("\n*** exim_lab: SKIPPED: %s ***\n" % what, file=sys.stderr)
        sys.exit(77)


def open_sink(tls):
    """The sink with all its ports, and the @NAME@s of exim.conf.in."""
    sink = Sink(tls)
    ports = {"SINK": sink.listen("sink"), "FLAKY": sink.listen("flaky", "127.0.0.14"),
             "SECOND": sink.listen("second", "127.0.0.17"),
             "SINKCHUNK": sink.listen("chunk", "127.0.0.15", features=["CHUNKING"])}
    if tls:
        ports["SINKTLS"] = sink.listen("tls", "127.0.0.16", features=["STARTTLS"])
    if mta.has_ipv6():
        ports["SINKV6"] = sink.listen("v6", "::1")
    # Bound and not listening: connection refused, and nobody else gets the port
    ports["REFUSED"] = sink.listen("refused", "127.0.0.11", later=True)
    ports["LATE"] = sink.listen("late", "127.0.0.12", later=True)
    ports["EXPIRE"] = sink.listen("expire", "127.0.0.13", later=True)
    return sink, ports


def one_run(out, selector, work):
    tls = mta.self_signed(work)
    sink, ports = open_sink(tls)
    syslogd, converted = None, False
    if selector.startswith("syslog"):
        if os.path.exists(DEV_LOG):
            print("exim_lab: %s exists: logging to a file, then converting" % DEV_LOG, file=sys.stderr)
            selector, converted = {"syslog": "pid", "syslog-all": "all"}[selector], True
        else:
            syslogd = Syslogd(os.path.join(work, "log"), mta.HOST.split(".")[0])
    exim = mta.Exim(work, selector, ports=ports, tls=tls)
    started = time.time()
    try:
        exim.start()
        truth = Truth()
        scenario = Scenario(exim, sink, truth)
        for part in Scenario.PARTS:
            part(scenario)
            exim.keep_queue()
        left = exim.senders_left()
    finally:
        exim.stop()
        mta.kill_leftovers()
        sink.close()
        if syslogd:
            syslogd.close()
        mta.keep_logs(work, out)
    if converted:
        log = os.path.join(out, "mainlog")
        with open(log, "rb") as source:
            lines = source.read().splitlines(keepends=True)
        with open(log, "wb") as target:
            target.writelines(header_variants.rewrite(lines, header_variants.FORMS["syslog"]))
    truth.from_journal(sink.journal)
    truth.close_messages(left)
    witness(work, truth)
    return truth.write(os.path.join(out, "truth.json"), sink.journal, selector=selector, host=mta.HOST,
                       exim=exim.version(), tls=bool(tls), ipv6=exim.v6, timezone="UTC", work=work,
                       syslog="converted" if converted else "real" if syslogd else None,
                       started=started, ended=time.time())


def witness(work, truth):
    """The files that deliveries wrote must say what the scenario declared."""
    def count(name, line):
        path = os.path.join(work, "files", name)
        with open(path, "rb") as source:
            return sum(l.startswith(line) for l in source)

    totals = {key: sum(c[key] for c in truth.senders.values()) for key in ("local", "file", "pipe")}
    found = {"local": count("alice", b"From ") + count("other", b"From ") + 1,  # + 1: the robot keeps no copy
             "file": count("archive", b"From ") + count("vacation", b"From "), "pipe": count("pipe-runs", b"run")}
    if totals != found:
        raise SystemExit("exim_lab: declared %s, but the files say %s" % (totals, found))


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", required=True, help="folder for the logs and truth.json")
    parser.add_argument("--selector", default="default", help="of %s; several with commas" % ", ".join(mta.LOGS))
    parser.add_argument("--relay", action="store_true", help="a sender's Exim and a relay's Exim")
    args = parser.parse_args()
    need(os.path.exists(mta.EXIM), "no %s: apt-get install exim4-daemon-heavy" % mta.EXIM)
    need(os.geteuid() == 0, "Exim changes its user, so this needs root")
    try:
        pwd.getpwnam("Debian-exim")
    except KeyError:
        need(False, "no user Debian-exim: apt-get install exim4-daemon-heavy")
    names = args.selector.split(",")
    for name in names:
        if name not in mta.LOGS:
            parser.error("unknown selector %s; there are %s" % (name, ", ".join(mta.LOGS)))
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))    # so that `finally` runs, and no Exim stays
    if len(names) > 1:
        sys.exit(side_by_side(args, names))
    mta.become_reaper()
    out, work = os.path.abspath(args.out), mta.folder()
    try:
        totals = relay.run(out, names[0], work) if args.relay else one_run(out, names[0], work)
    finally:
        mta.kill_leftovers()
        shutil.rmtree(work, ignore_errors=True)
    print("exim_lab: %s: %s" % (names[0], ", ".join("%s %s" % i for i in totals.items())), file=sys.stderr)


def side_by_side(args, names):
    """Each selector in a process of its own; those that need /dev/log one after the other."""
    def start(name):
        return subprocess.Popen([sys.executable, os.path.abspath(__file__), "--selector", name, "--out",
                                 os.path.join(args.out, name), *(["--relay"] if args.relay else [])])

    children = []
    try:
        children += [start(name) for name in names if not name.startswith("syslog")]
        for name in (name for name in names if name.startswith("syslog")):
            children.append(start(name))
            children[-1].wait()
        return 2 if any([child.wait() for child in children]) else 0
    finally:
        for child in children:
            if child.poll() is None:
                child.terminate()
                child.wait()


if __name__ == "__main__":
    main()

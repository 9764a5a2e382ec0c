#!/usr/bin/env python3
"""A laboratory with a real Postfix: sends a scripted scenario through it on loopback and keeps its log,
together with what really happened.

    python3 tests/lab/postfix_lab.py --out DIR [--ids short|long|short,long] [--exim]

Writes DIR/mail.log (RFC 3164), DIR/mail.rfc3339.log (the same lines), DIR/truth.json and, where pflogsumm is
installed, DIR/pflogsumm.json with its totals; with both forms of queue ID each has a folder, DIR/short and DIR/long.
With --exim: an Exim that hands all its mail to the Postfix, and a time in which that is down (relay.py): DIR/sender,
DIR/relay and DIR/truth.json.
Needs root (exit code 77 without). Nothing is left running, and nothing outside --out, a temporary folder and the
cache (MAILPULSE_LAB, else ~/.cache/mailpulse-lab) is written; the user postfix and the group postdrop are made.
"""
import argparse
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time

sys.dont_write_bytecode = True
import mta  # noqa: E402
import postfix  # noqa: E402
import relay  # noqa: E402
from exim_lab import need  # noqa: E402
from postfix_scenario import KEYS, PostfixScenario  # noqa: E402
from sink import Sink  # noqa: E402
from truth import Truth  # noqa: E402

PFLOGSUMM = "/usr/sbin/pflogsumm"


def work_folder():
    base = tempfile.gettempdir()
    if not os.stat(base).st_mode & 0o001:
        base = "/tmp"
    path = tempfile.mkdtemp(prefix="mailpulse-lab-", dir=base)
    os.chmod(path, 0o755)
    return path


def open_sink():
    """The sink with all its ports, by the @NAME@s of postfix.cf.in."""
    sink = Sink()
    ports = {"SINK": sink.listen("sink"), "FLAKY": sink.listen("flaky", "127.0.0.14"),
             "SECOND": sink.listen("second", "127.0.0.17"),
             # Bound and not listening: connection refused, and nobody else gets the port
             "REFUSED": sink.listen("refused", "127.0.0.11", later=True),
             "LATE": sink.listen("late", "127.0.0.12", later=True)}
    return sink, ports


def one_run(out, ids, work):
    sink, ports = open_sink()
    mail = postfix.Postfix(work, ids, ports)
    started = time.time()
    try:
        mail.start()
        truth = Truth(KEYS)
        scenario = PostfixScenario(mail, sink, truth)
        for part in scenario.PARTS:
            part(scenario)
            mta.keep_queue(work, [(message["queue_id"], message["queue_name"] == "hold", len(message["recipients"]))
                                  for message in mail.queue()])
        left = mail.senders_left()
        version = mail.version()
    finally:
        try:
            mail.close()
        finally:
            mta.kill_leftovers()
            sink.close()
            mta.keep_logs(work, out)
    truth.from_journal(sink.journal)
    close(truth, left)
    witness(work, truth)
    totals = truth.write(os.path.join(out, "truth.json"), sink.journal, ids=ids, host=mail.host, postfix=version,
                         timezone="UTC", work=work, started=started, ended=time.time())
    summary(out)
    return totals


def close(truth, left):
    """`completed` has `removed` of the queue manager in the log: not what cleanup threw away, nor what postsuper did."""
    truth.close_messages(left)
    thrown_away = [m for m in truth.messages if m["case"] in ("discardme", "headerdiscard")]
    for message in thrown_away:
        truth.add(message["sender"], completed=-1)
    for counts in truth.senders.values():
        counts["completed"] -= counts["cancelled"]


def witness(work, truth):
    """The files that deliveries wrote must say what the scenario declared."""
    def lines(name, start):
        with open(os.path.join(work, "files", name), "rb") as source:
            return sum(line.startswith(start) for line in source)

    totals = {key: sum(c[key] for c in truth.senders.values()) for key in ("local", "file", "pipe")}
    found = {"local": lines("spool/nobody", b"From ") + lines("virtual-ann", b"From ")
             + len(os.listdir(os.path.join(work, "files", "virtual-ben", "new"))),
             "file": lines("archive", b"From "), "pipe": lines("pipe-runs", b"run")}
    if totals != found:
        raise SystemExit("postfix_lab: declared %s, but the files say %s" % (totals, found))


def summary(out):
    """The grand totals of pflogsumm: an opinion to compare with, not the truth."""
    if not os.path.exists(PFLOGSUMM):
        print("postfix_lab: no %s: apt-get install pflogsumm" % PFLOGSUMM, file=sys.stderr)
        return
    report = subprocess.run([PFLOGSUMM, "--detail", "0", "-q", os.path.join(out, "mail.log")], check=True,
                            capture_output=True, text=True, env=dict(os.environ, LC_ALL="C")).stdout
    part = report.split("messages", 1)[1]
    totals = {name.strip(): int(count) for count, name in
              re.findall(r"(?m)^\s*(\d+)\s+(received|delivered|forwarded|deferred|bounced|rejected|reject warnings|held"
                         r"|discarded|senders|recipients)\b", part)}
    deferrals = re.search(r"\((\d+)\s+deferrals\)", part)
    totals["deferrals"] = int(deferrals.group(1)) if deferrals else 0
    with open(os.path.join(out, "pflogsumm.json"), "w") as target:
        json.dump(totals, target, indent=1)
        target.write("\n")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", required=True, help="folder for the logs and truth.json")
    parser.add_argument("--ids", default="short", help="short, long, or both with a comma")
    parser.add_argument("--exim", action="store_true", help="an Exim that hands its mail to the Postfix")
    args = parser.parse_args()
    need(os.geteuid() == 0, "Postfix changes its user, so this needs root")
    need(not args.exim or os.path.exists(mta.EXIM), "no %s: apt-get install exim4-daemon-heavy" % mta.EXIM)
    names = args.ids.split(",")
    for name in names:
        if name not in postfix.IDS:
            parser.error("unknown form %s; there are %s" % (name, ", ".join(postfix.IDS)))
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))    # so that `finally` runs, and no Postfix stays
    postfix.fetch()
    postfix.make_accounts()
    if len(names) > 1:
        sys.exit(side_by_side(args, names))
    mta.become_reaper()
    out, work = os.path.abspath(args.out), work_folder()
    try:
        totals = relay.run_postfix(out, names[0], work) if args.exim else one_run(out, names[0], work)
    finally:
        mta.kill_leftovers()
        shutil.rmtree(work, ignore_errors=True)
    print("postfix_lab: %s: %s" % (names[0], ", ".join("%s %s" % i for i in totals.items())), file=sys.stderr)


def side_by_side(args, names):
    children = []
    try:
        for name in names:
            children.append(subprocess.Popen([sys.executable, os.path.abspath(__file__), "--ids", name, "--out",
                                              os.path.join(args.out, name), *(["--exim"] if args.exim else [])]))
        return 2 if any([child.wait() for child in children]) else 0
    finally:
        for child in children:
            if child.poll() is None:
                child.terminate()
                child.wait()


if __name__ == "__main__":
    main()

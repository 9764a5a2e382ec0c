"""The measuring half of run.sh, which sets the environment: WORK, MAILPULSE, SERVICES, DAYS, DURATION_S, RATE, MAILS_A_DAY.

CPU time and memory are those of tail.py. The history is of mails that come at even times; the log grows by the same services,
a line at a time, with the time on the clock, so that the detection judges it."""
import datetime
import os
import socket
import subprocess
import sys
import time
import urllib.request

import tail

SERVICES, DAYS, DURATION_S, RATE = (int(os.environ[name]) for name in ("SERVICES", "DAYS", "DURATION_S", "RATE"))
EVERY_S = 86_400 // int(os.environ["MAILS_A_DAY"])
ALPHABET = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
# The first page takes a replay of the history.
READY_S = 300
# And then what graphs are made of is learned, ten seconds later: until a process takes less than this part of a core.
LEARN_S, LOOK_S, RESTS = 15, 5, 0.02


def base62(number, digits):
    text = ""
    for _ in range(digits):
        number, digit = divmod(number, 62)
        text = ALPHABET[digit] + text
    return text


def mail(at_s, number, service):
    """Three lines of Exim: arrival, delivery, end."""
    at = datetime.datetime.fromtimestamp(at_s, datetime.timezone.utc).strftime("%Y-%m-%d %H:%M:%S")
    queue_id = "%s-%s-%s" % (base62(at_s, 6), base62(number % 62 ** 6, 6), base62(number % 1000, 2))
    sender = "service%d" % service
    return [line.encode() for line in (
        "%s %s <= app@%s.example.org H=app.%s.example.org [10.1.1.%d] P=esmtp S=%d id=%d.%d@%s.example.org\n"
        % (at, queue_id, sender, sender, service % 250 + 1, 900 + number % 5000, at_s, number, sender),
        "%s %s => someone%d@example.net R=dnslookup T=remote_smtp H=mx.example.net [192.0.2.7]:25 C=\"250 OK\"\n"
        % (at, queue_id, number % 977),
        "%s %s Completed\n" % (at, queue_id))]


class Follower(tail.Mailpulse):
    """A store with the history, and a log that grows."""

    def __init__(self, name, history):
        super().__init__(name)
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.port = free.getsockname()[1]
        with open(self.config, "a") as out:
            out.write('[serve]\nlisten = "127.0.0.1:%d"\n' % self.port)
            for service in range(SERVICES):
                out.write('[[service]]\nname = "service%d"\nmatch = [{ sender_domain = "service%d.example.org" }]\n'
                          % (service, service))
        with open(self.log, "wb") as out:
            out.writelines(history)
        subprocess.run(self.command("backfill", "--quiet"), check=True, stdout=subprocess.DEVNULL)

    def is_ready(self):
        """Whether the first page is there."""
        try:
            with urllib.request.urlopen("http://127.0.0.1:%d/" % self.port, timeout=30) as page:
                return page.status == 200
        except OSError:
            return False


def busy_s(pid):
    """Processor seconds of the next moments."""
    before = tail.cpu_s(pid)
    time.sleep(LOOK_S)
    return tail.cpu_s(pid) - before


def growing(followers):
    """Appends lines to all logs for a while, paced; returns how many, and how long it took."""
    begin, written, number = time.monotonic(), 0, 0
    outs = [os.open(follower.log, os.O_WRONLY | os.O_APPEND) for follower in followers]
    while time.monotonic() - begin < DURATION_S:
        due = int((time.monotonic() - begin) * RATE)
        text = b""
        while written < due:
            lines = mail(int(time.time()), number, number % SERVICES)
            number, written = number + 1, written + len(lines)
            text += b"".join(lines)
        for out in outs:
            os.write(out, text)
        time.sleep(0.01)
    for out in outs:
        os.close(out)
    return written, time.monotonic() - begin


def main():
    now, history, number = int(time.time()), [], 0
    for at_s in range(now - DAYS * 86_400, now - 60, EVERY_S):
        for service in range(SERVICES):
            history += mail(at_s + service, number, service)
            number += 1
    alone, whole = Follower("tail", history), Follower("run", history)
    with alone.follows("tail") as tail_alone, whole.follows("run") as run:
        deadline = time.monotonic() + READY_S
        while not whole.is_ready() and time.monotonic() < deadline:
            time.sleep(0.5)
        time.sleep(LEARN_S)
        deadline = time.monotonic() + READY_S
        while busy_s(run.pid) > RESTS * LOOK_S and time.monotonic() < deadline:
            pass
        children = {"tail": tail_alone.pid, "run: tail, watch, serve": run.pid}
        rest = {name: (tail.cpu_s(pid), *tail.memory_mb(pid)) for name, pid in children.items()}
        tail.say("%d lines a second for %d s" % (RATE, DURATION_S))
        written, grown_s = growing([alone, whole])
        time.sleep(tail.TIDY_S)
        busy = {name: (tail.cpu_s(pid), *tail.memory_mb(pid)) for name, pid in children.items()}
        time.sleep(tail.IDLE_S)
        idle = {name: tail.cpu_s(pid) for name, pid in children.items()}
        if not whole.is_ready():
            sys.exit("run.py: the pages do not answer")
    for follower in (alone, whole):
        if follower.lines() != len(history) + written:
            sys.exit("run.py: %d lines were written, the store has %s" % (len(history) + written, follower.lines()))
    print("%d services, %d days, %d lines of history" % (SERVICES, DAYS, len(history)))
    print("| | CPU busy, % of a core | CPU idle, % | resident MB before | after | peak MB |")
    print("|---|---:|---:|---:|---:|---:|")
    for name in children:
        print("| %s | %.2f | %.3f | %.0f | %.0f | %.0f |" % (
            name, (busy[name][0] - rest[name][0]) / grown_s * 100, (idle[name] - busy[name][0]) / tail.IDLE_S * 100,
            rest[name][1], busy[name][1], busy[name][2]))


if __name__ == "__main__":
    main()

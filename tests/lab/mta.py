"""One real Exim: its folder, its configuration, its daemon and its queue runs.

Nothing of this machine's own Exim is used or changed: spool, logs and configuration are in the
laboratory's folder. Every process that Exim leaves behind becomes a child of the laboratory
(`become_reaper`), so that "all deliveries are over" and "nothing is left running" can be known.
"""
import ctypes
import glob
import json
import os
import pwd
import re
import shutil
import signal
import smtplib
import socket
import subprocess
import tempfile
import time
from collections import Counter

EXIM = "/usr/sbin/exim4"
HOST = "mx1001.example.org"
LOGS = {
    "default": "",
    "plain": "",
    "all": "log_selector = +all",
    "millisec": "log_selector = +millisec",
    "pid": "log_selector = +pid",
    "zone": "log_timezone",
    "zone-all": "log_selector = +all\nlog_timezone",
    "syslog": "",
    "syslog-all": "log_selector = +all",
    "wikimedia": "log_selector = +address_rewrite +all_parents +delivery_size +deliver_time"
                 " +incoming_interface +incoming_port +smtp_connection +smtp_confirmation"
                 " +smtp_protocol_error +smtp_syntax_error +tls_cipher +tls_peerdn",
}
ALIASES = """\
null: :blackhole:
gone: :fail: this person left
later: :defer: not today
team: alice@%(host)s, carol@example.com, multi.dave@example.com
list: team@%(host)s, erin@example.net
archive: %(w)s/files/archive
counter: "|/bin/sh -c 'cat >/dev/null; echo run >>%(w)s/files/pipe-runs'"
badpipe: "|/bin/sh -c 'cat >/dev/null; echo no = good -> here; exit 1'"
"""


def become_reaper():
    """PR_SET_CHILD_SUBREAPER: orphans come to us instead of to init."""
    ctypes.CDLL(None).prctl(36, 1, 0, 0, 0)


def processes():
    """(pid, parent, state) of every process."""
    for pid in filter(str.isdigit, os.listdir("/proc")):
        try:
            with open("/proc/%s/stat" % pid) as stat:
                # The name before it, in parentheses, may hold anything
                state, parent = stat.read().rpartition(")")[2].split()[:2]
        except OSError:
            continue
        yield int(pid), int(parent), state


def descendants(of=None):
    """The pids of living processes below this one, or below `of`."""
    table, found, level = list(processes()), set(), {of or os.getpid()}
    while level:
        level = {pid for pid, parent, _ in table if parent in level}
        found |= {pid for pid, _, state in table if pid in level and state != "Z"}
    return found


def reap(keep=()):
    """Buries adopted orphans, not what a Popen object waits for."""
    for pid, parent, state in list(processes()):
        if state == "Z" and parent == os.getpid() and pid not in keep:
            try:
                os.waitpid(pid, os.WNOHANG)
            except ChildProcessError:
                pass


def keep_logs(work, out):
    os.makedirs(out, exist_ok=True)
    for log in glob.glob(os.path.join(work, "log", "*")):
        shutil.copy(log, out)
        os.chmod(os.path.join(out, os.path.basename(log)), 0o644)


def keep_queue(work, messages):
    """Adds to queue.jsonl what is on the queue now: ID, whether it is frozen or held, recipients that are left.

    The next line of a log comes in another second: most logs tell no more than that.
    """
    now = time.time()
    with open(os.path.join(work, "log", "queue.jsonl"), "a") as target:
        target.write(json.dumps({"at": int(now), "queue": messages}) + "\n")
    time.sleep(1.05 - now % 1)


def kill_leftovers():
    """At the end: only our own descendants, each by its id."""
    for sig in (signal.SIGTERM, signal.SIGKILL):
        for pid in descendants():
            try:
                os.kill(pid, sig)
            except ProcessLookupError:
                pass
        time.sleep(0.1)
        reap()


def folder():
    """A work folder that Debian-exim can reach: a caller's --out is often below a folder of mode 0700."""
    base = tempfile.gettempdir()
    if not os.stat(base).st_mode & 0o001:
        base = "/tmp"
    path = tempfile.mkdtemp(prefix="mailpulse-lab-", dir=base)
    user = pwd.getpwnam("Debian-exim")
    for sub in ("", "spool", "log", "files"):
        os.makedirs(os.path.join(path, sub), exist_ok=True)
        os.chown(os.path.join(path, sub), user.pw_uid, user.pw_gid)
        os.chmod(os.path.join(path, sub), 0o755)
    return path


def free_port():
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        return sock.getsockname()[1]


def wait_for_port(port, daemon, hint):
    for _ in range(200):
        try:
            socket.create_connection(("127.0.0.1", port), 1).close()
            return
        except OSError:
            if daemon.poll() is not None:
                raise SystemExit("the daemon ended at once; try: " + hint) from None
            time.sleep(0.05)
    raise SystemExit("the daemon does not listen: " + hint)


def has_ipv6():
    try:
        with socket.socket(socket.AF_INET6) as sock:
            sock.bind(("::1", 0))
        return True
    except OSError:
        return False


def self_signed(path):
    """(certificate, key), or None without openssl."""
    if not shutil.which("openssl"):
        return None
    cert, key = os.path.join(path, "cert.pem"), os.path.join(path, "key.pem")
    subprocess.run(["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj",
                    "/C=DE/O=Lab \"quoted\"/CN=" + HOST, "-keyout", key, "-out", cert],
                   check=True, capture_output=True)
    os.chmod(key, 0o644)
    return cert, key


class Exim:
    """`ports` fills the @NAME@ of next hops; `smarthost` is a router that stands before all others."""

    def __init__(self, path, selector, host=HOST, ports=None, tls=None, smarthost=""):
        self.path, self.selector, self.host, self.tls = path, selector, host, tls
        self.port, self.v6 = free_port(), has_ipv6()
        self.conf = os.path.join(path, "exim.conf")
        self.log = os.path.join(path, "log", "mainlog")
        self.daemon = None
        here = os.path.dirname(os.path.abspath(__file__))
        with open(os.path.join(here, "exim.conf.in")) as source:
            text = source.read()
        fill = dict(ports or {}, W=path, HOST=host, PORT=self.port, SMARTHOST=smarthost,
                    LOGGING=LOGS[selector] + ("\nsyslog_facility = mail" if "syslog" in selector else ""),
                    LOGPATH="syslog" if "syslog" in selector else path + "/log/%slog",
                    V6="; ::1" if self.v6 else "", NOV6="false" if self.v6 else "true",
                    TLSHOSTS="*" if tls else "",
                    TLSFILES="tls_certificate = %s\ntls_privatekey = %s" % tls if tls else "")
        text = re.sub(r"@([A-Z0-9]+)@", lambda m: str(fill.get(m.group(1), "1")), text)
        self.write("exim.conf", text)
        self.write("aliases", ALIASES % {"w": path, "host": host})
        # A file of its own for each user: no address of a stranger becomes part of a path.
        self.write("mailboxes", "alice: alice\nbob: bob\nvacation: vacation-box\n")

    def write(self, name, text):
        with open(os.path.join(self.path, name), "w") as target:
            target.write(text)

    def start(self):
        # In the foreground as far as we see it: with -bdf the pid is the daemon's own.
        self.daemon = subprocess.Popen([EXIM, "-C", self.conf, "-bdf"], cwd="/", stdin=subprocess.DEVNULL)
        wait_for_port(self.port, self.daemon, "%s -C %s -bV" % (EXIM, self.conf))
        return self

    def stop(self):
        if self.daemon:
            self.daemon.terminate()
            self.daemon.wait(10)
            self.daemon = None

    def close(self):
        self.stop()

    def run(self, *args, data=None, check=True):
        """The exim command, in the foreground."""
        done = subprocess.run([EXIM, "-C", self.conf, *args], cwd="/", input=data, capture_output=True, timeout=60)
        if check and done.returncode:
            raise SystemExit("exim %s: exit %d\n%s" % (args, done.returncode, done.stderr.decode()))
        return done.stdout.decode("utf-8", "replace")

    def run_queue(self):
        self.run("-q")

    def processes(self):
        """Those that stay while it is idle."""
        return {self.daemon.pid} if self.daemon else set()

    def settle(self, daemons=None, limit_s=30, others=set):
        """Waits until no process but the daemons and the `others` is left: every delivery is over."""
        daemons = daemons or [self.daemon]
        keep = {d.pid for d in daemons if d}
        end = time.monotonic() + limit_s
        while time.monotonic() < end:
            reap(keep)
            if not descendants() - keep - others():
                return
            time.sleep(0.01)
        raise SystemExit("deliveries do not end: %s" % sorted(descendants() - keep))

    def queue(self):
        """The IDs on the queue, the frozen ones apart."""
        listing = self.run("-bp")
        found = re.findall(r"^\s*\S+\s+\S+\s+(\w{6}-\w{6}-\w{2})\s(.*)$", listing, re.M)
        return [i for i, rest in found], [i for i, rest in found if "*** frozen ***" in rest]


    def keep_queue(self):
        """What `exim -bp` lists; recipients that have got the mail have a D."""
        messages = []
        for line in self.run("-bp").splitlines():
            found = re.match(r"\s*\S+\s+\S+\s+(\w{6}-\w{6}-\w{2})\s(.*)$", line)
            if found:
                messages.append([found[1], "*** frozen ***" in found[2], 0])
            elif line.strip() and not line.strip().startswith("D "):
                messages[-1][2] += 1
        keep_queue(self.path, messages)

    def senders_left(self):
        """Sender -> messages on the queue."""
        listing = self.run("-bp")
        found = re.findall(r"^\s*\S+\s+\S+\s+\w{6}-\w{6}-\w{2}\s<(.*?)>(?:\s\*\*\*.*)?$", listing, re.M)
        return Counter(sender or "<>" for sender in found)

    def version(self):
        return re.search(r"version (\S+)", self.run("-bV")).group(1)


class Client(smtplib.SMTP):
    """smtplib, and optionally the PROXY header that gives the connection another client address."""

    def __init__(self, port, helo="localhost", source="127.0.0.1", proxy=None, host="127.0.0.1"):
        self.proxy = proxy
        super().__init__(host, port, local_hostname=helo, timeout=20,
                         source_address=("127.0.0.9" if proxy else source, 0))

    def _get_socket(self, host, port, timeout):
        sock = super()._get_socket(host, port, timeout)
        if self.proxy:
            family = "TCP6" if ":" in self.proxy else "TCP4"
            there = "2001:db8::25" if ":" in self.proxy else "192.0.2.25"
            sock.sendall(("PROXY %s %s %s 40321 25\r\n" % (family, self.proxy, there)).encode())
        return sock

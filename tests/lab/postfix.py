"""One real Postfix: its folder, its configuration, its daemon and its queue.

Debian's postfix and exim4 exclude each other as packages, and the tests need both: so the package is only
downloaded and unpacked, and runs from there. Spool, logs and configuration are in the laboratory's folder; of this
machine only the user `postfix` and the group `postdrop` are made if they are missing, since the programs
do not start without.
"""
import glob
import grp
import json
import os
import pwd
import re
import shutil
import subprocess
import sysconfig
import tempfile
import threading
import time
from collections import Counter
from datetime import datetime, timezone

import mta

HOST = "mx1.example.org"
IDS = {"short": "no", "long": "yes"}
LIBRARIES = "usr/lib/postfix"
# Where a library comes from that this machine lacks
MORE_LIBRARIES = "usr/lib/" + sysconfig.get_config_var("MULTIARCH") if sysconfig.get_config_var("MULTIARCH") else "usr/lib"
CONFIG = {"main.cf": "postfix.cf.in", "master.cf": "postfix_master.cf.in"}
FILES = {
    "aliases": """\
alice nobody@%(HOST)s
postmaster nobody@%(HOST)s
archive %(w)s/files/archive
counter "|/bin/sh -c 'cat >/dev/null; echo run >>%(w)s/files/pipe-runs'"
badpipe "|/bin/sh -c 'cat >/dev/null; echo no = good; exit 1'"
away away@example.com
both alice, ann@example.com
""",
    "virtual": "team@list.example.org ann@example.com, bob@example.net, carol@example.com\n",
    "transport": """\
example.net smtp:[localhost]:%(SINK)s
relay.example.net relay:[127.0.0.1]:%(SINK)s
flaky.example.net smtp:[127.0.0.14]:%(FLAKY)s
busy.example.net smtp:[127.0.0.17]:%(SECOND)s
refused.example.net smtp:[127.0.0.11]:%(REFUSED)s
late.example.net smtp:[127.0.0.12]:%(LATE)s
null.example.net discard:silently
gone.example.net error:5.1.2 this domain is gone
later.example.net retry:4.3.0 not today
pipe.example.net archive:
badpipe.example.net badarchive:
""",
    "take": "cat >/dev/null; echo run >>%(w)s/files/pipe-runs\n",
    "full": "cat >/dev/null; echo disk full; exit 75\n",
    "recipients": """\
denied@example.com REJECT no mail for you
tempdenied@example.com 450 4.7.1 come back later; or = not
discardme@example.com DISCARD not wanted
holdme@example.com HOLD look at this first
warned@example.com WARN noted
redirected@example.com REDIRECT ann@example.com
""",
    "senders": """\
banned@example.org REJECT
tempbanned@example.org DEFER slow down
""",
    "helos": "bad.example.net 554 5.7.1 go away\n",
    "header_checks": """\
/^X-Lab: reject/ REJECT no such header here
/^X-Lab: discard/ DISCARD thrown away
/^X-Lab: hold/ HOLD
/^X-Lab: warn/ WARN seen; from=<nobody>
/^X-Lab: prepend/ PREPEND X-Lab-Two: yes
""",
}


def cache():
    base = os.environ.get("MAILPULSE_LAB") or os.path.join(os.path.expanduser("~"), ".cache", "mailpulse-lab")
    return os.path.join(base, "postfix")


def fetch():
    """The unpacked package, with the libraries that this machine lacks; downloads it the first time."""
    root = os.path.join(cache(), "root")
    if os.path.exists(os.path.join(root, LIBRARIES, "sbin", "master")):
        return root
    os.makedirs(cache(), exist_ok=True)
    with tempfile.TemporaryDirectory(dir=cache()) as work:
        fresh = os.path.join(work, "root")
        unpack(work, fresh, ["postfix"])
        if missing(fresh):
            unpack(work, fresh, libraries())
        if missing(fresh):
            raise SystemExit("postfix_lab: Postfix lacks %s" % ", ".join(missing(fresh)))
        try:
            os.rename(fresh, root)
        except OSError:                    # another run was quicker
            if not os.path.exists(root):
                raise
    return root


def unpack(work, root, packages):
    done = subprocess.run(["apt-get", "-q", "download", *packages], cwd=work, capture_output=True, text=True)
    found = glob.glob(os.path.join(work, "*.deb"))
    if done.returncode or not found:
        raise SystemExit("postfix_lab: `apt-get download %s` failed; run apt-get update?\n%s"
                         % (" ".join(packages), done.stderr))
    for package in found:
        subprocess.run(["dpkg-deb", "-x", package, root], check=True)


def libraries():
    """The library packages that the package depends on, and those that these depend on."""
    found = ["postfix"]
    for _ in range(2):
        depends = subprocess.run(["apt-cache", "depends", "--important", *found], check=True, capture_output=True,
                                 text=True).stdout
        found = sorted(set(re.findall(r"(?m)^ +(?:Pre)?Depends: (lib(?!c6)[\w.+-]+)$", depends)) | set(found) - {"postfix"})
    return found


def library_path(root):
    return os.path.join(root, LIBRARIES) + ":" + os.path.join(root, MORE_LIBRARIES)


def missing(root):
    listing = subprocess.run(["ldd", os.path.join(root, LIBRARIES, "sbin", "smtpd")], capture_output=True, text=True,
                             env=dict(os.environ, LD_LIBRARY_PATH=library_path(root))).stdout
    return [line.split()[0] for line in listing.splitlines() if "not found" in line]


def make_accounts():
    for name, find, command in (
            ("postdrop", grp.getgrnam, ["groupadd", "--system", "postdrop"]),
            ("postfix", pwd.getpwnam, ["useradd", "--system", "--user-group", "--no-create-home", "--home-dir",
                                       "/nonexistent", "--shell", "/usr/sbin/nologin", "postfix"])):
        try:
            find(name)
        except KeyError:
            done = subprocess.run(command, capture_output=True, text=True)
            try:
                find(name)                 # another run may have made it meanwhile
            except KeyError:
                raise SystemExit("postfix_lab: %s: %s" % (" ".join(command), done.stderr)) from None


class Maillog:
    """What rsyslog would be: reads Postfix's lines from a FIFO and writes them with both headers.

    `mail.log` has Postfix's own, RFC 3164. `mail.rfc3339.log` has the time of reading, as rsyslog stamps what has no
    finer time of its own.
    """

    def __init__(self, folder):
        self.fifo = os.path.join(folder, "fifo")
        os.mkfifo(self.fifo, 0o666)
        # Read and write: no end of file when a writer goes
        self.end = os.open(self.fifo, os.O_RDWR)
        self.old = open(os.path.join(folder, "mail.log"), "wb")
        self.new = open(os.path.join(folder, "mail.rfc3339.log"), "wb")
        self.thread = threading.Thread(target=self._run, daemon=True)
        self.thread.start()

    def _run(self):
        with open(self.end, "rb", closefd=False) as source:
            for line in source:
                if line == b"stop\n":
                    return
                now = datetime.now(timezone.utc).isoformat(timespec="microseconds").encode()
                self.old.write(line)
                self.new.write(now + line[15:])        # `Jun  6 18:55:01` is 15 bytes

    def close(self):
        os.write(self.end, b"stop\n")
        self.thread.join(5)
        os.close(self.end)
        os.unlink(self.fifo)
        self.old.close()
        self.new.close()


class Postfix:
    """`ports` are the sink's; `ids` is short or long."""

    def __init__(self, path, ids, ports, host=HOST):
        self.path, self.ids, self.host, self.ports = path, ids, host, ports
        # A copy that every user can reach, also when the home folder is closed
        self.root, self.port = os.path.join(path, "root"), mta.free_port()
        for part in ("usr/sbin", "usr/lib", "etc/postfix"):
            shutil.copytree(os.path.join(fetch(), part), os.path.join(self.root, part), symlinks=True)
        # Set-group-ID programs do not look at LD_LIBRARY_PATH; callers bring the group instead
        for name in ("postdrop", "postqueue"):
            os.chmod(os.path.join(self.root, "usr/sbin", name), 0o755)
        self.conf = os.path.join(path, "conf")
        self.env = {"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "MAIL_CONFIG": self.conf, "TZ": "UTC", "LANG": "C",
                    "LD_LIBRARY_PATH": library_path(self.root)}
        self.daemon = None
        make_accounts()
        user, group = pwd.getpwnam("postfix"), grp.getgrnam("postdrop")
        for folder, mode, owner in (("conf", 0o755, 0), ("spool", 0o755, 0), ("data", 0o700, user.pw_uid),
                                    ("log", 0o755, 0), ("files", 0o1777, 0), ("files/spool", 0o1777, 0)):
            self.folder(folder, mode, owner)
        for folder in "active bounce corrupt defer deferred flush hold incoming private saved trace".split():
            self.folder("spool/" + folder, 0o700, user.pw_uid)
        self.folder("spool/pid", 0o755, 0)
        self.folder("spool/public", 0o2710, user.pw_uid, group.gr_gid)
        self.folder("spool/maildrop", 0o1730, user.pw_uid, group.gr_gid)
        fill = dict(ports, W=path, ROOT=self.root, HOST=host, PORT=self.port, LONG=IDS[ids],
                    INET="all" if mta.has_ipv6() else "ipv4")
        here = os.path.dirname(os.path.abspath(__file__))
        for name, template in CONFIG.items():
            with open(os.path.join(here, template)) as source:
                text = source.read()
            for key, value in fill.items():
                text = text.replace("@%s@" % key, str(value))
            with open(os.path.join(self.conf, name), "w") as target:
                target.write(text)
        for name, text in FILES.items():
            with open(os.path.join(path, name), "w") as target:
                target.write(text % dict(ports, w=path, HOST=host))
        self.maillog = Maillog(os.path.join(path, "log"))

    def folder(self, name, mode, uid, gid=-1):
        path = os.path.join(self.path, name)
        os.makedirs(path, exist_ok=True)
        os.chown(path, uid, gid)
        os.chmod(path, mode)

    def command(self, name, *args, data=None, check=True, **who):
        """A command of Postfix, in the foreground; `who` is user and group."""
        done = subprocess.run([os.path.join(self.root, "usr/sbin", name), *args], cwd="/", env=self.env, input=data,
                              capture_output=True, timeout=60, **who)
        if check and done.returncode:
            raise SystemExit("%s %s: exit %d\n%s" % (name, args, done.returncode, done.stderr.decode()))
        return done.stdout.decode("utf-8", "replace")

    def start(self):
        # Its check of file owners would complain of the unpacked package
        open(os.path.join(self.path, "spool", "quick-start"), "w").close()
        self.daemon = subprocess.Popen([os.path.join(self.root, "usr/sbin/postfix"), "start-fg"], cwd="/", env=self.env,
                                       stdin=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        mta.wait_for_port(self.port, self.daemon, "postfix; see %s" % self.path)
        return self

    def stop(self):
        if self.daemon:
            self.command("postfix", "stop", check=False)
            self.daemon.wait(15)
            self.daemon = None

    def close(self):
        """After this the logs are whole."""
        self.stop()
        self.maillog.close()

    def run_queue(self):
        self.flush()

    def processes(self):
        return mta.descendants(self.daemon.pid) | {self.daemon.pid} if self.daemon else set()

    def reload(self, **parameters):
        for name, value in parameters.items():
            self.command("postconf", "-e", "%s=%s" % (name, value))
        self.command("postfix", "reload")
        # The old queue manager ends by itself; what it hands on must not be lost to the next step.
        time.sleep(0.5)

    def busy(self):
        """Messages that somebody is working on."""
        return sum(len(files) for queue in ("maildrop", "incoming", "active")
                   for _, _, files in os.walk(os.path.join(self.path, "spool", queue)))

    def settle(self, _=None, limit_s=30):
        """Waits until every message is delivered, deferred or held."""
        end, quiet = time.monotonic() + limit_s, 0
        while time.monotonic() < end:
            # A bounce is written while its message is still active, so one look at rest is almost enough;
            # pickup sees a new file a moment after it appears.
            quiet = 0 if self.busy() else quiet + 1
            if quiet >= 3:
                return
            time.sleep(0.02)
        raise SystemExit("postfix_lab: deliveries do not end: %s" % self.command("postqueue", "-p"))

    def flush(self):
        """One attempt for everything that is deferred."""
        waiting = self.deferred()
        self.command("postqueue", "-f")
        # The queue manager takes a moment to begin, and a failed message comes back under the same name.
        end = time.monotonic() + 30
        while waiting and time.monotonic() < end:
            now = self.deferred()
            if all(now.get(path) != stamp for path, stamp in waiting.items()):
                break
            time.sleep(0.02)
        else:
            if waiting:
                raise SystemExit("postfix_lab: the flush left messages alone")
        self.settle()

    def deferred(self):
        """Deferred messages, with what changes at every attempt."""
        found = {}
        for folder, _, files in os.walk(os.path.join(self.path, "spool", "deferred")):
            for name in files:
                try:
                    state = os.stat(os.path.join(folder, name))
                except FileNotFoundError:
                    continue
                found[name] = (state.st_mtime_ns, state.st_ctime_ns)
        return found

    def queue(self):
        """The queue, a dict a message: queue_name, queue_id, sender, recipients."""
        return [json.loads(line) for line in self.command("postqueue", "-j").splitlines()]

    def senders_left(self):
        return Counter("<>" if m["sender"] == "MAILER-DAEMON" else m["sender"] for m in self.queue())

    def version(self):
        return self.command("postconf", "-h", "mail_version").strip()


class Client(mta.Client):
    """smtplib, and the client's name and address by XCLIENT."""

    def __init__(self, port, helo="localhost", name=None, address=None):
        super().__init__(port, helo=helo)
        # A Postfix without IPv6 takes no such address
        if address and (":" not in address or mta.has_ipv6()):
            self.ehlo()
            address = "IPV6:" + address if ":" in address else address
            code, text = self.docmd("XCLIENT", "NAME=%s ADDR=%s" % (name or "[UNAVAILABLE]", address))
            if code != 220:
                raise SystemExit("postfix_lab: XCLIENT: %d %s" % (code, text))

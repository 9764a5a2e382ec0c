"""An SMTP sink on loopback: the "Internet" behind the laboratory's Exim or Postfix.

The local part of a recipient says what becomes of it, so that a scenario is deterministic:

    defer*, defer2*     451 at every RCPT; 451 at the first two only, then accepted
    full1*              452 4.2.2 (mailbox full), as often as the digit says
    bounce*             550 5.1.1;   bouncemulti*: the same as a reply of three lines
    drop*               the connection is dropped instead of a reply;  drop1*: once
    busy1*              421 and the connection is closed, once
    datadefer1*         451 after DATA, once;   databounce*: 554 after DATA
    arrow*              accepted, the confirmation holds ` -> `, `=` and a quote
    multi*              accepted, the confirmation has three lines
A sender `mailbounce*` is refused at MAIL. All else is accepted.

The journal is what really happened, and knows nothing of any log: the truth to test against.
"""
import re
import socket
import ssl
import threading
from collections import Counter


class Sink:
    def __init__(self, tls_files=None):
        self.journal = []          # one dict a recipient that was accepted, deferred, refused or dropped
        self.seen = Counter()      # (digit rule, sender, recipient) -> how often it was applied
        self.lock = threading.Lock()
        self.serial = 0
        self.listeners = {}
        self.tls = None
        if tls_files:
            self.tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            self.tls.load_cert_chain(*tls_files)

    def listen(self, name, host="127.0.0.1", features=(), later=False):
        """Binds a port and returns it. With `later` it refuses connections until `open(name)`."""
        sock = socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET)
        sock.bind((host, 0))
        self.listeners[name] = (sock, features)
        if not later:
            self.open(name)
        return sock.getsockname()[1]

    def open(self, name):
        sock, features = self.listeners[name]
        sock.listen(50)
        threading.Thread(target=self._accept, args=(sock, name, features), daemon=True).start()

    def close(self):
        for sock, _ in self.listeners.values():
            sock.close()

    def _accept(self, sock, name, features):
        while True:
            try:
                conn, _ = sock.accept()
            except OSError:
                return
            session = Session(self, conn, name, features)
            threading.Thread(target=session.run, daemon=True).start()

    def note(self, outcome, session, recipient, code, text="", **more):
        with self.lock:
            self.journal.append(dict(outcome=outcome, listener=session.name, sender=session.sender,
                                     recipient=recipient, code=code, text=text, **more))

    def times(self, rule, session, recipient):
        with self.lock:
            self.seen[rule, session.sender, recipient] += 1
            return self.seen[rule, session.sender, recipient]

    def number(self):
        with self.lock:
            self.serial += 1
            return self.serial


class Session:
    """One connection."""

    def __init__(self, sink, conn, name, features):
        self.sink, self.conn, self.name, self.features = sink, conn, name, features
        conn.settimeout(30)
        self.file = conn.makefile("rb")
        self.sender, self.rcpts, self.chunks = None, [], []

    def run(self):
        try:
            self.reply("220 sink.example.net ESMTP")
            while self.command(self.file.readline(8192)):
                pass
        except OSError:
            pass
        finally:
            self.file.close()
            self.conn.close()

    def reply(self, *lines):
        """Lines are `code text`; all but the last get the dash of a multi-line reply."""
        text = [l[:3] + "-" + l[4:] for l in lines[:-1]] + [lines[-1]]
        self.conn.sendall("".join(t + "\r\n" for t in text).encode())

    def command(self, line):
        text = line.decode("utf-8", "replace").strip()
        verb = text[:4].upper()
        if verb == "EHLO":
            more = [f for f in self.features if f != "STARTTLS" or not isinstance(self.conn, ssl.SSLSocket)]
            self.reply("250 sink.example.net", "250 SIZE 20000000", "250 8BITMIME", "250 SMTPUTF8",
                       *("250 " + f for f in more), "250 PIPELINING")
        elif verb == "STAR":
            self.reply("220 go ahead")
            self.conn = self.sink.tls.wrap_socket(self.conn, server_side=True)
            self.file = self.conn.makefile("rb")
        elif verb == "MAIL":
            self.sender = re.search(r"<(.*)>", text).group(1)
            self.rcpts, self.chunks = [], []
            refused = self.sender.startswith("mailbounce")
            self.reply("550 5.7.1 sender refused by policy" if refused else "250 2.1.0 OK")
            self.sender = None if refused else self.sender
        elif verb == "RCPT" and self.sender is None:
            self.reply("503 5.5.1 no sender")      # pipelined after a refused MAIL
        elif verb == "RCPT":
            return self.rcpt(re.search(r"<(.*)>", text).group(1))
        elif verb == "DATA" and not self.rcpts:
            self.reply("503 5.5.1 no valid recipients")
        elif verb == "DATA":
            self.reply("354 end with .")
            lines = iter(lambda: self.file.readline(), b".\r\n")
            self.finish(b"".join(lines))
        elif verb == "BDAT":
            size, last = int(text.split()[1]), text.upper().endswith("LAST")
            self.chunks.append(self.file.read(size))
            self.finish(b"".join(self.chunks)) if last else self.reply("250 chunk")
        elif verb == "QUIT":
            self.reply("221 bye")
            return False
        elif not line:
            return False
        else:
            self.reply("250 OK")                   # HELO RSET NOOP
        return True

    def rcpt(self, rcpt):
        """False when the connection is to end."""
        rule = re.match(r"[a-z]*", rcpt.lower().strip('"')).group(0)
        limit = re.match(r"[a-z]+(\d*)", rcpt.lower())
        limit = int(limit.group(1)) if limit and limit.group(1) else 10**9
        applies = rule in ("defer", "full", "drop", "busy") and self.sink.times(rule, self, rcpt) <= limit
        if applies and rule == "drop":
            self.sink.note("dropped", self, rcpt, 0)
            return False
        if applies:
            reply = {"defer": "451 4.7.1 <%s>: greylisted, try again = later" % rcpt,
                     "full": "452 4.2.2 mailbox full", "busy": "421 4.7.0 too busy -> try again"}[rule]
            self.sink.note("deferred", self, rcpt, int(reply[:3]), reply)
            self.reply(reply)
            return rule != "busy"
        if rule == "bounce":
            self.sink.note("refused", self, rcpt, 550)
            self.reply("550 5.1.1 <%s>: no such user" % rcpt)
        elif rule == "bouncemulti":
            self.sink.note("refused", self, rcpt, 550)
            self.reply("550 5.1.1 The account does not exist.", "550 5.1.1 See https://example.net/?p=NoSuchUser",
                       "550 5.1.1 k1-20020a05 - sink")
        else:
            self.rcpts.append(rcpt)
            self.reply("250 2.1.5 OK")
        return True

    def finish(self, body):
        """The final reply, and a line in the journal for every recipient."""
        head = re.split(rb"\r?\n\r?\n", body, maxsplit=1)[0].decode("utf-8", "replace")
        head = re.sub(r"\r?\n[ \t]+", " ", head)
        message_id = re.search(r"(?im)^message-id:\s*<(.*)>", head)
        facts = dict(message_id=message_id and message_id.group(1), bytes=len(body),
                     # newest first: the IDs under which each Exim or Postfix on the way had this message
                     queue_ids=re.findall(r"(?im)^received: .*?\bid (\w{6}-\w{6,11}-\w{2,4}|\w{8,24})\b", head))
        outcome, reply = "accepted", ["250 2.0.0 OK: queued as %05d" % self.sink.number()]
        for rcpt in self.rcpts:
            if rcpt.startswith("databounce"):
                outcome, reply = "refused", ["554 5.7.1 message refused: spam score=17.2"]
            elif re.match(r"datadefer\d", rcpt) and self.sink.times("datadefer", self, rcpt) <= int(rcpt[9]):
                outcome, reply = "deferred", ["451 4.3.0 temporary failure in content filter"]
            elif rcpt.startswith("arrow"):
                reply = ['250 2.0.0 OK <a=b> -> next="relay 7" ** => C=1 * queued'] 
            elif rcpt.startswith("multi"):
                reply = ["250 2.0.0 OK", "250 queue=active", "250 id=%05d" % self.sink.number()]
        for rcpt in self.rcpts:
            self.sink.note(outcome, self, rcpt, int(reply[0][:3]), reply[-1], **facts)
        self.reply(*reply)
        self.rcpts, self.chunks = [], []

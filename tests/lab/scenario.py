"""The scripted mail of one laboratory run. The order is fixed, and every step waits until Exim is idle,
so that two runs differ only in times, IDs, process numbers and ports."""
import re
import smtplib
import time

from mta import Client

SERVICES = {  # sender -> (host that hands it in, its address); by the PROXY protocol, except for local ones
    "gerrit@example.org": ("gerrit1001.wikimedia.example", "10.64.32.5"),
    "phabricator@example.org": ("phab1001.eqiad.example", "10.64.16.8"),
    "hue@example.org": ("an-tool1009.eqiad.example", "10.64.36.9"),
    "oozie@example.org": ("an-coord1001.eqiad.example", "2001:db8:861:104::5"),
    "sentry@example.org": ("sentry1001.eqiad.example", "10.64.48.7"),
}


class Scenario:
    QUEUE_ID = rb"id=(\w{6}-\w{6}-\w{2})"          # in the reply to DATA

    def __init__(self, mta, sink, truth):
        self.mta, self.sink, self.truth = mta, sink, truth
        self.number = 0

    # -- how mail is handed in ------------------------------------------------------------------

    def connect(self, **how):
        return Client(self.mta.port, **how)

    def text(self, case, sender, rcpts, headers=()):
        self.number += 1
        message_id = "%s.%d@lab.example.org" % (case, self.number)
        lines = ["From: <%s>" % (sender or "postmaster@example.org"), "To: %s" % ",\r\n ".join("<%s>" % r for r in rcpts),
                 "Message-ID: <%s>" % message_id, *headers]
        if not any(h.startswith("Subject:") for h in headers):
            lines.append("Subject: case %s" % case)
        return message_id, "\r\n".join(lines) + "\r\n\r\nhello " + case + "\r\n"

    def smtp(self, case, sender, rcpts, headers=(), client=None, options=(), bdat=False, auth=None,
             tls=False, connect=None):
        """One message by SMTP. Counts what the client is told, and returns the final reply."""
        helo, proxy = SERVICES.get(sender, ("localhost", None))
        mine = client is None
        client = client or self.connect(**(connect or dict(helo=helo, proxy=proxy)))
        if mine:
            client.ehlo()
            if tls:
                client.starttls()
                client.ehlo()
            if auth:
                client.login(*auth)
        reply = self.transaction(client, case, sender, rcpts, headers, options, bdat)
        if mine:
            client.quit()
            self.mta.settle()
        return reply

    def transaction(self, client, case, sender, rcpts, headers, options, bdat):
        # A rewritten sender is the one that the log and the sink see
        known = {"rewriteme@old.example.org": "rewritten@example.org"}.get(sender, sender)
        client.command_encoding = "utf-8" if "smtputf8" in options else "ascii"
        code, text = client.mail(sender, options)
        if code != 250:
            self.truth.add(known, **{"rejected" if code >= 500 else "temp_rejected": 1})
            return code, text
        accepted = []
        for rcpt in rcpts:
            code, text = client.rcpt(rcpt)
            if code == 250:
                accepted.append(rcpt)
            else:
                self.truth.add(known, **{"rejected" if code >= 500 else "temp_rejected": 1})
        if not accepted:
            if code != 221:
                client.rset()
            return code, text
        message_id, body = self.text(case, sender, rcpts, headers)
        body = body.encode()
        if bdat:
            client.putcmd("BDAT %d LAST" % len(body))
            client.send(body)
            code, text = client.getreply()
        else:
            code, text = client.data(body)
        found = re.search(self.QUEUE_ID, text)
        fake = any(r.startswith("fake") for r in accepted)
        if code == 250 or fake:
            self.truth.add(known, messages=1, recipients=len(accepted), **({"fakereject": 1} if fake else {}))
            self.truth.message(case, known, accepted, message_id=message_id,
                               queue_id=found and found.group(1).decode(), by="smtp")
        else:
            self.truth.add(known, **{"rejected" if code >= 500 else "temp_rejected": 1})
        return code, text

    def local(self, case, sender, rcpts, headers=(), how="-t", user="www-data", more=()):
        """Local submission: by `sendmail -t`, with recipients as arguments, or by `-bs`."""
        message_id, body = self.text(case, sender, rcpts, headers)
        flags = ["-oMt", user, "-f", sender or "<>", *more]
        if how == "-t":
            self.mta.run(*flags, "-t", data=body.replace("\r\n", "\n").encode())
        elif how == "args":
            self.mta.run(*flags, *rcpts, data=body.replace("\r\n", "\n").encode())
        else:
            talk = ["EHLO localhost", "MAIL FROM:<%s>" % sender, *("RCPT TO:<%s>" % r for r in rcpts), "DATA",
                    body + ".", "QUIT", ""]
            self.mta.run("-oMt", user, "-bs", data="\r\n".join(talk).encode())
        self.truth.add(sender, messages=1, recipients=len(rcpts))
        self.truth.message(case, sender, rcpts, message_id=message_id, queue_id=None, by="local")
        self.mta.settle()

    def expect(self, sender, **counts):
        """What no witness outside Exim sees; `bounces` are the messages of Exim's own that follow."""
        own = counts.pop("bounces", 0)
        self.truth.add(sender, **counts)
        if own:
            self.truth.add("", messages=own, recipients=own)

    def queue_run(self, *args):
        self.mta.run(*args)
        self.mta.settle()

    # -- the parts of the run --------------------------------------------------------------------

    def deliveries(self):
        self.smtp("simple", "gerrit@example.org", ["ann@example.com"], ['Subject: Change in core[master]: "quoted" => <b>'])
        self.smtp("multi", "phabricator@example.org", ["a@example.com", "b@example.com", "c@example.net"])
        self.smtp("arrow", "gerrit@example.org", ["arrow@example.com", "arrow2@example.com"])
        self.smtp("multiline", "phabricator@example.org", ["multi.x@example.com"])
        self.smtp("utf8", "hue@example.org", ["jürgen@example.com"], options=["smtputf8"])
        self.smtp("utf8sender", "jöran@example.org", ["zoë.ångström@example.net"], options=["smtputf8"])
        self.smtp("quoted", '"john => doe"@example.org', ['"ann b"@example.com', '"x,y@z"@example.net'])
        self.smtp("subject", "sentry@example.org", ["ann@example.com"],
                  ["Subject: =?utf-8?Q?na=C3=AFve_=22quotes=22_=5C_back?=\r\n folded for a@b"])
        self.smtp("nullsender", "", ["ann@example.com"])
        self.smtp("chunking", "gerrit@example.org", ["ann@chunk.example.net"], bdat=True)
        self.smtp("failover", "gerrit@example.org", ["ann@failover.example.net"])
        self.smtp("rewrite", "rewriteme@old.example.org", ["ann@example.com"])
        self.smtp("auth", "submitter@example.org", ["ann@example.com"], auth=("wikidump", "secret"))
        self.smtp("longlist", "phabricator@example.org", ["subscriber%02d@lists.example.com" % i for i in range(30)])
        if self.mta.tls:
            self.smtp("tls", "gerrit@example.org", ["ann@tls.example.net"], tls=True)
        if self.mta.v6:
            self.smtp("ipv6", "sentry@example.org", ["ann@v6.example.net"],
                      connect=dict(host="::1", source="::1", helo="[IPv6:::1]"))
        self.local("local", "wikidump@example.org", ["ops@example.com", "dumps@example.com"])
        self.local("localbs", "cron@example.org", ["root@example.com"], how="-bs", user="root")
        self.local("localargs", "cron@example.org", ["root@example.com", "ops@example.net"], how="args", user="nagios")

    def cutthrough(self):
        s = "gerrit@example.org"
        self.smtp("cut", s, ["cut1@cut.example.net"])
        self.smtp("cut2", s, ["cut2@cut.example.net", "cut3@cut.example.net"])
        # Rejected while the client waits: nothing is accepted, so nothing bounces
        self.smtp("cutreject", s, ["bounce.cut@cut.example.net"])
        self.smtp("cutdata", s, ["databounce.cut@cut.example.net"])

    def no_mail_out(self):
        """Recipients that end on this host."""
        host = self.mta.host
        s = "phabricator@example.org"
        self.smtp("blackhole", s, ["null@" + host])
        self.expect(s, blackholed=1)
        self.smtp("discard", s, ["discardme@example.com"])
        self.expect(s, discarded=1, blackholed=1)
        # `=> blackhole` is logged only if no recipient is left
        self.smtp("discardone", s, ["discardme@example.com", "ann@example.com"])
        self.expect(s, discarded=1)
        self.smtp("discarddata", s, ["ann@example.com", "ben@example.com"], ["X-Lab: discard"])
        self.expect(s, blackholed=1)
        self.smtp("mailbox", s, ["alice@" + host])
        self.expect(s, local=1)
        self.smtp("mailboxutf8", s, ["jörg@" + host], options=["smtputf8"])
        self.expect(s, local=1)
        self.smtp("pipe", s, ["counter@" + host])
        self.expect(s, pipe=1)
        self.smtp("file", s, ["archive@" + host])
        self.expect(s, file=1)
        self.smtp("autoreply", s, ["robot@" + host])
        # An accept router with an autoreply transport: the log shows it as a local delivery
        self.expect(s, local=1, bounces=1)
        self.smtp("vacation", s, ["vacation@" + host])
        self.expect(s, autoreply=1, file=1, bounces=1)
        self.smtp("aliases", s, ["list@" + host])
        self.expect(s, local=1)
        self.local("suppressed", "cron@example.org", ["ann@example.com", "alice@" + host], more=["-N"])
        self.expect("cron@example.org", suppressed=2)

    def refusals(self):
        """The client is told no; in the log these are lines without a flag, most without an ID."""
        s, add = "banned@example.org", self.truth.add
        self.smtp("denied", "hue@example.org", ["denied@example.com"])
        self.smtp("deniedone", "hue@example.org", ["denied@example.com", "ann@example.com", "tempdenied@example.com"])
        self.smtp("relaydenied", "hue@example.org", ["x@relay.example.invalid"])
        self.smtp("unknownlocal", "hue@example.org", ["nobody-here@" + self.mta.host])
        self.smtp("failalias", "hue@example.org", ["gone@" + self.mta.host])
        self.smtp("banned", s, ["ann@example.com"], connect=dict(helo="spam.example.net"))
        self.smtp("tempbanned", "tempbanned@example.org", ["ann@example.com"])
        self.smtp("data", s.replace("banned", "content"), ["ann@example.com"], ["X-Lab: reject"])
        self.smtp("datadefer", s.replace("banned", "content"), ["ann@example.com"], ["X-Lab: defer"])
        self.smtp("big", "content@example.org", ["ann@example.com"], ["X-Pad: " + "\r\n ".join(["y" * 900] * 70)])
        self.smtp("sizeoption", "content@example.org", ["ann@example.com"], options=["SIZE=99999999"])
        for name in ("fake", "fake2"):
            self.smtp(name, "hue@example.org", [name + "@example.com"])
        # "-" is the sender of what is refused before there is one
        client = Client(self.mta.port, helo="bad.example.net")
        if client.ehlo()[0] >= 500:
            add("-", rejected=1)
        client.close()
        try:
            Client(self.mta.port, source="127.0.0.66").quit()
        except smtplib.SMTPConnectError:
            add("-", rejected=1)
        first = Client(self.mta.port, source="127.0.0.77")
        try:
            Client(self.mta.port, source="127.0.0.77")
        except smtplib.SMTPConnectError:
            pass                                    # "too many connections": 421, no sender, no message
        first.quit()
        client = Client(self.mta.port, helo="localhost")
        client.ehlo()
        client.docmd("AUTH PLAIN", "AHdyb25nAHdyb25n")
        client.docmd("NONSENSE", "x = y => z")
        client.docmd("DATA")
        client.docmd("MAIL", "FROM:<no-bracket@example.org")
        client.mail("hue@example.org")
        code, _ = client.rcpt("dropme@example.com")
        add("hue@example.org", rejected=int(code >= 500))
        client.close()
        client = Client(self.mta.port, helo="localhost")
        client.ehlo()
        client.mail("hue@example.org")
        client.close()                              # unexpected disconnection in the middle of a mail
        self.mta.settle()

    def bounces(self):
        s = "hue@example.org"
        self.smtp("bounce", s, ["bounce@example.com"])
        self.expect(s, bounces=1)
        self.smtp("bouncemulti", s, ["bouncemulti@example.com", "ann@example.com"])
        self.expect(s, bounces=1)
        self.smtp("bouncedata", s, ["databounce@example.com"])
        self.expect(s, bounces=1)
        self.smtp("longline", s, ["ann@example.com"], ["X-Long: " + "x" * 1000])
        self.expect(s, bounced=1, bounces=1)       # refused by Exim's own transport: `**` without a host;
        self.expect("", bounced=1, frozen=1)       # and so is the bounce, which quotes the headers: it freezes
        self.smtp("mailbounce", "mailbounce@example.org", ["ann@example.com"])
        # the sink refuses this sender at MAIL; the bounce has the empty sender, and arrives
        self.expect("mailbounce@example.org", bounced=1, bounces=1)
        self.local("unroutable", "wikidump@example.org", ["x@nowhere.invalid", "ann@example.com"])
        self.expect("wikidump@example.org", bounced=1, bounces=1)
        self.local("failalias", "wikidump@example.org", ["gone@" + self.mta.host])
        self.expect("wikidump@example.org", bounced=1, bounces=1)
        self.smtp("badpipe", s, ["badpipe@" + self.mta.host])
        self.expect(s, bounced=1, bounces=1)
        for n in ("1", "2"):
            # The bounce bounces: it freezes, and stays
            self.smtp("double" + n, "bounce%s@example.org" % n, ["bounce@example.com"])
            self.expect("bounce%s@example.org" % n, bounces=1)
            self.expect("", frozen=1)

    def deferrals(self):
        """First attempts only; what becomes of them is in `retries`."""
        s = "oozie@example.org"
        self.smtp("defer2", s, ["defer2@example.com"])
        self.smtp("defermixed", s, ["defer1@example.com", "ann@example.com", "bounce@example.com"])
        self.expect(s, bounces=1)
        self.smtp("full", s, ["full1@example.com"])
        self.smtp("busy", s, ["busy1@example.com"])
        self.smtp("dataonce", s, ["datadefer1@example.com"])
        self.smtp("forever", s, ["defer@example.com"])
        self.smtp("drop", s, ["drop1@flaky.example.net"])
        self.smtp("dead", s, ["ann@dead.example.net"])
        self.expect(s, deferred_attempts=1)
        self.local("deferalias", "wikidump@example.org", ["later@" + self.mta.host])
        self.expect("wikidump@example.org", deferred_attempts=1)
        self.smtp("refused", s, ["ann@refused.example.net", "ben@refused.example.net"])
        self.expect(s, deferred_attempts=2)
        self.smtp("late1", s, ["late1@late.example.net"])
        self.expect(s, deferred_attempts=1)
        for n in ("2", "3"):
            # The host is known to be down: deferred, and nothing was tried
            self.smtp("late" + n, s, ["late%s@late.example.net" % n])
            self.expect(s, retry_not_reached=1)
        self.smtp("expire", s, ["ann@expire.example.net"])
        self.expect(s, deferred_attempts=1)
        self.smtp("queued", s, ["queued@example.com"])
        self.smtp("warn", "sentry@example.org", ["defer2.warned@example.com"], ["X-Lab-Warn: yes"])
        # Many in one connection: from the fourth on they wait for a queue run
        client = Client(self.mta.port, helo="batch.example.org")
        client.ehlo()
        for n in range(6):
            self.smtp("batch%d" % n, "gerrit@example.org", ["batch%d@example.com" % n], client=client)
        client.quit()
        self.mta.settle()

    def retries(self):
        """Queue runs. Waiting now, one recipient each unless said otherwise: defer2, defermixed, full, busy,
        dataonce, forever, drop, dead, refused (2), late (3), expire, deferalias, warn; two frozen bounces;
        and four messages that were only queued."""
        s = "oozie@example.org"
        time.sleep(1.2)                            # so that `expire` has expired, and `warn` is late
        self.queue_run("-q")                       # little is due; what was only queued goes out
        self.expect(s, retry_not_reached=13)
        self.expect(s, deferred_attempts=1, bounced=1, bounces=1)   # expire: tried once more, then given up
        self.expect("wikidump@example.org", retry_not_reached=1)
        self.expect("sentry@example.org", retry_not_reached=1, bounces=1)   # a delay warning: logged like a bounce
        _, frozen = self.mta.queue()
        self.mta.run("-Mrm", frozen[0])
        self.sink.open("late")
        self.queue_run("-qff")
        self.expect(s, deferred_attempts=1 + 2)    # dead, refused
        self.expect("wikidump@example.org", deferred_attempts=1)
        self.expect("", frozen=2)                  # forced, refused and frozen again
        self.queue_run("-qff")
        self.expect(s, deferred_attempts=1 + 2)
        self.expect("wikidump@example.org", deferred_attempts=1)
        self.expect("", frozen=2)
        # The administrator gives one up: there is a bounce message, and no `**` in the log
        waiting = [m["queue_id"] for m in self.truth.messages if m["case"] == "forever"]
        self.mta.run("-Mg", *waiting)
        self.mta.settle()
        self.expect(s, cancelled=1, bounces=1)

    PARTS = (deliveries, cutthrough, no_mail_out, refusals, bounces, deferrals, retries)

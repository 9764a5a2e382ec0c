"""The scripted mail of one run through the laboratory's Postfix. As in scenario.py the order is fixed, and every
step waits until Postfix has nothing in work."""
import time

import postfix
from scenario import SERVICES, Scenario

KEYS = ("messages", "recipients", "delivered", "deferred_attempts", "bounced", "expired", "notifications", "rejected",
        "temp_rejected", "discarded", "held", "cancelled", "pipe", "file", "local", "forwarded", "probed", "completed")
OUTSIDE = dict(helo="mail.outside.example", name="mail.outside.example", address="192.0.2.9")


class PostfixScenario(Scenario):
    QUEUE_ID = rb"queued as (\w+)"

    def connect(self, helo="localhost", name=None, address=None, proxy=None):
        """`proxy` is the address that SERVICES has for a host; it comes by XCLIENT."""
        return postfix.Client(self.mta.port, helo, name or (proxy and helo), address or proxy)

    def local(self, case, sender, rcpts, headers=(), how="args", user="www-data", more=()):
        message_id, body = self.text(case, sender, rcpts, headers)
        to = ["-t"] if how == "-t" else ["--", *rcpts]
        self.mta.command("sendmail", "-f", sender or "<>", *more, *to, data=body.replace("\r\n", "\n").encode(),
                         user=user, group="postdrop", extra_groups=[])
        self.truth.add(sender, messages=1, recipients=len(rcpts))
        self.truth.message(case, sender, rcpts, message_id=message_id, queue_id=None, by="local")
        self.mta.settle()

    def expect(self, sender, **counts):
        """As Scenario.expect; every bounce is a notification of Postfix's."""
        self.truth.add("", notifications=counts.get("bounces", 0))
        super().expect(sender, **counts)

    def deliveries(self):
        gerrit, phab = "gerrit@example.org", "phabricator@example.org"
        self.smtp("simple", gerrit, ["ann@example.com"], ['Subject: Change in core[master]: "quoted" => <b>'])
        self.smtp("multi", phab, ["a@example.com", "b@example.com", "c@example.net"])
        self.smtp("arrow", gerrit, ["arrow@example.com", "arrow2@example.com"])
        self.smtp("multiline", phab, ["multi.x@example.com"])
        self.smtp("utf8", "hue@example.org", ["jürgen@example.com"], options=["smtputf8"])
        self.smtp("quoted", '"john => doe"@example.org', ['"ann b"@example.com', '"x,y> relay=z"@example.net'])
        self.smtp("nullsender", "", ["ann@example.com"])
        self.smtp("relay", "oozie@example.org", ["ann@relay.example.net"])
        self.smtp("longlist", phab, ["subscriber%02d@lists.example.com" % i for i in range(30)])
        self.smtp("alias", phab, ["team@list.example.org"])
        self.smtp("unnamed", gerrit, ["ann@example.com"], connect=dict(helo="[10.64.1.2]", address="10.64.1.2"))
        self.local("local", "wikidump@example.org", ["ops@example.com", "dumps@example.com"], how="-t")
        self.local("localargs", "cron@example.org", ["root@example.com", "ops@example.net"], user="root")
        self.local("dsn", "wikidump@example.org", ["ann@example.com"], more=["-N", "success"])
        self.expect("wikidump@example.org", bounces=1)
        # An address probe: Postfix reports to the sender, and no mail goes to the address
        self.local("probe", "wikidump@example.org", ["probe@example.com"], more=["-bv"])
        self.expect("wikidump@example.org", probed=1, bounces=1)
        client = self.connect(SERVICES[gerrit][0], proxy=SERVICES[gerrit][1])
        client.ehlo()
        for n in range(4):
            self.smtp("batch%d" % n, gerrit, ["batch%d@example.com" % n], client=client)
        client.quit()
        self.mta.settle()

    def no_mail_out(self):
        """Recipients that end on this host."""
        host, s = self.mta.host, "phabricator@example.org"
        for case, rcpt, counts in (
                ("discard", "x@null.example.net", dict(discarded=1)),
                ("discardme", "discardme@example.com", dict(discarded=1)),
                ("mailbox", "alice@" + host, dict(local=1)),
                ("virtual", "ann@virtual.example.org", dict(local=1)),
                ("maildir", "ben@virtual.example.org", dict(local=1)),
                ("file", "archive@" + host, dict(file=1)),
                ("command", "counter@" + host, dict(pipe=1)),
                ("pipe", "x@pipe.example.net", dict(pipe=1)),
                # Goes on as a message of its own
                ("forward", "away@" + host, dict(forwarded=1, messages=1))):
            self.smtp(case, s, [rcpt])
            self.expect(s, **counts)
        self.smtp("headerdiscard", s, ["ann@example.com", "ben@example.com"], ["X-Lab: discard"])
        self.expect(s, discarded=2)

    def refusals(self):
        hue, add = "hue@example.org", self.truth.add
        self.smtp("relaydenied", hue, ["ann@example.com", "ben@example.com"], connect=OUTSIDE)
        self.smtp("denied", hue, ["denied@example.com"])
        self.smtp("deniedone", hue, ["denied@example.com", "ann@example.com", "tempdenied@example.com"])
        self.smtp("unknownlocal", hue, ["nobody-here@" + self.mta.host])
        self.smtp("unknownvirtual", hue, ["nobody-here@virtual.example.org"])
        self.smtp("banned", "banned@example.org", ["ann@example.com"])
        self.smtp("tempbanned", "tempbanned@example.org", ["ann@example.com"])
        self.smtp("badhelo", hue, ["ann@example.com"], connect=dict(helo="bad.example.net", address="10.64.1.3"))
        self.smtp("sizeoption", hue, ["ann@example.com"], options=["SIZE=99999999"])
        self.smtp("header", hue, ["ann@example.com"], ["X-Lab: reject from me[192.0.2.9]; from=<a@b>"])
        self.smtp("warned", hue, ["warned@example.com"])
        self.smtp("headerwarn", hue, ["ann@example.com"], ["X-Lab: warn", "Subject: seen"])
        self.smtp("prepend", hue, ["ann@example.com"], ["X-Lab: prepend"])
        self.smtp("redirect", hue, ["redirected@example.com"])
        for how in (["holdme@example.com"], []), (["ann@example.com"], ["X-Lab: hold"]):
            self.smtp("hold", hue, *how)
            self.expect(hue, held=1)
        client = self.connect(helo="mail.outside.example")
        client.ehlo()
        client.docmd("NONSENSE", "x = y => z")
        client.docmd("DATA")
        client.docmd("MAIL", "FROM:<no-bracket@example.org")
        client.mail(hue)
        code, _ = client.rcpt("denied@example.com")
        add(hue, rejected=int(code >= 500))
        client.close()                              # lost connection after RCPT
        self.mta.settle()

    def bounces(self):
        s, dump = "hue@example.org", "wikidump@example.org"
        self.smtp("bounce", s, ["bounce@example.com"])
        self.expect(s, bounces=1)
        self.smtp("bouncemulti", s, ["bouncemulti@example.com", "ann@example.com"])
        self.expect(s, bounces=1)
        self.smtp("bouncedata", s, ["databounce@example.com"])
        self.expect(s, bounces=1)
        # The sink refuses this sender at MAIL; the notification has the empty sender, and arrives
        self.smtp("mailbounce", "mailbounce@example.org", ["ann@example.com"])
        self.expect("mailbounce@example.org", bounced=1, bounces=1)
        self.smtp("badcommand", s, ["badpipe@" + self.mta.host])
        self.expect(s, bounced=1, bounces=1)
        # smtpd would refuse these; sendmail takes what comes
        for case, rcpt in (("unknown", "nobody-here@" + self.mta.host), ("unknownbox", "nobody-here@virtual.example.org"),
                           ("gone", "x@gone.example.net")):
            self.local(case, dump, [rcpt, "ann@example.com"])
            self.expect(dump, bounced=1, bounces=1)
        # The notification bounces too, and that is its end
        self.smtp("double", "bounce1@example.org", ["bounce@example.com"])
        self.expect("bounce1@example.org", bounces=1)

    def deferrals(self):
        """First attempts only; what becomes of them is in `retries`."""
        s = "oozie@example.org"
        self.smtp("defer2", s, ["defer2@example.com"])
        self.smtp("defermixed", s, ["defer1@example.com", "ann@example.com", "bounce@example.com"])
        self.expect(s, bounces=1)
        self.smtp("full", s, ["full1@example.com"])
        self.smtp("dataonce", s, ["datadefer1@example.com"])
        self.smtp("busy", s, ["busy1@busy.example.net"])
        self.smtp("drop", s, ["drop1@flaky.example.net"])
        self.smtp("forever", s, ["defer@example.com"])
        self.smtp("refused", s, ["ann@refused.example.net", "ben@refused.example.net"])
        self.expect(s, deferred_attempts=2)
        for n in range(3):
            # From the second on the destination is known to be dead: deferred, and nothing was tried
            self.smtp("late%d" % n, s, ["late%d@late.example.net" % n])
            self.expect(s, deferred_attempts=1)
        self.local("later", s, ["x@later.example.net"])
        self.expect(s, deferred_attempts=1)
        self.smtp("badpipe", s, ["x@badpipe.example.net"])
        self.expect(s, deferred_attempts=1)

    def retries(self):
        """Flushes. Without a witness in the sink: refused (2 recipients), late (3 messages), later, badpipe."""
        s = "oozie@example.org"
        self.mta.flush()
        self.expect(s, deferred_attempts=2 + 3 + 1 + 1)
        self.sink.open("late")
        self.mta.flush()
        self.expect(s, deferred_attempts=2 + 1 + 1)
        ids = {m["case"]: m["queue_id"] for m in self.truth.messages}
        later = [m["queue_id"] for m in self.mta.queue() if m["recipients"][0]["address"] == "x@later.example.net"]
        self.mta.command("postsuper", "-d", later[0])
        self.expect(s, cancelled=1)
        held = [m["queue_id"] for m in self.mta.queue() if m["queue_name"] == "hold"]
        self.mta.command("postsuper", "-H", held[0])
        self.mta.command("postsuper", "-e", ids["badpipe"])
        self.mta.flush()
        # Given up without another attempt
        self.expect(s, deferred_attempts=2, expired=1, bounces=1)
        # The sender is told that it takes long. The time for that is written into the message as it arrives.
        self.mta.reload(delay_warning_time="1s")
        self.smtp("slow", "sentry@example.org", ["defer2.slow@example.com"])
        time.sleep(1.2)
        self.mta.flush()
        self.expect(s, deferred_attempts=2)
        self.expect("sentry@example.org", bounces=1)
        self.mta.reload(delay_warning_time="0h", maximal_queue_lifetime="1s", bounce_queue_lifetime="1s")
        self.mta.flush()
        self.expect(s, deferred_attempts=2, expired=2, bounces=2)

    PARTS = (deliveries, no_mail_out, refusals, bounces, deferrals, retries)

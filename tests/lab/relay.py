"""`--relay`: a service's host with an Exim of its own, a relay's Exim, and the sink behind it.

Every mail stands in two logs under two IDs and one Message-ID, and counts once. In the middle of the
run the relay is stopped: it logs nothing at all, while the sender's host logs `Connection refused`,
deferrals, then `retry time not reached`, and delivers when the relay is back.
"""
import os

import mta
import postfix
from scenario import Scenario
from sink import Sink
from truth import Truth

SENDER_HOST = "phab1001.example.org"
SMARTHOST = """smart_route:
  driver = manualroute
  domains = ! +local_domains
  route_list = * 127.0.0.1::%d
  transport = remote_smtp
  self = send
"""


def run(out, selector, work):
    if selector.startswith("syslog"):
        raise SystemExit("exim_lab: --relay writes to files; choose another selector")
    sink = Sink()
    paths = {hop: os.path.join(work, hop) for hop in ("sender", "relay")}
    for path in paths.values():
        os.rename(mta.folder(), path)
    relay = mta.Exim(paths["relay"], selector, ports={"SINK": sink.listen("sink")})
    sender = mta.Exim(paths["sender"], selector, host=SENDER_HOST, smarthost=SMARTHOST % relay.port)
    return outage(out, sender, relay, sink, paths, selector=selector)


def run_postfix(out, ids, work):
    """The same with a Postfix for a relay."""
    sink = Sink()
    paths = {hop: os.path.join(work, hop) for hop in ("sender", "relay")}
    os.rename(mta.folder(), paths["sender"])
    os.mkdir(paths["relay"])
    ports = dict.fromkeys(("FLAKY", "SECOND", "REFUSED", "LATE"), sink.listen("refused", later=True))
    relay = postfix.Postfix(paths["relay"], ids, dict(ports, SINK=sink.listen("sink")))
    sender = mta.Exim(paths["sender"], "default", host="app1.example.org", smarthost=SMARTHOST % relay.port)
    return outage(out, sender, relay, sink, paths, ids=ids, postfix=relay.version())


def outage(out, sender, relay, sink, paths, **lab):
    truth = Truth()
    try:
        relay.start()
        sender.start()
        phases = talk(sender, relay, sink, truth)
        left = sender.senders_left()
    finally:
        sender.stop()
        relay.close()
        mta.kill_leftovers()
        sink.close()
        for hop, path in paths.items():
            mta.keep_logs(path, os.path.join(out, hop))
    truth.from_journal(sink.journal)
    truth.close_messages(left)
    ids = {e["message_id"]: e["queue_ids"] for e in sink.journal if e["outcome"] == "accepted"}
    for message in truth.messages:
        # Received headers, newest first: the relay's ID, then the sender host's
        message.pop("queue_id")
        message["relay_id"], message["sender_id"] = (ids.get(message["message_id"]) or [None, None])[:2]
    # Messages of the first hop: all but the relay's own bounce. The relay has its bounce, and all but the
    # one that it refused.
    everything = sum(c["messages"] for c in truth.senders.values())
    hops = {"sender": everything - 1, "relay": everything - 1}
    return truth.write(os.path.join(out, "truth.json"), sink.journal, phases=phases, messages_by_host=hops,
                       rejected_by_host={"sender": 0, "relay": 1}, hosts={"sender": sender.host, "relay": relay.host},
                       exim=sender.version(), timezone="UTC", **lab)


class Host(Scenario):
    """Waits for both Exims."""

    def __init__(self, sender, relay, sink, truth):
        super().__init__(sender, sink, truth)
        sender.settle = lambda: self.both(sender, relay)

    @staticmethod
    def both(sender, relay):
        """Mail goes to and fro: a bounce of the relay's is a message for the sender's host no more than for the sink."""
        mta.Exim.settle(sender, [sender.daemon, relay.daemon], others=relay.processes)
        relay.settle([sender.daemon, relay.daemon])


def talk(sender, relay, sink, truth):
    """Returns case -> phase. Counts are of the sender's host; `delivered` is the sink's."""
    host = Host(sender, relay, sink, truth)
    phab, cron = "phabricator@example.org", "cron@example.org"
    plain = dict(connect=dict(helo="localhost"))
    for n in range(4):
        host.smtp("before%d" % n, phab, ["before%d@example.com" % n], **plain)
    host.local("beforelocal", cron, ["ops@example.com", "root@example.net"])
    # Refused by the relay: bounced on the sender's host; the bounce too goes out through the relay
    host.local("denied", cron, ["denied@example.com"])
    host.expect(cron, bounced=1, bounces=1)
    # Taken by the relay, refused behind it: the bounce is the relay's, and the sender's host never knows
    host.smtp("bouncelater", phab, ["bounce@example.com"], **plain)
    truth.add("", messages=1, recipients=1)

    relay.stop()
    host.smtp("down0", phab, ["down0@example.com"], **plain)
    host.expect(phab, deferred_attempts=1)
    for n in (1, 2):
        host.smtp("down%d" % n, phab, ["down%d@example.com" % n], **plain)
        host.expect(phab, retry_not_reached=1)
    host.local("downlocal", cron, ["ops@example.com", "root@example.net"])
    host.expect(cron, retry_not_reached=2)
    host.queue_run("-q")
    host.expect(phab, retry_not_reached=3)
    host.expect(cron, retry_not_reached=2)
    host.queue_run("-qff")
    host.expect(phab, deferred_attempts=3)
    host.expect(cron, deferred_attempts=2)

    relay.start()
    host.queue_run("-qff")
    relay.run_queue()                              # an Exim took four in one connection, and queued the fourth
    sender.settle()
    for n in range(2):
        host.smtp("after%d" % n, phab, ["after%d@example.com" % n], **plain)
    return {m["case"]: "down" if m["case"].startswith("down") else "up" for m in truth.messages}

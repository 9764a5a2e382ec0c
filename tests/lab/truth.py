"""What was really sent, and what really became of it; collected from the clients' side and the sink's.

Nothing here reads a log. Three witnesses: the replies that the clients got, the sink's journal,
and files that pipe, file and mailbox deliveries wrote. What none of them sees (an unroutable address, a
refused port, a discarded recipient) is declared by the scenario, which knows its configuration.
"""
import json
from collections import Counter, defaultdict

KEYS = ("messages", "recipients", "delivered", "cutthrough", "deferred_attempts", "retry_not_reached",
        "bounced", "cancelled", "rejected", "temp_rejected", "discarded", "blackholed", "pipe", "file", "local",
        "autoreply", "suppressed", "fakereject", "frozen", "completed")


class Truth:
    def __init__(self, keys=KEYS):
        self.keys = keys
        self.senders = defaultdict(Counter)
        self.messages = []

    def add(self, sender, **counts):
        for key, count in counts.items():
            assert key in self.keys, key
            self.senders[sender or "<>"][key] += count

    def message(self, case, sender, recipients, **more):
        self.messages.append(dict(case=case, sender=sender or "<>", recipients=recipients, **more))

    def from_journal(self, journal):
        """The sink's view: deliveries, deferrals and refusals of recipients."""
        ids = {e["message_id"]: e["queue_ids"][0] for e in journal if e.get("queue_ids")}
        for message in self.messages:              # local submission does not say its ID; the Received header does
            message["queue_id"] = message["queue_id"] or ids.get(message["message_id"])
        for entry in journal:
            cut = entry["recipient"].endswith("@cut.example.net")
            if entry["outcome"] == "accepted":
                self.add(entry["sender"], **{"cutthrough" if cut else "delivered": 1})
            elif entry["outcome"] in ("deferred", "dropped") and not cut:
                self.add(entry["sender"], deferred_attempts=1)
            elif entry["outcome"] == "refused" and not cut:
                self.add(entry["sender"], bounced=1)

    def close_messages(self, left):
        """Completed is what was accepted and is no longer on the queue; `left` counts that by sender."""
        for sender, counts in self.senders.items():
            counts["completed"] = counts["messages"] - left.get(sender, 0)

    def write(self, path, journal, **lab):
        senders = {s: {k: c[k] for k in self.keys} for s, c in sorted(self.senders.items())}
        totals = {k: sum(c[k] for c in senders.values()) for k in self.keys}
        sink = Counter(entry["outcome"] for entry in journal)
        with open(path, "w") as target:
            json.dump({"lab": lab, "totals": totals, "senders": senders, "sink": dict(sink),
                       "messages": self.messages, "journal": journal}, target, indent=1, ensure_ascii=False)
            target.write("\n")
        return totals

"""/dev/log for a machine without a syslogd: writes the lines as rsyslog's traditional format has them.

Exim's three logs come at three priorities: main log INFO, reject log NOTICE, panic log ALERT. The file
`mainlog` gets what rsyslog's `mail.=info` would select, `mail.log` what `mail.*` would: in that one a
rejection stands twice, as on a real host where nobody set `syslog_duplication = false`.
"""
import os
import re
import socket
import threading

DEV_LOG = "/dev/log"


class Syslogd:
    def __init__(self, folder, host):
        if os.path.exists(DEV_LOG):
            raise FileExistsError(DEV_LOG)
        self.host = host
        self.main = open(os.path.join(folder, "mainlog"), "wb")
        self.all = open(os.path.join(folder, "mail.log"), "wb")
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.sock.bind(DEV_LOG)
        os.chmod(DEV_LOG, 0o666)
        self.thread = threading.Thread(target=self._run, daemon=True)
        self.thread.start()

    def _run(self):
        while True:
            data = self.sock.recv(65536)
            if data == b"stop":
                return
            # glibc sends `<22>Nov 23 05:30:00 exim[123]: text`, without a host name
            found = re.match(rb"<(\d+)>(\w{3} [ \d]\d \d\d:\d\d:\d\d) (.*)", data.rstrip(b"\n\0"), re.S)
            if not found:
                continue
            # rsyslog escapes control characters as #ooo
            text = re.sub(rb"[\x00-\x1f\x7f]", lambda c: b"#%03o" % c.group(0)[0], found.group(3))
            line = b"%s %s %s\n" % (found.group(2), self.host.encode(), text)
            self.all.write(line)
            if int(found.group(1)) & 7 == 6:
                self.main.write(line)

    def close(self):
        """Takes what is still waiting in the socket, then goes."""
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as me:
            me.sendto(b"stop", DEV_LOG)
        self.thread.join(5)
        self.sock.close()
        os.unlink(DEV_LOG)
        self.main.close()
        self.all.close()

"""The measuring half of serve.sh, which sets the environment."""
import http.client
import json
import os
import re
import resource
import socket
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.parse

MAILPULSE, CONFIG, REST_S = os.environ["MAILPULSE"], os.environ["CONFIG"], float(os.environ["REST_S"])
# For so long an answer is given again without a look at the store.
TICK_S = 2
STREAMS = 50
# Services whose pages and graphs are opened.
SERVICES = int(os.environ.get("SERVICES", "5"))
TIMES = 5
TICKS_A_SECOND = os.sysconf("SC_CLK_TCK")


class Serve:
    """A server that has said that it is ready."""

    def __init__(self):
        folder = tempfile.mkdtemp()
        notify = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        notify.bind(folder + "/notify")
        notify.settimeout(300)
        begin = time.monotonic()
        self.child = subprocess.Popen(
            [MAILPULSE, "--config", CONFIG, "serve", "--listen", "127.0.0.1:0"],
            stderr=subprocess.PIPE, env=dict(os.environ, NOTIFY_SOCKET=folder + "/notify"))
        said = b""
        while b"pages: http" not in said:
            line = self.child.stderr.readline()
            if not line:
                sys.exit("serve.py: it ended: " + said.decode())
            said += line
        self.port = int(re.search(rb"pages: http://127\.0\.0\.1:(\d+)/", said).group(1))
        self.listens_s = time.monotonic() - begin
        while not os.environ.get("UNREADY") and b"READY=1" not in notify.recv(4096):
            pass
        self.ready_s = time.monotonic() - begin

    def ask(self, path):
        """Status, type, body, and seconds from the connection to the last byte."""
        begin = time.monotonic()
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=300)
        connection.request("GET", path)
        answer = connection.getresponse()
        body = answer.read()
        seconds = time.monotonic() - begin
        connection.close()
        return answer.status, answer.getheader("content-type"), body, seconds

    def timed(self, path):
        """Body, and wall and processor seconds."""
        before = self.cpu_s()
        status, _, body, seconds = self.ask(path)
        while status == 503 and b"still being computed" in body:
            status, _, body, more = self.ask(path)
            seconds += more
        if status != 200:
            sys.exit("serve.py: %s: status %d: %s" % (path, status, body.decode(errors="replace")))
        return body, (seconds, self.cpu_s() - before)

    def cpu_s(self):
        with open("/proc/%d/stat" % self.child.pid) as file:
            words = file.read().rsplit(") ", 1)[1].split()
        return (int(words[11]) + int(words[12])) / TICKS_A_SECOND

    def resident_mb(self):
        with open("/proc/%d/status" % self.child.pid) as file:
            return int(re.search(r"VmRSS:\s+(\d+)", file.read()).group(1)) / 1024

    def rests(self):
        """Per cent of a core while nothing is asked, and the memory at its end."""
        before, begin = self.cpu_s(), time.monotonic()
        time.sleep(REST_S)
        return 100 * (self.cpu_s() - before) / (time.monotonic() - begin), self.resident_mb()

    def stream(self):
        connection = socket.create_connection(("127.0.0.1", self.port))
        connection.sendall(b"GET /events HTTP/1.1\r\nHost: localhost\r\n\r\n")
        if b" 200 " not in connection.recv(256):
            sys.exit("serve.py: a stream was refused")
        return connection


def line(name, value, wanted=""):
    print("%-52s %36s  %s" % (name, value, wanted), flush=True)


def ms(seconds):
    return "%.0f ms" % (1000 * seconds)


def spread(all_s):
    wall, cpu = zip(*all_s)
    return "%s (max. %s, CPU %s)" % (ms(statistics.median(wall)), ms(max(wall)), ms(statistics.mean(cpu)))


def whole(server, path):
    """Bytes of a page with all that it loads."""
    page, _ = server.timed(path)
    loaded = set(re.findall(r'(?:src|href)="([^"]*\.(?:css|js|svg|png)[^"]*)"', page.decode()))
    # Links to the forms of a graph are not loaded.
    loaded = [urllib.parse.unquote(link) for link in loaded if "/static/" in link]
    return len(page) + sum(len(server.timed(link)[0]) for link in loaded)


def of_pages(server, services):
    line("the same again", spread([server.timed("/")[1] for _ in range(20)]), "< 200 ms")
    again = []
    for _ in range(TIMES):
        time.sleep(TICK_S + 0.2)
        again.append(server.timed("/")[1])
    line("the same after it was looked for rows", spread(again), "< 200 ms")
    first = [server.timed("/service?name=" + name)[1] for name in services]
    line("page of a service, first time", spread(first))
    line("page of a service, again", spread([server.timed("/service?name=" + name)[1] for name in services]))
    for path in ["/", "/service?name=" + services[0], "/relay?name=mx1001", "/incident?from=-24h", "/routes", "/sources"]:
        line("size of %s with all it loads" % path, "%.0f KB" % (whole(server, path) / 1000), "< 300 KB")


def of_graphs(server, services):
    for range_ in ["-24h", "-7d", "-28d"]:
        for form in ["svg", "png", "json"]:
            first, again = [], []
            for name in services:
                path = "/graph.%s?name=%s&from=%s" % (form, name, range_)
                # Each form of its own: the rates of a graph are kept for all forms.
                path += "&kind=accepted" if form == "png" else "&by=service" if form == "json" else ""
                first.append(server.timed(path)[1])
                again.append(server.timed(path)[1])
            line("graph.%s of a service, %s, first time" % (form, range_), spread(first), "< 300 ms")
            line("graph.%s of a service, %s, again" % (form, range_), spread(again), "< 300 ms")


def main():
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    server = Serve()
    line("from the start until it listens", ms(server.listens_s))
    line("from the start until it is ready", ms(server.ready_s))
    cpu, idle_mb = server.rests()
    line("idle after the start: CPU", "%.2f %%" % cpu, "< 0.1 %")
    line("idle after the start: memory", "%.0f MB" % idle_mb, "< 60 MB")
    first = server.timed("/")[1]
    line("first page after the start", spread([first]), "< 200 ms")
    names = [row["name"] for row in json.loads(server.timed("/api/v1/services")[0])][:SERVICES]
    of_pages(server, names)
    of_graphs(server, names)
    cpu, mb = server.rests()
    line("idle after all that: CPU", "%.2f %%" % cpu)
    line("idle after all that: memory", "%.0f MB" % mb)
    streams = [server.stream() for _ in range(STREAMS)]
    cpu, with_streams = server.rests()
    line("%d open streams: CPU" % STREAMS, "%.2f %%" % cpu, "< 10 %")
    line("%d open streams: memory beyond that" % STREAMS, "%.1f MB" % (with_streams - mb), "< 50 MB")
    begin = time.monotonic()
    server.child.terminate()
    server.child.wait()
    line("end with %d open streams" % STREAMS, ms(time.monotonic() - begin), "< 2000 ms")
    del streams


if __name__ == "__main__":
    main()

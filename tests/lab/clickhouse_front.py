#!/usr/bin/env python3
"""A server for tests: the engine of ClickHouse (PyPI: chdb-core) behind its HTTP interface, on loopback.

    clickhouse_front.py DATA_FOLDER PORT_FILE [--user NAME --password WORD] [--clock-ahead SECONDS] [--tls PEM]
                        [--profile NAME=VALUE]... [--fixed NAME]... [--deaf NAME]... [--unknown NAME]...

The profile of the user: values (--profile), settings that may not be changed (--fixed, code 452), settings that a proxy in
between takes out (--deaf), and settings that an older server does not have (--unknown, code 115).

Types, SQL, MergeTree and deduplication are the engine's own; only the HTTP is ours: the query in the URL or the body, the
body behind an INSERT as its data, parameters (`param_x`), settings, database, user and password, errors as ClickHouse
words them. One query at a time.

Faults are ordered by files in DATA_FOLDER/faults, each used once and removed:

    lose-answer     the next INSERT is committed, and its connection closed without an answer
    refuse          the next INSERT fails for ever (code 53)
    unavailable     the next request is answered 503
    die-before      the process ends when the next INSERT has come, before it is committed
    die-after       the process ends after it is committed, without an answer
    hang            the next INSERT waits a minute before it is begun
    cut             holds a number N: the N-th statement from now that changes something is carried out, and its connection
                    closed without an answer
"""
import argparse
import http.server
import os
import re
import ssl
import sys
import threading
import time
import urllib.parse

from chdb import session

ENGINE = threading.Lock()
OURS = {"query", "database", "user", "password", "default_format", "compress", "decompress", "wait_end_of_query"}
INSERT = re.compile(r"(?is)^\s*(insert\s+into\s+.*?)\s+format\s+(\w+)\s*$")


def fields(body, boundary):
    """The fields of a form: parameters of a query come as such."""
    found = {}
    for part in body.decode().split("--" + boundary):
        head, _, value = part.partition("\r\n\r\n")
        name = re.search(r'name="([^"]*)"', head)
        if name:
            found[name.group(1)] = value.removesuffix("\r\n")
    return found


class Front(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *_):
        pass

    def fault(self, name):
        path = os.path.join(self.server.faults, name)
        try:
            os.remove(path)
        except FileNotFoundError:
            return False
        return True

    def body(self):
        if self.headers.get("Transfer-Encoding", "").lower() != "chunked":
            return self.rfile.read(int(self.headers.get("Content-Length") or 0))
        parts = []
        while True:
            size = int(self.rfile.readline().split(b";")[0], 16)
            parts.append(self.rfile.read(size))
            self.rfile.readline()
            if not size:
                return b"".join(parts)

    def answer(self, status, body, code=None):
        self.send_response(status)
        self.send_header("Content-Type", "text/plain; charset=UTF-8")
        self.send_header("Content-Length", str(len(body)))
        if code is not None:
            self.send_header("X-ClickHouse-Exception-Code", str(code))
        self.end_headers()
        self.wfile.write(body)

    def fail(self, code, words, status=500):
        self.answer(status, ("Code: %d. DB::Exception: %s\n" % (code, words)).encode(), code)

    def do_GET(self):
        self.do_POST()

    def do_POST(self):
        url = urllib.parse.urlparse(self.path)
        args = {key: values[-1] for key, values in urllib.parse.parse_qs(url.query, keep_blank_values=True).items()}
        body = self.body()
        user = self.headers.get("X-ClickHouse-User", args.get("user", "default"))
        word = self.headers.get("X-ClickHouse-Key", args.get("password", ""))
        if (user, word) != (self.server.user, self.server.word):
            return self.fail(516, "%s: Authentication failed: password is incorrect, or there is no user with such name."
                             % user, 403)
        if self.fault("unavailable"):
            return self.answer(503, b"Service Unavailable")
        query = args.get("query")
        boundary = re.search(r"multipart/form-data;.*boundary=(\S+)", self.headers.get("Content-Type", ""))
        if boundary:
            form, body = fields(body, boundary.group(1)), b""
            args.update(form)
            query = form.get("query", query)
        if query is None:
            query, body = body.decode(), b""
        with ENGINE:
            self.run(query, body, args)

    def run(self, query, body, args):
        engine = self.server.engine
        settings = {key: value for key, value in args.items() if key not in OURS and not key.startswith("param_")}
        insert = INSERT.match(query)
        try:
            settings = self.allowed(settings)
            if args.get("database"):
                engine.query("USE `%s`" % args["database"].replace("`", ""))
            for key, value in args.items():
                if key.startswith("param_"):
                    engine.query("SET %s = '%s'" % (key, value.replace("\\", "\\\\").replace("'", "\\'")))
            if insert:
                return self.insert(insert.group(1), insert.group(2), body, settings)
            form = re.search(r"(?is)\bformat\s+(\w+)\s*$", query)
            form_name = form.group(1) if form else args.get("default_format", "TabSeparated")
            if form:
                query = query[:form.start()]
            if settings and re.match(r"(?is)\s*(select|with|show|describe)", query):
                query += " SETTINGS " + ", ".join("%s = '%s'" % (k, v.replace("'", "\\'")) for k, v in settings.items())
            if self.server.clock_ahead:
                query = query.replace("now64(3)", "(now64(3) + INTERVAL %d SECOND)" % self.server.clock_ahead)
            if self.server.unknown:
                names = ", ".join("'%s'" % name for name in self.server.unknown)
                query = query.replace("system.settings", "(SELECT * FROM system.settings WHERE name NOT IN (%s))" % names)
            result = engine.query(query, form_name)
            if self.is_cut(query):
                self.close_connection = True
                return None
            self.answer(200, result.bytes() if result else b"")
        except Exception as error:  # whatever the engine says goes to the client
            self.refused(error)

    def allowed(self, settings):
        """What is left of a client's settings."""
        for name, value in settings.items():
            if name in self.server.unknown:
                raise RuntimeError("Code: 115. DB::Exception: Setting %s is neither a builtin setting nor started with the "
                                   "prefix 'SQL_'. (UNKNOWN_SETTING)" % name)
            if name in self.server.fixed:
                now = self.server.engine.query("SELECT value FROM system.settings WHERE name = '%s'" % name, "TSV")
                if now.bytes().decode().strip() != value:
                    raise RuntimeError("Code: 452. DB::Exception: Setting %s should not be changed. "
                                       "(SETTING_CONSTRAINT_VIOLATION)" % name)
        return {name: value for name, value in settings.items() if name not in self.server.deaf}

    def is_cut(self, query):
        """Whether this statement is the one whose answer is not to come."""
        if not re.match(r"(?is)\s*(create|alter|grant|insert|drop)\b", query):
            return False
        path = os.path.join(self.server.faults, "cut")
        try:
            with open(path) as file:
                left = int(file.read()) - 1
        except FileNotFoundError:
            return False
        if left > 0:
            with open(path, "w") as file:
                file.write(str(left))
        else:
            os.remove(path)
        return left == 0

    def insert(self, statement, form, body, settings):
        if self.fault("hang"):
            time.sleep(60)
        if self.fault("refuse"):
            return self.fail(53, "Type mismatch (as the test ordered). (TYPE_MISMATCH)")
        if self.fault("die-before"):
            os._exit(9)
        words = ", ".join("%s = '%s'" % (key, value.replace("'", "\\'")) for key, value in settings.items())
        with self.server.engine.send_insert("%s SETTINGS %s" % (statement, words) if words else statement, form) as stream:
            for at in range(0, len(body), 1 << 16):
                stream.append(body[at:at + (1 << 16)])
            stream.finish()
        if self.fault("die-after"):
            os._exit(9)
        if self.fault("lose-answer"):
            self.close_connection = True
            return None
        return self.answer(200, b"")

    def refused(self, error):
        words = str(error)
        code = re.search(r"Code: (\d+)", words)
        words = re.sub(r"^.*?DB::Exception: ", "", words, flags=re.S)
        self.fail(int(code.group(1)) if code else 1002, words, 404 if code and code.group(1) in ("60", "81") else 500)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("data")
    parser.add_argument("port_file")
    parser.add_argument("--user", default="default")
    parser.add_argument("--password", default="")
    parser.add_argument("--port", type=int, default=0)
    parser.add_argument("--clock-ahead", type=int, default=0, metavar="SECONDS", help="a clock that is wrong")
    parser.add_argument("--tls", metavar="PEM", help="a certificate and its key: speak TLS")
    for name in ("--profile", "--fixed", "--deaf", "--unknown"):
        parser.add_argument(name, action="append", default=[])
    args = parser.parse_args()
    faults = os.path.join(args.data, "faults")
    os.makedirs(faults, exist_ok=True)
    server = http.server.ThreadingHTTPServer(("127.0.0.1", args.port), Front)
    server.daemon_threads = True
    if args.tls:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(args.tls)
        server.socket = context.wrap_socket(server.socket, server_side=True, do_handshake_on_connect=False)
    server.engine, server.faults = session.Session(os.path.join(args.data, "engine")), faults
    server.user, server.word = args.user, args.password
    server.clock_ahead = args.clock_ahead
    server.fixed, server.deaf, server.unknown = args.fixed, args.deaf, args.unknown
    for pair in args.profile:
        server.engine.query("SET %s = '%s'" % tuple(pair.split("=", 1)))
    with open(args.port_file + ".new", "w") as out:
        out.write(str(server.server_address[1]))
    os.rename(args.port_file + ".new", args.port_file)
    try:
        server.serve_forever()
    except KeyboardInterrupt:
        sys.exit(0)


if __name__ == "__main__":
    main()

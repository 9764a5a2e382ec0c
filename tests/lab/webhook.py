"""Takes POSTs on a loopback port and writes each as a line of JSON: webhook.py OUT [CERT KEY]. Prints its port first."""

import http.server
import json
import ssl
import sys
import time


class Hook(http.server.BaseHTTPRequestHandler):
    def do_POST(self):
        body = self.rfile.read(int(self.headers["Content-Length"])).decode()
        with open(sys.argv[1], "a", encoding="utf-8") as out:
            line = {"at": time.time(), "path": self.path, "body": body, "signature": self.headers.get("X-Mailpulse-Signature")}
            out.write(json.dumps(line) + "\n")
        self.send_response(200)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *_):
        pass


server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Hook)
if len(sys.argv) > 2:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(sys.argv[2], sys.argv[3])
    server.socket = context.wrap_socket(server.socket, server_side=True)
print(server.server_port, flush=True)
server.serve_forever()

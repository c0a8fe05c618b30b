#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""tokens.py - a token service for Debian's docker-registry, for tests.

usage: tokens.py CERT KEY LOG

Signs what is asked for (docker's "Token Authentication Implementation"): by
Basic as me:secret, or by a refresh token "r3fresh". Prints its port. LOG has a
line for each request: method, who, scope.
"""
import base64
import json
import subprocess
import sys
import time
import urllib.parse
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

CERT, KEY, LOG = sys.argv[1:4]
ME = "Basic " + base64.b64encode(b"me:secret").decode()
DER = "".join(
    line for line in open(CERT, encoding="ascii").read().splitlines()
    if not line.startswith("-")
)


def b64(data):
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def sign(claims):
    head = {"typ": "JWT", "alg": "RS256", "x5c": [DER]}
    text = ".".join(b64(json.dumps(o).encode()) for o in (head, claims))
    sig = subprocess.run(
        ["openssl", "dgst", "-sha256", "-sign", KEY],
        input=text.encode(), capture_output=True, check=True,
    ).stdout
    return text + "." + b64(sig)


def token(service, scope):
    access = []
    for one in scope.split():
        kind, name, actions = one.split(":")
        access.append(
            {"type": kind, "name": name, "actions": actions.split(",")}
        )
    now = int(time.time())
    return sign({
        "iss": "tests", "sub": "me", "aud": service, "access": access,
        "iat": now, "nbf": now - 10, "exp": now + 300, "jti": str(now),
    })


class Handler(BaseHTTPRequestHandler):
    def log_message(self, format, *args):
        pass

    def answer(self, who, args):
        scope = args.get("scope", "")
        with open(LOG, "a", encoding="utf-8") as f:
            f.write(f"{self.command} {who} {scope}\n")
        if who == "nobody":
            body, status = b'{"errors": []}', 401
        else:
            key = "access_token" if self.command == "POST" else "token"
            text = token(args.get("service", ""), scope)
            body, status = json.dumps({key: text}).encode(), 200
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def do_GET(self):
        query = urllib.parse.urlparse(self.path).query
        good = self.headers.get("Authorization") == ME
        self.answer(
            "basic" if good else "nobody", dict(urllib.parse.parse_qsl(query))
        )

    def do_POST(self):
        n = int(self.headers.get("Content-Length", 0))
        args = dict(urllib.parse.parse_qsl(self.rfile.read(n).decode()))
        good = args.get("refresh_token") == "r3fresh"
        self.answer("refresh" if good else "nobody", args)


server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
print(server.server_port, flush=True)
server.serve_forever()

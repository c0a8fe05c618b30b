#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""registry.py - a registry with bad habits, for tests.

usage: registry.py LAYOUT LOG

Serves the first image of an OCI layout under every name; the first part of a
name says what goes wrong (see the table HABITS). Prints its port, and the
one of another host to which blobs are redirected. LOG has a line for each
request: port, method, path, range and authorization.
"""
import base64
import json
import pathlib
import sys
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

LAYOUT, LOG = pathlib.Path(sys.argv[1]), sys.argv[2]
INDEX = json.loads((LAYOUT / "index.json").read_text())
FIRST = INDEX["manifests"][0]
PIECE = 100_000
seen = {}
ports = []


def blob(digest):
    return (LAYOUT / "blobs" / digest.replace(":", "/")).read_bytes()


def once(what):
    """Whether what is asked for the first time."""
    seen[what] = seen.get(what, 0) + 1
    return seen[what] == 1


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, format, *args):
        with open(LOG, "a", encoding="utf-8") as f:
            f.write(
                f"{self.server.server_port} {self.command} {self.path} "
                f"{self.headers.get('Range', '-')} "
                f"{self.headers.get('Authorization', '-')}\n"
            )

    def say(self, status, body, kind="application/json", **more):
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        for name, value in more.items():
            self.send_header(name.replace("_", "-"), value)
        self.end_headers()
        self.wfile.write(body)

    def no(self, status, text, **more):
        body = json.dumps({"errors": [{"code": "X", "message": text}]})
        self.say(status, body.encode(), **more)

    def part(self, data):
        """All of it, or from the byte on that is asked for."""
        asked = self.headers.get("Range")
        if not asked:
            self.say(200, data, "application/octet-stream")
            return
        at = int(asked[6:].split("-")[0])
        self.say(
            206, data[at:], "application/octet-stream",
            Content_Range=f"bytes {at}-{len(data) - 1}/{len(data)}",
        )

    # ---- habits, by the first part of the name ----

    def html(self, what, ref):
        self.say(200, b"<html>please log in</html>", "text/html")
        return True

    def circle(self, what, ref):
        self.say(302, b"", Location=self.path)
        return True

    def away(self, what, ref):
        if what != "blobs" or self.server.server_port != ports[0]:
            return False
        self.say(302, b"", Location=f"http://localhost:{ports[1]}{self.path}")
        return True

    def busy(self, what, ref):
        if not once(self.path):
            return False
        self.no(429, "too many requests", Retry_After="1")
        return True

    def huge(self, what, ref):
        if what != "manifests":
            return False
        self.send_response(200)
        self.end_headers()
        try:
            for _ in range(100):
                self.wfile.write(b" " * (1 << 20))
        except OSError:
            pass
        self.close_connection = True
        return True

    def old(self, what, ref):
        self.say(
            200,
            b'{"schemaVersion": 1, "fsLayers": []}',
            "application/vnd.docker.distribution.manifest.v1+prettyjws",
        )
        return True

    def lying(self, what, ref):
        if what != "blobs":
            return False
        data = blob(ref)
        self.say(200, data[:-1] + b"x", "application/octet-stream")
        return True

    def longer(self, what, ref):
        if what != "blobs":
            return False
        self.say(200, blob(ref) + b"x", "application/octet-stream")
        return True

    def swapped(self, what, ref):
        if what != "manifests":
            return False
        data = blob(FIRST["digest"]) + b" "
        self.say(
            200, data, FIRST["mediaType"],
            Docker_Content_Digest=FIRST["digest"],
        )
        return True

    def drops(self, what, ref):
        """The connection, after every piece."""
        if what != "blobs":
            return False
        data, at = blob(ref), 0
        asked = self.headers.get("Range")
        if asked:
            at = int(asked[6:].split("-")[0])
        self.send_response(206 if asked else 200)
        self.send_header("Content-Length", str(len(data) - at))
        if asked:
            self.send_header(
                "Content-Range", f"bytes {at}-{len(data) - 1}/{len(data)}"
            )
        self.end_headers()
        self.wfile.write(data[at:at + PIECE])
        self.close_connection = True
        return True

    def slow(self, what, ref):
        """A piece, and then nothing; the next time all is well."""
        if what != "blobs" or not once(self.path):
            return False
        self.send_response(200)
        self.send_header("Content-Length", str(len(blob(ref))))
        self.end_headers()
        self.wfile.write(blob(ref)[:PIECE])
        self.wfile.flush()
        time.sleep(60)
        self.close_connection = True
        return True

    def stalls(self, what, ref):
        """Every time, before a byte or behind some."""
        if what == "blobs":
            self.send_response(200)
            self.send_header("Content-Length", str(len(blob(ref))))
            self.end_headers()
            self.wfile.flush()
        time.sleep(60)
        self.close_connection = True
        return True

    def made(self, what, ref):
        """Manifests that a test has written: made/NAME."""
        if what != "manifests" or ref.startswith("sha256:"):
            return False
        data = (LAYOUT / "made" / self.path.split("/")[3]).read_bytes()
        kind = json.loads(data).get("mediaType", "application/octet-stream")
        self.say(200, data, kind)
        return True

    def astray(self, what, ref):
        """To what is no registry at all."""
        self.say(302, b"", Location="file:///etc/passwd")
        return True

    def escapes(self, what, ref):
        self.no(400, "a \x1b[31mred\nline\x07" + 5000 * "x")
        return True

    def headers(self, what, ref):
        self.send_response(200)
        try:
            for i in range(100):
                self.send_header(f"X-{i}", (1 << 20) * "x")
                self.flush_headers()
            self.end_headers()
        except OSError:
            pass
        self.close_connection = True
        return True

    def closes(self, what, ref):
        self.close_connection = True
        return True

    def garbage(self, what, ref):
        self.wfile.write(b"\0\xff not http at all\r\n\r\n")
        self.close_connection = True
        return True

    def always(self, what, ref):
        self.no(429, "too many requests", Retry_After="1")
        return True

    def fails(self, what, ref):
        self.no(503, "not today")
        return True

    def short(self, what, ref):
        """The same first bytes again and again, whatever is asked for."""
        if what != "blobs":
            return False
        self.say(200, blob(ref)[:50], "application/octet-stream")
        return True

    def other(self, what, ref):
        """Another range than the one that is asked for."""
        if what != "blobs":
            return False
        if self.headers.get("Range"):
            self.say(206, b"x", Content_Range="bytes 0-0/1000000")
            return True
        return self.drops(what, ref)

    def endless(self, what, ref):
        """A blob that does not end, without saying how long it is."""
        if what != "blobs":
            return False
        self.send_response(200)
        self.end_headers()
        try:
            while True:
                self.wfile.write(bytes(1 << 20))
        except OSError:
            pass
        self.close_connection = True
        return True

    def tags(self):
        """A tag a page; of a name that lies, one that is none."""
        name, last = self.path.split("/")[2:4], self.path.split("last=")[1:]
        all = {"lists": ["..;x"], "none": []}.get(name[0], ["1", "2", "3"])
        at = all.index(last[0]) + 1 if last else 0
        more = {}
        if name[0] == "turns":
            at, more = 0, {"Link": f'<{self.path}>; rel="next"'}
        elif at + 1 < len(all):
            path = self.path.split("?")[0] + f"?n=1&last={all[at]}"
            if name[0] == "away":
                path = "http://elsewhere.invalid:1" + path
            more = {"Link": f'<{path}>; rel="next"'}
        body = {"name": "/".join(name), "tags": all[at:at + 1]}
        self.say(200, json.dumps(body).encode(), **more)

    def asks(self, what, ref):
        """For a token, at a service that is none; or at no place at all."""
        realm = {
            "html": f"http://127.0.0.1:{ports[0]}/html",
            "huge": f"http://127.0.0.1:{ports[0]}/huge",
            "file": "file:///etc/passwd",
            "long": "http://" + 1500 * "x",
        }[self.path.split("/")[3]]
        self.no(401, "who is it", WWW_Authenticate=f'Bearer realm="{realm}"')
        return True

    def noblobs(self, what, ref):
        if what != "blobs":
            return False
        self.no(404, "blob unknown")
        return True

    def anew(self, what, ref):
        """Drops it once, and knows no ranges."""
        if what != "blobs" or not once(self.path):
            return False
        data = blob(ref)
        self.send_response(200)
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data[:len(data) // 2])
        self.close_connection = True
        return True

    def basic(self, what, ref):
        want = "Basic " + base64.b64encode(b"me:secret").decode()
        if self.headers.get("Authorization") == want:
            return False
        self.no(401, "who is it", WWW_Authenticate='Basic realm="x"')
        return True

    def token(self, what, ref):
        if self.server.server_port != ports[0]:
            return False
        if self.headers.get("Authorization") == "Bearer t0k":
            return self.away(what, ref)
        self.no(
            401, "who is it",
            WWW_Authenticate=f'Bearer realm="http://127.0.0.1:{ports[0]}'
            '/token",service="us",scope="repository:token/x:pull"',
        )
        return True

    HABITS = {
        f.__name__: f
        for f in (
            html, circle, away, busy, huge, old, lying, longer, swapped,
            made, astray, escapes, headers, closes, garbage, always, fails,
            short, other, endless, asks, drops, slow, stalls, noblobs, anew, basic, token,
        )
    }

    def do_GET(self):
        path = self.path.split("?")[0]
        parts = path.strip("/").split("/")
        if path == "/token":
            self.log_message("")
            self.say(200, b'{"token": "t0k"}')
            return
        if path == "/html":
            self.html("", "")
            return
        if path == "/huge":
            self.huge("manifests", "")
            return
        if path == "/v2/":
            if not self.basic("", ""):
                self.say(200, b"{}")
            return
        if len(parts) < 4 or parts[0] != "v2":
            self.no(404, "no such path")
            return
        what, ref = parts[-2:]
        if what == "tags":
            self.tags()
            return
        habit = self.HABITS.get(parts[1])
        if habit and habit(self, what, ref):
            return
        try:
            if what == "manifests":
                ref = ref if ref.startswith("sha256:") else FIRST["digest"]
                data = blob(ref)
                kind = json.loads(data).get("mediaType", FIRST["mediaType"])
                self.say(200, data, kind)
            else:
                self.part(blob(ref))
        except OSError:
            self.no(404, "blob unknown")


servers = [ThreadingHTTPServer(("127.0.0.1", 0), Handler) for _ in range(2)]
ports[:] = [s.server_port for s in servers]
for s in servers:
    threading.Thread(target=s.serve_forever, daemon=True).start()
print(*ports, flush=True)
while True:
    time.sleep(60)

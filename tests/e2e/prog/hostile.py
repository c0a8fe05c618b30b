#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""hostile.py - images that lie, as archives, and what shall be said of each.

usage: hostile.py load | layers OUT

Writes OUT/NAME.tar for each case of the tables below, and prints a line for
each: NAME, a tab, the words that the refusal must have, with "|" between.
load: refused by `vial load`. layers: loaded, as nobody on the host looks into a
layer, and refused by the builder VM.
A layer is what it says it is, so that only its content is wrong.
"""
import gzip
import hashlib
import io
import json
import pathlib
import sys
import tarfile

KIND, OUT = sys.argv[1], pathlib.Path(sys.argv[2])
OCI = "application/vnd.oci.image."
LAYER = OCI + "layer.v1.tar"


def sha(data):
    return "sha256:" + hashlib.sha256(data).hexdigest()


def tar_of(files):
    """files: name -> bytes, or a function that adds to the archive."""
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w", format=tarfile.PAX_FORMAT) as t:
        for name, data in files:
            if callable(data):
                data(t)
                continue
            info = tarfile.TarInfo(name)
            info.size = len(data)
            t.addfile(info, io.BytesIO(data))
    return out.getvalue()


def entry(name, kind=tarfile.REGTYPE, data=b"", **more):
    def add(t):
        info = tarfile.TarInfo(name)
        info.type, info.size = kind, len(data)
        for key, val in more.items():
            setattr(info, key, val)
        t.addfile(info, io.BytesIO(data))
    return (name, add)


ROOT = tar_of([("bin/true", b"x")])


class Layout:
    """An OCI image of one layer, whose parts may be wrong."""

    def __init__(self, layer=ROOT, media=LAYER):
        self.blobs = {}
        self.layer = self.desc(layer, media)
        self.conf = {"os": "linux", "architecture": "amd64",
                     "config": {"Cmd": ["/bin/true"]},
                     "rootfs": {"type": "layers", "diff_ids": [sha(layer)]}}
        self.man = {"schemaVersion": 2,
                    "mediaType": OCI + "manifest.v1+json"}
        self.index = {"schemaVersion": 2}
        self.top = {}

    def desc(self, data, media, **more):
        self.blobs[sha(data)] = data
        return {"mediaType": media, "digest": sha(data), "size": len(data),
                **more}

    def close(self, config=None, man=None, index=None):
        """The archive; each argument stands for the text of that document."""
        if config is None:
            config = json.dumps(self.conf).encode()
        if man is None:
            m = {"config": self.desc(config, OCI + "config.v1+json"),
                 "layers": [self.layer], **self.man}
            man = json.dumps(m).encode()
        if index is None:
            one = self.desc(man, OCI + "manifest.v1+json", annotations={
                "org.opencontainers.image.ref.name": "bad:1"})
            index = json.dumps({"manifests": [{**one, **self.top}],
                                **self.index}).encode()
        return tar_of(
            [("oci-layout", b'{"imageLayoutVersion": "1.0.0"}'),
             ("index.json", index)]
            + [("blobs/" + d.replace(":", "/"), b)
               for d, b in self.blobs.items()])


def docker(layer=ROOT, tags=("bad:1",), path="layer.tar", more=(), config=None):
    conf = config or json.dumps(
        {"os": "linux", "architecture": "amd64",
         "config": {"Cmd": ["/bin/true"]},
         "rootfs": {"type": "layers", "diff_ids": [sha(layer)]}}).encode()
    listed = [{"Config": "config.json", "RepoTags": list(tags),
               "Layers": [path]}]
    return tar_of([("config.json", conf), ("layer.tar", layer), *more,
                   ("manifest.json", json.dumps(listed).encode())])


def with_layout(change, **texts):
    lay = Layout()
    change(lay)
    return lay.close(**texts)


def set_layer(**more):
    return with_layout(lambda x: x.layer.update(more))


def deep_lists():
    """A list in a list, twenty times: a circle takes a broken digest."""
    lay = Layout()
    lay.close()
    one = lay.desc(b"{}", OCI + "manifest.v1+json")
    for _ in range(20):
        text = json.dumps({"schemaVersion": 2, "manifests": [one],
                           "mediaType": OCI + "index.v1+json"}).encode()
        one = lay.desc(text, OCI + "index.v1+json")
    return lay.close(index=json.dumps(
        {"schemaVersion": 2, "manifests": [one]}).encode())


def self_list():
    """A list that names itself, as far as one can: by a digest that lies."""
    lay = Layout()
    name = "sha256:" + "0" * 64
    text = json.dumps({"schemaVersion": 2, "manifests": [
        {"mediaType": OCI + "index.v1+json", "digest": name, "size": 225}],
        "mediaType": OCI + "index.v1+json"}).encode()
    lay.blobs[name] = text
    return lay.close(index=text)


def swap_blob(change):
    lay = Layout()
    lay.close()
    digest = lay.layer["digest"]
    lay.blobs[digest] = change(lay.blobs[digest])
    return lay.close()


def manifest_text(text):
    return Layout().close(man=text)


LOAD = {
    "blob-lies": (swap_blob(lambda b: b"y" + b[1:]), " is sha256:"),
    "blob-truncated": (swap_blob(lambda b: b[:-512]), " is sha256:"),
    "blob-longer": (swap_blob(lambda b: b + b"\0" * 512), " is sha256:"),
    "blob-missing": (with_layout(lambda x: x.blobs.clear()),
                     "layer 1|missing"),
    "manifest-empty": (manifest_text(b"{}"), "no manifest"),
    "size-negative": (set_layer(size=-1), "size"),
    "size-huge": (set_layer(size=1 << 62), "claims|bytes"),
    "size-text": (set_layer(size="12"), "size"),
    "digest-path": (set_layer(digest="sha256:../../../../etc/passwd"),
                    "digest"),
    "digest-short": (set_layer(digest="sha256:abcd"), "digest"),
    "digest-alg": (set_layer(digest="md5:" + "0" * 32), "digest"),
    "schema-1": (manifest_text(b'{"schemaVersion": 1, "fsLayers": []}'),
                 "schema"),
    "media-wrong": (set_layer(mediaType="text/html"), "text/html"),
    "media-control": (set_layer(mediaType="a/\x1b[2J\n"), "a/"),
    "manifest-html": (manifest_text(b"<html>log in</html>"), "JSON"),
    "manifest-deep": (manifest_text(b"[" * 200000), "values"),
    "manifest-nested": (manifest_text(b"[" * 60000), "JSON"),
    "manifest-100-mib": (manifest_text(b" " * (100 << 20)),
                         "104857600"),
    "manifest-nul": (manifest_text(b'{"schemaVersion": 2, "a\\u0000": 1}'),
                     "JSON"),
    "layers-20000": (with_layout(lambda x: x.man.update(
        layers=[x.layer] * 20000)), "values"),
    "layers-none": (with_layout(lambda x: x.man.update(layers={"a": 1})),
                    "layers"),
    "lists-deep": (deep_lists(), "lists"),
    "list-of-itself": (self_list(), " is sha256:"),
    "list-huge": (Layout().close(index=json.dumps(
        {"schemaVersion": 2, "manifests": [
            {"mediaType": OCI + "manifest.v1+json", "size": 1,
             "digest": "sha256:" + "1" * 64}] * 2000}).encode()),
        "more than|manifests"),
    "index-100-mib": (Layout().close(index=b" " * (100 << 20)),
                      "index.json|too large"),
    "diff-ids-few": (with_layout(lambda x: x.conf.update(
        rootfs={"type": "layers", "diff_ids": []})), "1 layers|0"),
    "diff-ids-bad": (with_layout(lambda x: x.conf.update(
        rootfs={"type": "layers", "diff_ids": ["../x"]})), "diff_id 1|digest"),
    "config-deep": (Layout().close(config=b'{"a":' * 100000), "values"),
    "config-not-json": (Layout().close(config=b"\x7fELF"), "JSON"),
    "docker-absolute": (docker(path="/etc/passwd"), "/etc/passwd"),
    "docker-climbs": (docker(path="../../etc/passwd"), "../../etc/passwd"),
    "docker-tag-control": (docker(tags=["x\x1b[31m:1"]), "reference"),
    "docker-no-config": (docker(config=b"[]"), "configuration|JSON"),
    "archive-link-loop": (tar_of([
        entry("manifest.json", tarfile.SYMTYPE, linkname="a"),
        entry("a", tarfile.SYMTYPE, linkname="manifest.json")]),
        "manifest.json"),
    "archive-device": (tar_of([
        entry("manifest.json", tarfile.BLKTYPE, devmajor=8)]),
        "manifest.json is neither"),
    "archive-name-control": (tar_of([("a\x1b[2Jb\n", b"x")]),
                             "a?[2Jb?"),
    "archive-name-long": (tar_of([("n/" * 5000 + "x", b"x")]), "name is too long"),
    "archive-truncated": (docker()[:3000], "middle"),
    "gzip-truncated": (gzip.compress(docker())[:-40], "damaged"),
    "gzip-nonsense": (b"\x1f\x8b" + b"\xff" * 4000, "damaged"),
    "zstd-nonsense": (b"\x28\xb5\x2f\xfd" + b"\xff" * 4000,
                      "damaged"),
}


def claims(size):
    """A file that says to be as large, with a kilobyte of it."""
    info = tarfile.TarInfo("zeros")
    info.size = size
    return info.tobuf(tarfile.GNU_FORMAT) + bytes(1024)


def up():
    return tar_of([
        entry("out", tarfile.SYMTYPE, linkname="../../../../../../tmp"),
        entry("out/x", data=b"x")])


LAYERS = {
    "path-climbs": (tar_of([("../../../etc/x", b"x")]), "leads out"),
    "path-through-link": (up(), "folder 'out'"),
    "path-through-absolute": (tar_of([
        entry("abs", tarfile.SYMTYPE, linkname="/proc/1/root"),
        entry("abs/x", data=b"x")]), "folder 'abs'"),
    "hard-link-out": (tar_of([
        entry("h", tarfile.LNKTYPE, linkname="../../init")]), "leads out"),
    "hard-link-absolute": (tar_of([
        entry("h", tarfile.LNKTYPE, linkname="/etc/shadow")]),
        "not in the image"),
    "root-is-a-link": (tar_of([
        entry("./", tarfile.SYMTYPE, linkname="/proc")]), "root"),
    "name-control": (tar_of([("../\x1b[2J\n", b"x")]), "leads out"),
    "size-lies": (claims(1 << 36), "runcated"),
    "size-absurd": (gzip.compress(claims(1 << 62)), ""),
    "cut-off": (tar_of([("x", b"y" * 100000)])[:5000], "runcated"),
    "not-tar": (b"<html>" * 4000, "tar archive"),
}


def main():
    OUT.mkdir(parents=True, exist_ok=True)
    if KIND == "load":
        for name, (data, words) in LOAD.items():
            (OUT / f"{name}.tar").write_bytes(data)
            print(name, words, sep="\t")
        return
    for name, (data, words) in LAYERS.items():
        packed = data[:2] == b"\x1f\x8b"
        lay = Layout(data, LAYER + ("+gzip" if packed else ""))
        (OUT / f"{name}.tar").write_bytes(lay.close())
        print(name, words, sep="\t")


main()

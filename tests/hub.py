"""A small Hugging Face hub on loopback, for tests: real folders behind the real protocol.

It answers what huggingface_hub asks to list and download a model: model info, file tree, HEAD and
GET of a file with ETag, commit and ranges, and the hub's error codes.
"""

from __future__ import annotations

import contextlib
import functools
import hashlib
import io
import json
import re
import threading
from collections.abc import Mapping
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from types import TracebackType
from typing import BinaryIO
from urllib.parse import unquote, urlsplit

__all__ = ["LocalHub", "commit_of"]

_API = re.compile(
    r"/api/(?P<kind>models|datasets)/(?P<name>[^/]+(?:/[^/]+)??)(?:/(?P<verb>revision|tree)/(?P<rev>[^/]+))?"
)
_FILE = re.compile(r"/(?P<name>.+?)/resolve/(?P<rev>[^/]+)/(?P<path>.+)")
_CHUNK_BYTES = 1 << 20
_RANGE = re.compile(r"bytes=(\d+)-(\d*)")


def commit_of(folder: Path) -> str:
    """Return the commit that a folder's content has on the hub: 40 hex digits."""
    digest = hashlib.sha1(usedforsecurity=False)
    for path, file in sorted(_files(folder).items()):
        digest.update(f"{_blob(file)} {path}\n".encode())
    return digest.hexdigest()


def _files(folder: Path) -> dict[str, Path]:
    return {p.relative_to(folder).as_posix(): p for p in folder.rglob("*") if p.is_file()}


def _blob(file: Path) -> str:
    """Return git's name of a file's content."""
    state = file.stat()
    return _blob_at(file, state.st_size, state.st_mtime_ns)


@functools.lru_cache(maxsize=1024)
def _blob_at(file: Path, size: int, mtime: int) -> str:
    digest = hashlib.sha1(b"blob %d\0" % size, usedforsecurity=False)
    with file.open("rb") as stream:
        while chunk := stream.read(_CHUNK_BYTES):
            digest.update(chunk)
    return digest.hexdigest()


class LocalHub:
    """A hub that serves folders as models, from ``with`` to its end; then its port is closed.

    Parameters
    ----------
    folder_by_name
        Model -> folder: ``"owner/name"`` or ``"name"`` for its main branch, and
        ``"owner/name@revision"`` for another branch or tag; ``"datasets/owner/name"`` for a data
        set. Folders are read at each request.
    gated
        Models whose files need ``token``; their listing is open, as on the hub.
    private
        Models that do not seem to exist without ``token``.
    token
        What ``Authorization: Bearer`` must hold for these.

    Attributes
    ----------
    endpoint
        ``http://127.0.0.1:port``, for ``HF_ENDPOINT``.
    requests
        ``"METHOD path"`` of every request so far, without its query.
    agents
        The ``User-Agent`` of each.
    outage
        A status such as 503 to answer everything with, or None.
    """

    def __init__(
        self,
        folder_by_name: Mapping[str, Path],
        *,
        gated: tuple[str, ...] = (),
        private: tuple[str, ...] = (),
        token: str = "hf_secret",
    ) -> None:
        self.folder_by_name = dict(folder_by_name)
        self.gated = gated
        self.private = private
        self.token = token
        self.requests: list[str] = []
        self.agents: list[str] = []
        self.outage: int | None = None
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), _Handler)
        self._server.daemon_threads = True
        self._server.hub = self  # type: ignore[attr-defined]
        self._thread = threading.Thread(
            target=self._server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True
        )
        self.endpoint = f"http://127.0.0.1:{self._server.server_address[1]}"

    def __enter__(self) -> LocalHub:
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        value: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()

    def count(self, pattern: str = "") -> int:
        """Return how many requests so far match a regular expression."""
        return sum(re.search(pattern, request) is not None for request in self.requests)

    def downloads(self) -> list[str]:
        """Return the paths of the files that were sent, sorted; a HEAD sends none."""
        found = (_FILE.fullmatch(r.removeprefix("GET ")) for r in self.requests if r[:4] == "GET ")
        return sorted(match["path"] for match in found if match)

    def folder(self, name: str, revision: str) -> Path | None:
        """Return the folder of a model at a branch, tag or commit, or None."""
        if revision == "main" and name in self.folder_by_name:
            return self.folder_by_name[name]
        if f"{name}@{revision}" in self.folder_by_name:
            return self.folder_by_name[f"{name}@{revision}"]
        for key, folder in self.folder_by_name.items():
            if key.partition("@")[0] == name and commit_of(folder) == revision:
                return folder
        return None


class _Handler(BaseHTTPRequestHandler):
    # HTTP/1.0: each answer closes its connection, so that nothing stays open at the end.

    @property
    def hub(self) -> LocalHub:
        return self.server.hub  # type: ignore[attr-defined, no-any-return]

    def do_GET(self) -> None:
        path = urlsplit(self.path).path
        self.hub.requests.append(f"{self.command} {unquote(path)}")
        self.hub.agents.append(self.headers.get("User-Agent", ""))
        api, file = _API.fullmatch(path), _FILE.fullmatch(path)
        match = api or file
        if self.hub.outage:
            self._refuse(self.hub.outage, "", "the hub is out of order")
        elif match is None:
            self._refuse(404, "", "no such page")
        elif folder := self._allowed_folder(_name(match), unquote(match["rev"] or "main")):
            if file:
                self._send_file(file["name"], folder, unquote(file["path"]))
            elif match["verb"] == "tree":
                self._send_json(_tree(folder))
            else:
                self._send_json(_info(match["name"], folder, gated=match["name"] in self.hub.gated))

    def do_HEAD(self) -> None:
        self.do_GET()

    def _allowed_folder(self, name: str, revision: str) -> Path | None:
        known = any(key.partition("@")[0] == name for key in self.hub.folder_by_name)
        if not known or (name in self.hub.private and not self._is_authorised()):
            # The hub does not tell strangers which of the two it is.
            self._refuse(404 if self._is_authorised() else 401, "RepoNotFound", "Not found")
            return None
        folder = self.hub.folder(name, revision)
        if folder is None:
            self._refuse(404, "RevisionNotFound", f"Invalid rev id: {revision}")
        return folder

    def _is_authorised(self) -> bool:
        return self.headers.get("Authorization") == f"Bearer {self.hub.token}"

    def _send_file(self, name: str, folder: Path, path: str) -> None:
        if name in self.hub.gated and not self._is_authorised():
            status = 403 if self.headers.get("Authorization") else 401
            self._refuse(status, "GatedRepo", f"Access to model {name} is restricted")
            return
        file = _files(folder).get(path)
        if file is None:
            self._refuse(404, "EntryNotFound", "Entry not found")
            return
        size = file.stat().st_size
        headers = {
            "ETag": f'"{_blob(file)}"',
            "X-Repo-Commit": commit_of(folder),
            "Accept-Ranges": "bytes",
            "Content-Type": "application/octet-stream",
        }
        wanted = _RANGE.fullmatch(self.headers.get("Range", ""))
        first = int(wanted[1]) if wanted else 0
        last = min(int(wanted[2] or size) if wanted else size, size - 1)
        if wanted and first > last:
            self._send(416, headers | {"Content-Range": f"bytes */{size}"}, io.BytesIO(), 0)
            return
        if wanted:
            headers["Content-Range"] = f"bytes {first}-{last}/{size}"
        with file.open("rb") as stream:
            stream.seek(first)
            self._send(206 if wanted else 200, headers, stream, last + 1 - first)

    def _send_json(self, value: object, status: int = 200, **headers: str) -> None:
        body = json.dumps(value).encode()
        kind = {"Content-Type": "application/json"}
        self._send(status, kind | headers, io.BytesIO(body), len(body))

    def _refuse(self, status: int, code: str, message: str) -> None:
        headers = {"X-Error-Message": message} | ({"X-Error-Code": code} if code else {})
        self._send_json({"error": message}, status, **headers)

    def _send(self, status: int, headers: Mapping[str, str], body: BinaryIO, size: int) -> None:
        self.send_response(status, HTTPStatus(status).phrase)
        for name, value in headers.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(size))
        with contextlib.suppress(ConnectionError):  # a client may hang up, on a full disk say
            self.end_headers()
            while size and self.command != "HEAD":
                chunk = body.read(min(size, _CHUNK_BYTES))
                self.wfile.write(chunk)
                size -= len(chunk)

    def log_message(self, format: str, *args: object) -> None:
        pass


def _name(match: re.Match[str]) -> str:
    """Return the key of a repository: data sets stand under ``datasets/``, as in file addresses."""
    is_set = match.groupdict().get("kind") == "datasets"
    return f"datasets/{match['name']}" if is_set else match["name"]


def _info(name: str, folder: Path, *, gated: bool) -> dict[str, object]:
    return {
        "id": name,
        "modelId": name,
        "sha": commit_of(folder),
        "private": False,
        "gated": "auto" if gated else False,
        "disabled": False,
        "downloads": 0,
        "likes": 0,
        "tags": [],
        "siblings": [{"rfilename": path} for path in sorted(_files(folder))],
    }


def _tree(folder: Path) -> list[dict[str, object]]:
    files = sorted(_files(folder).items())
    folders = {parent.as_posix() for path, _ in files for parent in Path(path).parents} - {"."}
    return [{"type": "directory", "path": path, "oid": "0" * 40, "size": 0} for path in folders] + [
        {"type": "file", "path": p, "oid": _blob(f), "size": f.stat().st_size} for p, f in files
    ]

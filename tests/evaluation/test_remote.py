"""Evaluation through a server that speaks OpenAI's protocol, on loopback."""

from __future__ import annotations

import base64
import json
import socket
import threading
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import numpy as np
import pytest

from text2vec.errors import Text2VecError
from text2vec.evaluation.remote import RemoteEncoder
from text2vec.evaluation.runner import evaluate
from text2vec.evaluation.subject import encoder_subject
from text2vec.evaluation.tasks import find_tasks


class Handler(BaseHTTPRequestHandler):
    def do_POST(self):
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"] or 0)) or "{}")
        self.server.seen.append((self.path, body, self.headers.get("Authorization")))
        status, headers = self.server.script.pop(0) if self.server.script else (200, {})
        answer = {"error": {"message": "no"}}
        if status == 200:
            rows = self.server.encoder.encode(body["input"]).astype("<f4")
            texts = [base64.b64encode(row.tobytes()).decode() for row in rows]
            vectors = rows.tolist() if self.server.plain else texts
            answer = {"data": [{"index": i, "embedding": v} for i, v in enumerate(vectors)][::-1]}
        content = b"{}" if status == 299 else json.dumps(answer).encode()
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, *args):
        pass

    do_GET = do_POST  # noqa: N815 - as the base class calls it


@contextmanager
def serve(encoder):
    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.seen, server.script, server.encoder, server.plain = [], [], encoder, False
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    server.url = f"http://127.0.0.1:{server.server_address[1]}/v1"
    try:
        yield server
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


@pytest.fixture
def server(encoder):
    with serve(encoder) as server:
        yield server


@pytest.mark.parametrize("plain", [False, True])
def test_scores_are_those_of_the_model_itself(plain, server, subject, data):
    server.plain = plain
    remote = RemoteEncoder(server.url, "mine", api_key="secret", batch_size=16)
    tasks = find_tasks([], ["chinese"])
    there = evaluate(encoder_subject("remote", remote), tasks, data)
    here = evaluate(subject, tasks, data)
    assert [e.result.scores for e in there] == [e.result.scores for e in here]
    path, body, key = server.seen[-1]
    assert (path, body["model"], key) == ("/v1/embeddings", "mine", "Bearer secret")
    assert max(len(body["input"]) for _, body, _ in server.seen) == 16
    assert remote.encode("a").shape == (8,)
    assert remote.encode([]).shape == (0, 8)


def test_a_busy_server_is_asked_again_and_a_refusal_is_told(server):
    server.script = [(429, {"Retry-After": "0"}), (503, {"Retry-After": "soon"})]
    server.script[1][1]["Retry-After"] = "0.01"
    remote = RemoteEncoder(server.url)
    assert len(server.seen) == 3
    server.script = [(401, {})]
    with pytest.raises(Text2VecError, match="HTTP 401"):
        remote.encode(["a"])
    server.script = [(299, {})]
    with pytest.raises(Text2VecError, match="expected 1 embeddings, found"):
        remote.encode(["a"])


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_a_redirect_is_told_and_gets_no_key(status, server, encoder):
    with serve(encoder) as other:
        target = f"{other.url}/embeddings"
        server.script = [(status, {"Location": target})]
        with pytest.raises(Text2VecError, match=f"HTTP {status} sends to '{target}', which is not"):
            RemoteEncoder(server.url, api_key="secret")
        assert not other.seen
    assert [key for _, _, key in server.seen] == ["Bearer secret"]
    server.script = [(status, {"Location": "/else"})]
    with pytest.raises(Text2VecError, match=f"sends to '{server.url[:-3]}/else'"):
        RemoteEncoder(server.url, api_key="")


def test_a_key_goes_over_plain_http_to_this_machine_alone(server, monkeypatch):
    monkeypatch.setenv("OPENAI_API_KEY", "secret")
    for host in ("models.example", "192.168.0.7:8000", "127.0.0.1.example", "localhost@evil.test"):
        with pytest.raises(ValueError, match="expected https, or no key"):
            RemoteEncoder(f"http://{host}/v1")
    monkeypatch.setenv("http_proxy", "http://proxy.example:3128")
    monkeypatch.delenv("no_proxy", raising=False)
    monkeypatch.delenv("NO_PROXY", raising=False)
    RemoteEncoder(server.url)
    RemoteEncoder(server.url.replace("127.0.0.1", "localhost"))
    assert {key for _, _, key in server.seen} == {"Bearer secret"}


def test_addresses_at_the_door():
    with pytest.raises(ValueError, match="expected one like"):
        RemoteEncoder("file:///etc/passwd")
    with pytest.raises(Text2VecError, match="does not answer"):
        RemoteEncoder("http://127.0.0.1:1/v1")


def test_a_server_of_another_protocol_is_named():
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def answer():
            connection, _ = listener.accept()
            with connection:
                connection.recv(1 << 16)
                connection.sendall(b"220 mail.example ESMTP\r\n")

        thread = threading.Thread(target=answer)
        thread.start()
        address = f"http://127.0.0.1:{listener.getsockname()[1]}/v1"
        with pytest.raises(Text2VecError, match=r"does not answer in HTTP: BadStatusLine"):
            RemoteEncoder(address)
        thread.join()


def test_another_model_behind_the_same_address_is_another_subject(server, encoder):
    first, again = (RemoteEncoder(server.url, "mine").facts for _ in range(2))
    assert first == again
    assert (first["name"], len(first["fingerprint"])) == ("mine", 64)

    class Other:
        def encode(self, texts):
            return encoder.encode(texts)[:, ::-1]

    server.encoder = Other()
    assert RemoteEncoder(server.url, "mine").facts["fingerprint"] != first["fingerprint"]


def test_vectors_keep_their_bits(server, encoder):
    expected = encoder.encode(["x", "y"])
    assert np.array_equal(RemoteEncoder(server.url).encode(["x", "y"]), expected)

"""A small OpenAI-compatible server that behaves as badly as it is told to: a behaviour a request, the last for ever."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

Behaviour = Callable[["Handler"], None]


class Handler(BaseHTTPRequestHandler):
    server: BadEndpoint

    def do_POST(self) -> None:
        length = int(self.headers.get("Content-Length") or 0)
        self.body: dict[str, Any] = json.loads(self.rfile.read(length))
        with self.server.lock:
            self.server.asked.append(self.body)
            self.server.headers.append(dict(self.headers))
            self.server.paths.append(self.path)
            place = min(len(self.server.asked), len(self.server.behaviours)) - 1
        try:
            self.server.behaviours[place](self)
        except OSError:
            self.close_connection = True  # the client has left, as some of these tests want it to

    do_GET = do_POST

    def send(
        self,
        data: bytes | str,
        status: int = 200,
        kind: str = "application/json",
        length: int | None = None,
        **headers: str,
    ) -> None:
        body = data.encode() if isinstance(data, str) else data
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body) if length is None else length))
        for name, value in headers.items():
            self.send_header(name.replace("_", "-"), value)
        self.end_headers()
        self.wfile.write(body)
        self.wfile.flush()

    def log_message(self, *_: Any) -> None:
        return


class BadEndpoint(ThreadingHTTPServer):
    """`asked` are the bodies of the requests so far, `headers` and `paths` theirs."""

    daemon_threads = True
    block_on_close = False

    def __init__(self, *behaviours: Behaviour) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.behaviours = list(behaviours)
        self.asked: list[dict[str, Any]] = []
        self.headers: list[dict[str, str]] = []
        self.paths: list[str] = []
        self.lock, self.leave = threading.Lock(), threading.Event()

    @property
    def address(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}/v1"


@contextmanager
def bad_endpoint(*behaviours: Behaviour) -> Iterator[BadEndpoint]:
    server = BadEndpoint(*behaviours)
    thread = threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True)
    thread.start()
    try:
        yield server
    finally:
        server.leave.set()
        server.shutdown()
        server.server_close()
        thread.join()


def completion(content: Any, finish: str = "stop") -> str:
    return json.dumps({"choices": [{"message": {"role": "assistant", "content": content}, "finish_reason": finish}]})


def says(content: Any, finish: str = "stop") -> Behaviour:
    """A proper answer of the endpoint; what the model says in it may still be nonsense."""
    return lambda handler: handler.send(completion(content, finish))


def writes_queries(handler: Handler) -> None:
    """As a good model does: two queries about the text it was given, which ends in a number."""
    words = shown_text(handler.body)
    number = words.rpartition(" ")[2]
    handler.send(completion(json.dumps({"queries": [f"what is {number}", f"where is {number}"]})))


def shown_text(body: dict[str, Any]) -> str:
    content = body["messages"][0]["content"]
    return content if isinstance(content, str) else content[0]["text"]


def sends(data: bytes | str, status: int = 200, kind: str = "application/json", **headers: str) -> Behaviour:
    return lambda handler: handler.send(data, status, kind, **headers)


def half_an_answer(handler: Handler) -> None:
    whole = completion('{"queries": ["x"]}')
    handler.send(whole[: len(whole) // 2], length=len(whole))
    handler.close_connection = True


def hangs_up(handler: Handler) -> None:
    handler.close_connection = True
    handler.connection.close()


def never_answers(handler: Handler) -> None:
    handler.server.leave.wait(20)
    handler.close_connection = True


def drips(handler: Handler) -> None:
    """Always a little more, so that no single read takes long."""
    handler.send_response(200)
    handler.send_header("Content-Type", "application/json")
    handler.end_headers()
    handler.close_connection = True
    while not handler.server.leave.wait(0.02):
        handler.wfile.write(b" ")
        handler.wfile.flush()


def never_ends(handler: Handler) -> None:
    handler.send_response(200)
    handler.send_header("Content-Type", "application/json")
    handler.end_headers()
    handler.close_connection = True
    while not handler.server.leave.is_set():
        handler.wfile.write(b"[" * 65536)

"""A server that plays a script, and helpers that the tests share."""

from __future__ import annotations

import atexit
import contextlib
import gzip
import http.server
import json
import logging
import os
import shutil
import socket
import ssl
import struct
import subprocess
import sys
import tempfile
import threading
import time
import unittest
from typing import Any, Callable, Dict, Iterator, List, Optional, Tuple

TESTS = os.path.dirname(os.path.abspath(__file__))
FOLDER = os.path.dirname(TESTS)
sys.path.insert(0, FOLDER)

import runlog  # noqa: E402

# The waits of a real loop, shortened. Nothing in the tests depends on how short they are.
QUICK = dict(
    batch_interval=0.02, backoff_min=0.01, backoff_max=0.1, away_after=0.1, heartbeat_interval=0, exit_timeout=30
)
# The bound of every wait. A test that passes never reaches it.
WAIT_MAX_S = 60.0

Event = Dict[str, Any]
Step = Callable[["Exchange"], None]


def options(**overrides: Any) -> runlog.Options:
    return runlog.Options(**{**QUICK, **overrides})


def wait_until(condition: Callable[[], Any], what: str = "") -> Any:
    until = time.monotonic() + WAIT_MAX_S
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() > until:
            raise AssertionError(f"waited {WAIT_MAX_S} s in vain for {what or condition}")
        time.sleep(0.005)


class Exchange:
    """One request, as the script sees it."""

    def __init__(self, handler: "_Handler", server: "ScriptedServer") -> None:
        self.handler = handler
        self.server = server
        self.headers = handler.headers
        self._lines: Optional[List[bytes]] = None

    def lines(self) -> List[bytes]:
        if self._lines is None:
            body = self.handler.rfile.read(int(self.headers["Content-Length"]))
            self._lines = [line for line in gzip.decompress(body).split(b"\n") if line]
        return self._lines

    def keep(self, indexes: List[int]) -> None:
        """Publishes these events of the body."""
        lines = self.lines()
        with self.server.guard:
            self.server.events.extend(json.loads(lines[index], parse_constant=_refuse) for index in indexes)

    def answer(self, status: int, body: Any = None, **headers: str) -> None:
        self.lines()
        data = json.dumps(body if body is not None else {"error": {"code": "x", "message": "scripted"}}).encode()
        self.handler.send_response(status)
        for name, value in headers.items():
            self.handler.send_header(name.replace("_", "-"), value)
        self.handler.send_header("Content-Length", str(len(data)))
        self.handler.end_headers()
        self.handler.wfile.write(data)


def _refuse(literal: str) -> None:
    raise AssertionError(f"bare {literal} on the wire")


def accepted(count: int, rejected: int = 0, retry: Tuple[Tuple[int, int], ...] = ()) -> Dict[str, Any]:
    return {
        "accepted": count,
        "rejected": rejected,
        "retry": sum(last - first + 1 for first, last in retry),
        "normalized": 0,
        "errors": [{"index": 0, "event_id": None, "code": "schema", "path": "data", "message": "no"}]
        * min(rejected, 1),
        "errors_unlisted": 0,
        "retry_indexes": [list(pair) for pair in retry],
    }


# --- steps of a script ---


def take(exchange: Exchange) -> None:
    count = len(exchange.lines())
    exchange.keep(list(range(count)))
    exchange.answer(200, accepted(count))


def refuse(status: int, **headers: str) -> Step:
    return lambda exchange: exchange.answer(status, **headers)


def take_but_retry(*ranges: Tuple[int, int]) -> Step:
    def step(exchange: Exchange) -> None:
        again = {index for first, last in ranges for index in range(first, last + 1)}
        kept = [index for index in range(len(exchange.lines())) if index not in again]
        exchange.keep(kept)
        exchange.answer(200, accepted(len(kept), retry=ranges))

    return step


def take_and_reset(exchange: Exchange) -> None:
    """Publishes the events but never answers, so that the client does not know their fate."""
    exchange.keep(list(range(len(exchange.lines()))))
    reset(exchange)


def reset(exchange: Exchange) -> None:
    exchange.handler.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    exchange.handler.connection.close()
    exchange.handler.close_connection = True


def hang(exchange: Exchange) -> None:
    exchange.server.closing.wait(WAIT_MAX_S)
    exchange.handler.close_connection = True


def trickle(exchange: Exchange) -> None:
    """Sends an answer that never becomes complete."""
    exchange.lines()
    try:
        exchange.handler.wfile.write(b"HTTP/1.1 200 OK\r\n")
        while not exchange.server.closing.wait(0.02):
            exchange.handler.wfile.write(b"X")
    except OSError:
        pass
    exchange.handler.close_connection = True


def at_most(events: int) -> Step:
    def step(exchange: Exchange) -> None:
        if len(exchange.lines()) > events:
            exchange.answer(413, {"error": {"code": "too_many_events", "message": f"at most {events}"}})
        else:
            take(exchange)

    return step


class _Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True

    def do_POST(self) -> None:
        server: ScriptedServer = self.server.scripted  # type: ignore[attr-defined]
        exchange = Exchange(self, server)
        with server.guard:
            step = server.script.pop(0) if server.script else server.otherwise
            server.requests.append(dict(self.headers.items(), path=self.path))
            server.came_at.append(time.monotonic())
        step(exchange)

    def log_message(self, *_args: Any) -> None:
        pass


class ScriptedServer:
    """Plays `script` step by step, then `otherwise` for ever."""

    def __init__(
        self, *script: Step, otherwise: Step = take, port: int = 0, tls: Optional[ssl.SSLContext] = None
    ) -> None:
        self.script = list(script)
        self.otherwise = otherwise
        self.guard = threading.Lock()
        self.closing = threading.Event()
        self.events: List[Event] = []
        self.requests: List[Dict[str, str]] = []
        self.came_at: List[float] = []
        http.server.ThreadingHTTPServer.allow_reuse_address = True
        self._server = http.server.ThreadingHTTPServer(("127.0.0.1", port), _Handler)
        self._scheme = "http" if tls is None else "https"
        if tls is not None:
            self._server.socket = tls.wrap_socket(self._server.socket, server_side=True, do_handshake_on_connect=False)
        self._server.daemon_threads = True
        self._server.block_on_close = False
        self._server.handle_error = lambda *_args: None  # type: ignore[method-assign]
        self._server.scripted = self  # type: ignore[attr-defined]
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.01,), daemon=True)
        self._thread.start()

    @property
    def port(self) -> int:
        return int(self._server.server_address[1])

    @property
    def url(self) -> str:
        return f"{self._scheme}://127.0.0.1:{self.port}"

    def of_type(self, event_type: str) -> List[Event]:
        with self.guard:
            return [event for event in self.events if event["event_type"] == event_type]

    def close(self) -> None:
        self.closing.set()
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()


def free_port() -> int:
    """Returns a port where nobody answers until a `ScriptedServer` does. It is held, so no other process gets it."""
    holder = socket.socket()
    atexit.register(holder.close)
    holder.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    holder.bind(("127.0.0.1", 0))
    return int(holder.getsockname()[1])


@contextlib.contextmanager
def taken_together(run: runlog.Run) -> Iterator[None]:
    """Events that are emitted within are numbered and sent together, because the thread waits for the end of it."""
    with run._emitter._state:
        yield


def first_of_each(events: List[Event]) -> List[Event]:
    """Counts as the server does: an event that was sent again because its answer was late is not a new event."""
    seen: Dict[str, Event] = {}
    for event in events:
        assert seen.setdefault(event["event_id"], event) == event, "an event was sent again, and changed"
    return list(seen.values())


def missing_of(events: List[Event]) -> int:
    """Counts, as the server does, the numbers below the highest that never came, over all emitters and run keys."""
    numbers: Dict[Tuple[str, str, str], set] = {}
    for event in events:
        key = (event["run_id"], event["group_id"], event["emitter_id"])
        numbers.setdefault(key, set()).add(event["emitter_seq"])
    return sum(max(seen) - len(seen) for seen in numbers.values())


class EmitterTest(unittest.TestCase):
    def setUp(self) -> None:
        self.folder = tempfile.mkdtemp(prefix="runlog-test-")
        self.spool = os.path.join(self.folder, "spool")
        self.addCleanup(shutil.rmtree, self.folder, ignore_errors=True)
        logging.getLogger("runlog").setLevel(logging.CRITICAL)
        self.addCleanup(logging.getLogger("runlog").setLevel, logging.NOTSET)

    def server(self, *script: Step, otherwise: Step = take, port: int = 0) -> ScriptedServer:
        server = ScriptedServer(*script, otherwise=otherwise, port=port)
        self.addCleanup(server.close)
        return server

    def start(self, url: str, run: str = "r1", spool: Any = None, **overrides: Any) -> runlog.Run:
        named = {name: overrides.pop(name) for name in ("key", "cluster", "group") if name in overrides}
        started = runlog.start(
            run, url=url, spool=self.spool if spool is None else spool, options=options(**overrides), **named
        )
        self.addCleanup(started.close, 0.5)
        return started

    def script(self, source: str, **environment: str) -> "subprocess.Popen[str]":
        """A Python process of its own that can import runlog; ended by its own pid should a test fail."""
        path = os.path.join(self.folder, f"script{len(os.listdir(self.folder))}.py")
        with open(path, "w", encoding="utf-8") as file:
            file.write(source)
        places = os.pathsep.join((FOLDER, TESTS))
        process = subprocess.Popen(
            # Python 3.12 and newer warn about every fork in a process with threads.
            [sys.executable, "-W", "ignore::DeprecationWarning", path],
            env={**os.environ, "PYTHONPATH": places, "RUNLOG_SPOOL_DIR": self.spool, **environment},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

        def end() -> None:
            if process.poll() is None:
                process.kill()
            process.communicate()

        self.addCleanup(end)
        return process

    def spooled_lines(self) -> List[Event]:
        """Returns the complete lines, because another process may be writing, or removing lines that were sent."""
        lines: List[Event] = []
        for folder, _, files in sorted(os.walk(self.spool)):
            for name in sorted(files):
                if name.endswith(".ndjson"):
                    with contextlib.suppress(FileNotFoundError), open(os.path.join(folder, name), "rb") as file:
                        lines.extend(json.loads(line) for line in file.read().split(b"\n")[:-1])
        return lines

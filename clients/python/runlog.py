"""Emit TelemetryEvents from a training loop to runlog. One file, standard library only, Python 3.9 or newer.

    import runlog

    run = runlog.start(run="resnet-7", url="http://127.0.0.1:4000")
    run.epoch_completed(env_id=0, val_accuracy=71.2, val_loss=0.83, inner_epoch=4)
    run.emit("PLATEAU_DETECTED", env_id=0, patience=5)
    run.finish()

`emit` appends to a queue and returns. It does no I/O, writes no JSON, waits for no lock and never raises. One daemon
thread numbers the events and sends them in compressed batches. It sends an event again when it may not have arrived,
and keeps events on disk while the server cannot take them. `python -m runlog drain DIR` sends what a killed process
left there.

The chapters of this file:

     1. Options
     2. Values        whatever a training loop holds, as JSON
     3. The wire      _Connection, _Wire: one request, one outcome
     4. The spool     _Spool: NDJSON segments on disk
     5. The queue     _Lane, _Queue: what was emitted and has no number yet
     6. Numbering     _Numbering, _Memory, _Losses, _Notices: an event becomes a numbered line of JSON
     7. The backlog   _Backlog: what the server has not acknowledged, on disk and in memory
     8. Sending       _Backoff, _Sender
     9. The life      _Emitter: the thread, the forks and the end of a process
    10. The job       _Job: the rank, the run's name and the attempt, as the launcher says them
    11. The handle    start, Run, LogHandler: what a training loop uses
    12. The command   drain

An event goes from the queue through numbering into the backlog, and leaves it when the server has acknowledged it.
"""

from __future__ import annotations

import argparse
import atexit
import collections
import collections.abc
import contextlib
import dataclasses
import datetime
import email.utils
import enum
import errno
import hashlib
import io
import itertools
import json
import logging
import math
import os
import random
import re
import signal
import socket
import sys
import threading
import time
import traceback
import zlib
from typing import (
    Any,
    Callable,
    Deque,
    Dict,
    Iterable,
    List,
    Mapping,
    NamedTuple,
    Optional,
    Sequence,
    SupportsFloat,
    Tuple,
    Type,
    Union,
)
from urllib.parse import urljoin, urlsplit

try:
    import fcntl
except ImportError:  # pragma: no cover - Windows: spool folders are not locked there
    fcntl = None  # type: ignore[assignment]

__version__ = "0.1.0"
__all__ = ["LogHandler", "Options", "Run", "drain", "start"]

_log = logging.getLogger("runlog")

# `runlog_integrations/NAME.py` beside this file is the module `runlog.NAME`. A copy of this file alone has none, and an
# installed runlog is a package, which has a path already.
_INTEGRATIONS = os.path.join(os.path.dirname(os.path.abspath(__file__)), "runlog_integrations")
if os.path.isdir(_INTEGRATIONS):
    __path__ = [_INTEGRATIONS]

DEFAULT_URL = "http://127.0.0.1:4000"
# The server's limit for one event. A server with a lower limit answers 413, which is also obeyed.
EVENT_BYTES_MAX = 256 * 1024
# The server takes bodies of up to 4 MiB. A batch stays far below that.
_BATCH_BYTES_MAX = 1024 * 1024
_SEGMENT_BYTES_MAX = 1024 * 1024
_ANSWER_BYTES_MAX = 1024 * 1024
_RETRY_AFTER_MAX_S = 300.0
# How much longer than its timeout `close` waits for a write to the spool, because those events would be lost.
_DISK_GRACE_S = 3.0
# For how long a `close` that was interrupted goes on sending before it spools the rest.
_INTERRUPTED_S = 0.5
_INTERRUPTIONS_MAX = 1_000
# For how long what interrupts the end of a run is held back. After that only the next one counts.
_HELD_MAX_S = 10.0
# The shortest time between two reports of losses.
_LOSS_REPORT_S = 10.0

_KEY_PART = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}\Z")
_EVENT_TYPE = re.compile(r"[A-Z][A-Z0-9_]{0,63}\Z")
# As people write them, in lower case. Servers before fold 2 take the five on the right only.
_SEVERITIES = {
    **{severity: severity for severity in ("debug", "info", "warning", "error", "critical")},
    **{"trace": "debug", "verbose": "debug", "information": "info", "informational": "info", "notice": "info"},
    **{"warn": "warning", "err": "error", "crit": "critical", "fatal": "critical", "alert": "critical"},
    **{"emerg": "critical", "emergency": "critical", "panic": "critical"},
}
# Lifecycle events are rare and precious. They never give way to a flood of metrics.
_LIFECYCLE_PREFIXES = ("SEED_", "RUN_", "RANK_", "ALERT_", "TRAINING_STARTED", "CHECKPOINT_")
_STARTS = frozenset(("TRAINING_STARTED", "RANK_STARTED"))
# They are sent at once: a process may be killed within its first second, and somebody waits for an alert.
_AT_ONCE = _STARTS | {"ALERT_RAISED"}
_TERMINAL = frozenset(("RUN_FINISHED", "RUN_FAILED", "RANK_FINISHED"))
_ABOUT_THE_EMITTER = frozenset(("RUN_HEARTBEAT", "EMITTER_EVENTS_LOST"))

Number = SupportsFloat
"""A float, an int, a numpy scalar or a tensor of one element."""


# ---------------------------------------------------------------------------------------------------------------
# 1. Options
# ---------------------------------------------------------------------------------------------------------------


@dataclasses.dataclass(frozen=True)
class Options:
    """Bounds and waits of an emitter. The defaults suit a training loop. Times are in seconds, sizes in bytes."""

    batch_events_max: int = 500
    batch_bytes_max: int = _BATCH_BYTES_MAX
    batch_interval: float = 1.0
    """The longest time that an event waits before it is sent."""
    queue_events_max: int = 50_000
    """How many metrics may wait for their number. Beyond it the oldest is dropped and counted."""
    lifecycle_events_max: int = 10_000
    """How many lifecycle events may wait for their number. They have a queue of their own."""
    memory_bytes_max: int = 8 * 1024 * 1024
    """The bound of numbered events in memory. Beyond it they go to the spool; without a spool no more are numbered."""
    spool_bytes_max: int = 1024 * 1024 * 1024
    """The bound of all segments in the spool folder. A quarter of it (at most 16 MiB) is kept for lifecycle events."""
    away_after: float = 5.0
    """After this time of failures the server counts as away, and events go to the spool."""
    connect_timeout: float = 5.0
    request_timeout: float = 15.0
    """The bound of a whole request, however slowly its answer trickles."""
    backoff_min: float = 0.5
    backoff_max: float = 30.0
    heartbeat_interval: float = 10.0
    """A run that has been silent for this time sends a heartbeat. 0 means never."""
    exit_timeout: float = 5.0
    """The longest time for which the emitter holds up the end of the process."""


# ---------------------------------------------------------------------------------------------------------------
# 2. Values: whatever a training loop holds, as JSON, without importing the library that made it
# ---------------------------------------------------------------------------------------------------------------

_TEXT_MAX = 1024
_INT_BITS_MAX = 1000
_ERROR_MAX = 4 * 1024
_TRACEBACK_MAX = 16 * 1024
_ITEMS_MAX = 4096
_DEPTH_MAX = 32
# The server takes events that are nested 64 deep, and `data` is one level down.
_SENT_DEPTH_MAX = 63


def _plain(value: Any) -> Any:
    """Turns what `json` cannot write into what it can: numpy scalars, tensors, enums, dates, sets, dataclasses."""
    if isinstance(value, enum.Enum):
        return value.value
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {field.name: getattr(value, field.name) for field in dataclasses.fields(value)}
    elements = _elements(value)
    if elements == 1 and callable(getattr(value, "item", None)):
        return value.item()
    if elements is not None and callable(getattr(value, "tolist", None)):
        if elements <= _ITEMS_MAX:
            return value.tolist()
        return f"<{type(value).__name__} of {elements} elements>"
    if isinstance(value, (datetime.datetime, datetime.date, datetime.time)):
        return value.isoformat()
    if isinstance(value, collections.abc.Mapping):
        return dict(value)
    if isinstance(value, (set, frozenset, collections.deque, range)):
        return list(value)
    if hasattr(type(value), "__index__"):
        return int(value)
    if hasattr(type(value), "__float__"):
        return float(value)
    if isinstance(value, os.PathLike):
        return os.fspath(value)
    return str(value)[:_TEXT_MAX]


def _elements(value: Any) -> Optional[int]:
    """Counts the elements of an array-like: numpy has `size` as a number, torch has `numel()`."""
    numel = getattr(value, "numel", None)
    if callable(numel):
        return int(numel())
    size = getattr(value, "size", None)
    if isinstance(size, int):
        return size
    return 1 if callable(getattr(value, "item", None)) else None


def _clean(value: Any, depth: int = 0) -> Any:
    """Cleans what the fast encoder refused: non-finite floats, odd keys, cycles, objects that raise."""
    try:
        if value is None or value is True or value is False:
            return value
        if isinstance(value, str):
            return str(value)
        if isinstance(value, int):
            return int(value) if value.bit_length() <= _INT_BITS_MAX else f"<int of {value.bit_length()} bits>"
        if isinstance(value, float):
            if math.isfinite(value):
                return float(value)
            return "NaN" if math.isnan(value) else "Infinity" if value > 0 else "-Infinity"
        if depth >= _DEPTH_MAX:
            return f"<{type(value).__name__} nested too deep>"
        if isinstance(value, dict):
            return {_key(key): _clean(inner, depth + 1) for key, inner in list(value.items())}
        if isinstance(value, (list, tuple)):
            return [_clean(inner, depth + 1) for inner in list(value)]
        return _clean(_plain(value), depth + 1)
    except Exception as error:
        return f"<{type(value).__name__}: {type(error).__name__}>"


def _key(key: Any) -> str:
    return key if type(key) is str else str(key)[:_TEXT_MAX]


class _Foreign(Dict[str, Any]):
    """The payload of an event that another system made, with its id and its time there."""

    def __init__(self, data: Mapping[str, Any], event_id: str, time_ns: int) -> None:
        super().__init__(data)
        self.event_id = event_id
        self.time_ns = time_ns


class _Metrics(Dict[str, Any]):
    """The payload of `Run.log`, which the thread flattens."""


_LIST_METRIC_MAX = 64


def _flat(metrics: Mapping[Any, Any]) -> Tuple[Dict[str, Any], List[str]]:
    """
    Returns one level of names, because a figure is a number in `data`: `{"train": {"loss": 1}}` becomes
    `{"train.loss": 1}`. What is neither a scalar nor a short list of them, such as an image or a histogram, is left out;
    its names are returned too.
    """
    flat: Dict[str, Any] = {}
    left_out: List[str] = []
    _flatten(metrics, "", 0, flat, left_out)
    return flat, left_out


def _flatten(metrics: Mapping[Any, Any], prefix: str, depth: int, flat: Dict[str, Any], left_out: List[str]) -> None:
    for key, value in list(metrics.items()):
        name = prefix + _key(key)
        if type(value) is float or type(value) is int:
            flat[name] = value
            continue
        if len(flat) + len(left_out) >= _ITEMS_MAX:
            left_out.append(f"all after {name}")
            return
        try:
            if dataclasses.is_dataclass(value) and not isinstance(value, type):
                value = _plain(value)
            if isinstance(value, collections.abc.Mapping) and depth < _DEPTH_MAX:
                _flatten(value, f"{name}.", depth + 1, flat, left_out)
            else:
                flat[name] = _metric(value)
        except Exception:
            left_out.append(f"{name} ({type(value).__name__})")


def _metric(value: Any) -> Any:
    """Returns a scalar or a short list of scalars as JSON has them. Raises an exception for anything else."""
    if value is None or isinstance(value, (bool, int, float, str)):
        return value
    if isinstance(value, enum.Enum):
        return _metric(value.value)
    elements = _elements(value)
    if elements == 1 and callable(getattr(value, "item", None)):
        return _metric(value.item())
    if elements is None and hasattr(type(value), "__float__"):
        return float(value)
    if isinstance(value, (list, tuple)) and len(value) <= _LIST_METRIC_MAX:
        return [_metric(inner) for inner in value]
    if isinstance(value, (datetime.datetime, datetime.date, datetime.time, os.PathLike)):
        return _plain(value)
    raise TypeError(f"{type(value).__name__} is no metric")


_fast_encode = json.JSONEncoder(allow_nan=False, separators=(",", ":"), default=_plain).encode
_quote = json.encoder.encode_basestring_ascii


def _encode(value: Any) -> str:
    try:
        text = _fast_encode(value)
        if text.count("{") + text.count("[") <= _SENT_DEPTH_MAX or not _is_deeper(json.loads(text), _SENT_DEPTH_MAX):
            return text
    except Exception:
        pass
    return _fast_encode(_clean(value))


def _is_deeper(value: Any, levels: int) -> bool:
    layer = [value] if isinstance(value, (dict, list)) else []
    for _ in range(levels):
        inner = [each.values() if isinstance(each, dict) else each for each in layer]
        layer = [each for values in inner for each in values if isinstance(each, (dict, list))]
    return bool(layer)


_surrogates = re.compile("[\ud800-\udfff]")


def _unescaped(line: bytes) -> bytes:
    """The same JSON in UTF-8, which has a third to a half of the bytes where the text is not English."""
    text = json.dumps(json.loads(line), ensure_ascii=False, separators=(",", ":"))
    return _surrogates.sub(lambda found: f"\\u{ord(found[0]):04x}", text).encode()


def _number_or_null(value: Any) -> str:
    """Encodes an envelope field that must be a number or null."""
    text = _encode(value)
    return text if text[:1] in "-0123456789" and text[:1] else "null"


# ---------------------------------------------------------------------------------------------------------------
# 3. The wire: one request, one outcome
# ---------------------------------------------------------------------------------------------------------------


class _Answered(NamedTuple):
    """The server judged every event."""

    accepted: int
    rejected: int
    again: List[int]
    """The indexes of the events to send again, in ascending order."""
    wait: float
    first_error: str


class _TooLarge(NamedTuple):
    """The server answered 413. It published nothing; fewer events may pass."""

    message: str


class _Later(NamedTuple):
    """The fate of the whole batch is unknown, or the server refused it for now."""

    message: str
    wait: Optional[float]
    """The server's Retry-After."""
    misconfigured: bool
    """Waiting alone will hardly help, because the key or the address is wrong."""


_Outcome = Union[_Answered, _TooLarge, _Later]


class _Response(NamedTuple):
    status: int
    retry_after: Optional[float]
    body: bytes
    kept: bool
    """Whether the connection may be used again."""
    content_type: str = ""
    location: str = ""


class _Connection:
    """
    A kept-alive HTTP/1.1 connection whose every wait ends at one moment, so that a server that trickles bytes cannot
    hold the thread. `http.client` would need three times the processor time for an exchange as small as ours.
    """

    def __init__(self, sock: socket.socket) -> None:
        self.sock = sock
        self.deadline = 0.0
        self._unread = b""

    def exchange(self, request: bytes, deadline: float) -> _Response:
        """Raises OSError or ValueError. After that the connection is of no more use."""
        self.deadline = deadline
        self._unread = b""
        broken: Optional[OSError] = None
        try:
            self._arm()
            self.sock.sendall(request)
        except (BrokenPipeError, ConnectionResetError) as error:
            # The server may have refused the body early and said why before it closed.
            broken = error
        status = 100
        while 100 <= status < 200:
            status, headers = self._head()
        body, whole = (b"", True) if status in (204, 304) else self._body(headers)
        kept = whole and broken is None and headers.get(b"connection", b"").lower() != b"close"
        retry_after, content_type, location = (
            headers.get(name, b"").decode("latin-1") for name in (b"retry-after", b"content-type", b"location")
        )
        return _Response(status, _retry_after(retry_after), body, kept, content_type.partition(";")[0], location)

    def _head(self) -> Tuple[int, Dict[bytes, bytes]]:
        while b"\r\n\r\n" not in self._unread:
            if len(self._unread) > 64 * 1024:
                raise ValueError("the head of the answer is too long")
            self._more()
        head, self._unread = self._unread.split(b"\r\n\r\n", 1)
        first, *rest = head.split(b"\r\n")
        version, status = first.split(b" ", 2)[:2]
        if not version.startswith(b"HTTP/1."):
            raise ValueError(f"not HTTP: {first[:40]!r}")
        headers: Dict[bytes, bytes] = {}
        for line in rest:
            name, _, value = line.partition(b":")
            headers[name.strip().lower()] = value.strip()
        if version == b"HTTP/1.0":
            headers[b"connection"] = b"close"
        return int(status), headers

    def _body(self, headers: Dict[bytes, bytes]) -> Tuple[bytes, bool]:
        """Returns the body, cut at `_ANSWER_BYTES_MAX`, and whether the connection stands at the body's end."""
        if headers.get(b"transfer-encoding", b"").lower() == b"chunked":
            body = b""
            while True:
                size = int(self._line().split(b";")[0], 16)
                if size == 0:
                    while self._line():
                        pass
                    return body, True
                if size < 0 or len(body) + size > _ANSWER_BYTES_MAX:
                    return body, False
                body += self._exactly(size)
                self._line()
        if b"content-length" in headers:
            size = int(headers[b"content-length"])
            whole = 0 <= size <= _ANSWER_BYTES_MAX
            return self._exactly(size if whole else _ANSWER_BYTES_MAX), whole
        try:
            while len(self._unread) < _ANSWER_BYTES_MAX:
                self._more()
        except ConnectionError:
            pass
        return self._unread, False

    def _line(self) -> bytes:
        while b"\r\n" not in self._unread:
            if len(self._unread) > 64 * 1024:
                raise ValueError("a line of the answer is too long")
            self._more()
        line, self._unread = self._unread.split(b"\r\n", 1)
        return line

    def _exactly(self, size: int) -> bytes:
        while len(self._unread) < size:
            self._more()
        data, self._unread = self._unread[:size], self._unread[size:]
        return data

    def _more(self) -> None:
        self._arm()
        data = self.sock.recv(64 * 1024)
        if not data:
            raise ConnectionResetError("the server closed the connection before it had answered")
        self._unread += data

    def _arm(self) -> None:
        left = self.deadline - time.monotonic()
        if left <= 0:
            raise socket.timeout("the request took too long")
        self.sock.settimeout(left)


def _base_url(url: str) -> str:
    """The address of ingest, of which people also give the whole address that events are sent to."""
    url = url.rstrip("/")
    return url[: -len("/v1/events")] if url.endswith("/v1/events") else url


class _Wire:
    """Sends batches over one kept-alive connection. Used by one thread; `sever` may be called by another."""

    def __init__(self, url: str, key: Optional[str], cluster: Optional[str], options: Options) -> None:
        self._url = url = _base_url(url)
        parts = urlsplit(url)
        if parts.scheme not in ("http", "https") or not parts.hostname or re.search(r"[^!-~]", url):
            raise ValueError(f"url must be http://host:port or https://host:port, not {url!r}")
        if key is not None and re.search(r"[^!-~]", key):
            raise ValueError("key must be printable ASCII without spaces")
        self._https = parts.scheme == "https"
        self._host = parts.hostname
        self._port = parts.port or (443 if self._https else 80)
        self._options = options
        self._connection: Optional[_Connection] = None
        self.severed = False
        self._reached = False
        head = [
            f"POST {parts.path.rstrip('/')}/v1/events HTTP/1.1",
            f"Host: {parts.netloc.rpartition('@')[2]}",
            "Content-Type: application/x-ndjson",
            "Content-Encoding: gzip",
            f"User-Agent: runlog-python/{__version__}",
        ]
        if key:
            head.append(f"Authorization: Bearer {key}")
        if cluster:
            head.append(f"X-Cluster-Id: {cluster}")
        self._head = "\r\n".join(head).encode("ascii")

    def send(self, lines: Sequence[bytes], deadline: float) -> _Outcome:
        squeeze = zlib.compressobj(1, zlib.DEFLATED, 31)
        body = squeeze.compress(b"\n".join(lines)) + squeeze.flush()
        request = b"%s\r\nContent-Length: %d\r\n\r\n%s" % (self._head, len(body), body)
        while True:
            reused = self._connection is not None
            try:
                connection = self._connection or self._connect(deadline)
                self._connection = connection
                if self.severed:
                    raise ConnectionAbortedError("the emitter closes")
                response = connection.exchange(request, deadline)
            except Exception as error:
                self.close()
                # The server may have closed a kept connection in between. That does not count as a failure.
                late = isinstance(error, socket.timeout) or time.monotonic() >= deadline
                if reused and not late and not self.severed:
                    continue
                advice = self._advice(error)
                said = advice or self._proxy_advice()
                return _Later(f"{type(error).__name__}: {error}{said}", None, bool(advice))
            self._reached = True
            if not response.kept:
                self.close()
            return _outcome(response, len(lines), self._url)

    def _advice(self, error: Exception) -> str:
        """What to do about a failure that waiting alone will hardly mend."""
        if hasattr(error, "verify_message"):
            return "; SSL_CERT_FILE names the file with the certificate of a private authority"
        if "WRONG_VERSION_NUMBER" in str(error):
            return "; the server does not speak TLS, use http://"
        return ""

    def _proxy_advice(self) -> str:
        import urllib.request

        scheme = "https" if self._https else "http"
        proxies = {} if self._reached else urllib.request.getproxies()
        if (scheme in proxies or "all" in proxies) and not urllib.request.proxy_bypass(self._host):
            return f"; a proxy is set, but the emitter uses none and needs a way to {self._host} of its own"
        return ""

    def _connect(self, deadline: float) -> _Connection:
        timeout = max(0.01, min(self._options.connect_timeout, deadline - time.monotonic()))
        sock = socket.create_connection((self._host, self._port), timeout)
        try:
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            if self._https:
                import ssl

                sock = ssl.create_default_context().wrap_socket(sock, server_hostname=self._host)
        except BaseException:
            sock.close()
            raise
        return _Connection(sock)

    def close(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            connection.sock.close()

    def sever(self) -> None:
        """Ends a request that another thread waits in. No other request follows."""
        self.severed = True
        connection = self._connection
        try:
            if connection is not None:
                connection.sock.shutdown(socket.SHUT_RDWR)
        except OSError:
            pass

    def forget(self) -> None:
        """Gives up the parent's connection in a forked child, without sending a byte on it."""
        connection, self._connection = self._connection, None
        if connection is not None:
            try:
                os.close(connection.sock.detach())
            except OSError:
                pass


def _retry_after(header: str) -> Optional[float]:
    try:
        seconds = float(header)
    except ValueError:
        try:
            seconds = email.utils.parsedate_to_datetime(header).timestamp() - time.time()
        except Exception:
            return None
    return min(max(seconds, 0.0), _RETRY_AFTER_MAX_S) if math.isfinite(seconds) else None


def _outcome(response: _Response, count: int, url: str) -> _Outcome:
    status, retry_after, body = response[:3]
    if status == 413:
        return _TooLarge(_fault_of(response))
    if status in (200, 422):
        try:
            answer = json.loads(body)
            again: List[int] = []
            for first, last in answer["retry_indexes"]:
                again.extend(range(first, last + 1))
            accepted, rejected = int(answer["accepted"]), int(answer["rejected"])
            errors = answer["errors"]
            first_error = f"{errors[0]['path']} {errors[0]['message']}".strip() if errors else ""
        except Exception:
            found = f" but {response.content_type}" if response.content_type not in ("", "application/json") else ""
            return _Later(f"HTTP {status} whose body is not runlog's{found}; is the address right?", retry_after, True)
        judged = accepted + rejected + len(again) == count
        if not judged or again != sorted(set(again)) or (again and not 0 <= again[0] <= again[-1] < count):
            return _Later(f"HTTP {status} that does not speak of the {count} events sent", retry_after, True)
        return _Answered(accepted, rejected, again, retry_after or 0.0, first_error)
    if 300 <= status < 400 and response.location:
        # Following it would send the key to whatever host is named there.
        to = _base_url(urljoin(f"{url}/v1/events", response.location))[:200]
        return _Later(f"HTTP {status}, it redirects: use url={to!r} if that is runlog", retry_after, True)
    passing = status in (408, 425, 429) or status >= 500
    return _Later(f"HTTP {status} {_fault_of(response)}".strip(), retry_after, not passing)


def _fault_of(response: _Response) -> str:
    try:
        return str(json.loads(response.body)["error"]["message"])[:200]
    except Exception:
        kind = response.content_type[:80]
        return f"with {kind}, which runlog does not send: a proxy or another server answers there" if kind else ""


# ---------------------------------------------------------------------------------------------------------------
# 4. The spool: NDJSON segments on disk, in a folder of each emitter
# ---------------------------------------------------------------------------------------------------------------

_META = "emitter.json"
_LOCK = "lock"


def _default_spool() -> str:
    named = os.environ.get("RUNLOG_SPOOL_DIR")
    if named:
        return _absolute(named)
    cache = os.environ.get("XDG_CACHE_HOME") or os.path.join(os.path.expanduser("~"), ".cache")
    return os.path.join(cache, "runlog", "spool") if os.path.isabs(cache) else _homeless_spool()


def _homeless_spool() -> str:
    """For a user without a home, as in a container that runs under any number."""
    import tempfile

    return os.path.join(tempfile.gettempdir(), f"runlog-{os.getuid() if hasattr(os, 'getuid') else 'spool'}")


def _absolute(path: Union[str, os.PathLike[str]]) -> str:
    """A path as it is meant now, whatever folder the process goes to later."""
    path = os.path.expanduser(os.fsdecode(path))
    try:
        return os.path.abspath(path)
    except OSError as error:
        raise ValueError(f"the spool {path!r} is relative to a folder that is gone: {error.strerror}") from error


def _spool_bytes(root: str) -> int:
    total = 0
    for folder, _, files in os.walk(root):
        for name in files:
            if name.endswith(".ndjson"):
                try:
                    total += os.stat(os.path.join(folder, name)).st_size
                except OSError:
                    pass
    return total


def _segments(folder: str) -> List[str]:
    """The segments of a folder, oldest first. Their names are zero-padded numbers. May raise OSError."""
    names = sorted(name for name in os.listdir(folder) if name.endswith(".ndjson"))
    return [os.path.join(folder, name) for name in names]


def _read_segment(path: str) -> List[bytes]:
    """The events of a segment. A last line that a crash tore off is no event."""
    with open(path, "rb") as file:
        *lines, _torn = file.read().split(b"\n")
    return [line for line in lines if line]


_unlockable = False


def _lock_folder(folder: str, asked: bool) -> Optional[int]:
    """
    Returns a descriptor that holds the folder until it is closed or its process dies. Returns None when another process
    holds the folder. Where the file system has no locks, the pid in the folder decides; where that says nothing either,
    the folder is free for whoever was asked to take it. May raise OSError.
    """
    global _unlockable
    descriptor = os.open(os.path.join(folder, _LOCK), os.O_RDWR | os.O_CREAT, 0o600)
    if fcntl is None:
        return descriptor
    held = False
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        if error.errno in (errno.EAGAIN, errno.EACCES):
            held = True
        else:
            # NFS without a lock manager says ENOLCK, Lustre without `-o flock` ENOSYS.
            if not _unlockable:
                _unlockable = True
                _log.warning(
                    "nothing can be locked in %s (%s); folders there count as in use only while their process runs on "
                    "this machine",
                    os.path.dirname(folder),
                    error.strerror or error,
                )
            lives = _lives(_read_meta(folder))
            held = not asked if lives is None else lives
    except BaseException:
        os.close(descriptor)
        raise
    if held:
        os.close(descriptor)
        return None
    return descriptor


def _lives(meta: Mapping[str, Any]) -> Optional[bool]:
    """Whether the process that a folder names is running. None if nobody can tell from here."""
    if meta.get("ended"):
        return False
    here = _process(os.getpid())
    if not meta.get("host") or any(meta.get(part) != here[part] for part in ("host", "pids")):
        return None
    if meta.get("boot") != here["boot"]:
        return False
    pid = meta.get("pid")
    if not isinstance(pid, int) or here["began"] is None:
        return None
    return bool(_process(pid)["began"] == meta.get("began"))


def _process(pid: int) -> Dict[str, Any]:
    """Tells a process apart from all others that had or will have its pid, on any machine and in any container."""

    def read(path: str) -> Optional[str]:
        try:
            with open(path, encoding="utf-8", errors="replace") as file:
                return file.read().strip()
        except OSError:
            return None

    try:
        pids: Optional[str] = os.readlink("/proc/self/ns/pid")
    except (OSError, AttributeError):
        pids = None
    # The name of the command, which comes first, may hold spaces and brackets.
    state, *fields = ((read(f"/proc/{pid}/stat") or "").rpartition(")")[2].split() or [""])[:20]
    # A process that has ended and that its parent has not noticed runs no more.
    began = fields[18] if len(fields) > 18 and state not in ("Z", "X") else None
    boot = read("/proc/sys/kernel/random/boot_id")
    return {"pid": pid, "host": socket.gethostname(), "boot": boot, "pids": pids, "began": began}


def _remove_folder(folder: str) -> None:
    """Removes a folder that has no segments."""
    try:
        if not _segments(folder):
            for name in (_META, _LOCK):
                with contextlib.suppress(OSError):
                    os.unlink(os.path.join(folder, name))
            os.rmdir(folder)
    except OSError:
        pass


class _Spool:
    """The segments of one emitter. One thread at a time uses it. Every method may raise OSError."""

    def __init__(
        self, root: str, bytes_max: int, meta: Mapping[str, Any], on_unreadable: Callable[[str, int, str], None]
    ) -> None:
        self.root = root
        self._on_unreadable = on_unreadable
        self._bytes_max = bytes_max
        self._meta = dict(meta)
        self._folder: Optional[str] = None
        self._lock: Optional[int] = None
        self._file: Optional[io.FileIO] = None
        self._path = ""
        self._file_bytes = 0
        self._count = 0
        self._used = 0
        self.segments: Deque[str] = collections.deque()
        self._adopted: Dict[str, int] = {}
        self._events: Dict[str, int] = {}
        """How many events this emitter wrote to each of its segments."""

    def room(self, lifecycle: bool) -> int:
        reserve = 0 if lifecycle else min(16 * 1024 * 1024, self._bytes_max // 4)
        return self._bytes_max - reserve - self._used

    def append(self, lines: Sequence[bytes], size: int) -> None:
        """Writes all lines or, when it raises, none of them."""
        if self._file is not None and (self._file_bytes + size > _SEGMENT_BYTES_MAX or self._is_gone()):
            self.seal()
        if self._file is None:
            self._open_segment()
        file = self._file
        assert file is not None
        data = b"".join(line + b"\n" for line in lines)
        written = 0
        try:
            while written < len(data):
                written += file.write(data[written:]) or 0
        except BaseException:
            # The half-written line must not become the head of the next one.
            try:
                file.truncate(self._file_bytes)
                file.seek(self._file_bytes)
            except OSError:
                self.seal()
            raise
        self._file_bytes += len(data)
        self._used += len(data)
        self._events[self._path] += len(lines)

    def _is_gone(self) -> bool:
        """Whether somebody has removed the segment that is being written. What is written to it then is lost."""
        file = self._file
        assert file is not None
        try:
            named = os.stat(self._path)
        except (FileNotFoundError, NotADirectoryError):
            return True
        return not os.path.samestat(named, os.fstat(file.fileno()))

    def seal(self) -> None:
        """Makes the next event begin a new segment."""
        file, self._file = self._file, None
        if file is not None:
            file.close()

    def oldest(self) -> Optional[str]:
        if not self.segments:
            return None
        if len(self.segments) == 1:
            self.seal()
        return self.segments[0]

    def read_oldest(self) -> List[bytes]:
        """The events of the oldest segment. One that cannot be read stays where it is, for `drain`."""
        path = self.segments[0]
        try:
            lines = _read_segment(path)
        except OSError as error:
            self.segments.popleft()
            self._give_up(path, self._events.pop(path, 0), error.strerror or str(error))
            return []
        self._give_up(path, self._events.get(path, 0) - len(lines), "it is shorter than it was")
        return lines

    def _give_up(self, path: str, events: int, reason: str) -> None:
        if events > 0:
            self._on_unreadable(path, events, reason)

    def remove_oldest(self) -> None:
        path = self.segments.popleft()
        self._events.pop(path, None)
        with contextlib.suppress(FileNotFoundError):
            self._used = max(0, self._used - os.stat(path).st_size)
            os.unlink(path)
        folder = os.path.dirname(path)
        if folder in self._adopted and not any(os.path.dirname(each) == folder for each in self.segments):
            _remove_folder(folder)
            os.close(self._adopted.pop(folder))

    def forget_oldest(self) -> None:
        self._events.pop(self.segments.popleft(), None)

    def check(self) -> None:
        """Gives up the segments that are gone."""
        for path in list(self.segments):
            if not os.path.lexists(path):
                self.segments.remove(path)
                self._give_up(path, self._events.pop(path, 0), "it is gone")

    def adopt(self) -> bool:
        """Takes over what a dead process left for the same server. One call takes over one folder."""
        for name in sorted(os.listdir(self.root)):
            folder = os.path.join(self.root, name)
            if folder == self._folder or folder in self._adopted:
                continue
            # An emitter writes it under the lock, so a folder that has it and is not locked has lost its process.
            meta = _read_meta(folder)
            if not meta or any(meta.get(part) != self._meta[part] for part in ("cluster", "key")):
                continue
            if _base_url(str(meta.get("url"))) != self._meta["url"]:
                continue
            try:
                lock = _lock_folder(folder, asked=False)
                if lock is None:
                    continue
                segments = _segments(folder)
            except OSError:
                continue
            if not segments:
                _remove_folder(folder)
                os.close(lock)
                continue
            self._adopted[folder] = lock
            self.segments.extend(segments)
            return True
        return False

    def close(self) -> None:
        """Releases the folders. What is not yet sent stays where `drain` finds it."""
        self.seal()
        if self._folder is not None:
            _remove_folder(self._folder)
            if _unlockable and os.path.isdir(self._folder):
                self._write_meta(self._folder, ended=True)
        for descriptor in [*self._adopted.values(), self._lock]:
            if descriptor is not None:
                os.close(descriptor)
        self._adopted = {}
        self._lock = None

    def forget(self) -> None:
        """Closes the parent's descriptors in a forked child. They would keep its folders locked beyond its death."""
        for descriptor in [*self._adopted.values(), self._lock]:
            if descriptor is not None:
                os.close(descriptor)
        if self._file is not None:
            self._file.close()

    def _open_segment(self) -> None:
        folder = self._ensure_folder()
        self._used = _spool_bytes(self.root)
        self._count += 1
        path = os.path.join(folder, f"{self._count:08d}.ndjson")
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        self._file = io.FileIO(descriptor, "w")
        self._file_bytes = 0
        self._path = path
        self.segments.append(path)
        self._events[path] = 0

    def _ensure_folder(self) -> str:
        """Makes the folder, also anew when somebody has removed it or its lock."""
        if self._folder is not None and self._lock is not None:
            try:
                if os.path.samestat(os.stat(os.path.join(self._folder, _LOCK)), os.fstat(self._lock)):
                    return self._folder
            except (FileNotFoundError, NotADirectoryError):
                pass
        folder = os.path.join(self.root, self._meta["emitter_id"])
        os.makedirs(self.root, mode=0o700, exist_ok=True)
        if os.path.basename(self.root).startswith("runlog-") and self.root == _homeless_spool():
            # Others may write there too.
            if hasattr(os, "getuid") and os.lstat(self.root).st_uid != os.getuid():
                raise PermissionError(errno.EACCES, "somebody else has made this folder", self.root)
        os.makedirs(folder, mode=0o700, exist_ok=True)
        lock, self._lock = self._lock, None
        if lock is not None:
            os.close(lock)
        self._lock = _lock_folder(folder, asked=True)
        self._write_meta(folder, ended=False)
        self._folder = folder
        return folder

    def _write_meta(self, folder: str, ended: bool) -> None:
        descriptor = os.open(os.path.join(folder, _META), os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with open(descriptor, "w", encoding="utf-8") as file:
            json.dump({**self._meta, **_process(os.getpid()), "ended": ended}, file)


def _read_meta(folder: str) -> Dict[str, Any]:
    try:
        with open(os.path.join(folder, _META), encoding="utf-8") as file:
            meta = json.load(file)
        return meta if isinstance(meta, dict) else {}
    except (OSError, ValueError):
        return {}


# ---------------------------------------------------------------------------------------------------------------
# 5. The queue: what was emitted and has no number yet
# ---------------------------------------------------------------------------------------------------------------

# (ordinal in its lane, time in ns, run, type, data, message, severity, slot_id, seed_id, epoch)
_Item = Tuple[int, int, "Run", Any, Optional[Dict[str, Any]], Any, Any, Any, Any, Any]


class _Lane:
    """
    A bounded queue that drops its oldest item. Its two ends never wait for each other, because `append`, `popleft` and
    `next` are single steps of the interpreter. The ordinals tell afterwards how many items fell out.
    """

    __slots__ = ("count", "highest", "queue", "taken")

    def __init__(self, items_max: int) -> None:
        self.queue: Deque[_Item] = collections.deque(maxlen=items_max)
        self.count = itertools.count(1)
        self.highest = 0
        self.taken = 0

    def take(self, items_max: int, before: Optional[int] = None) -> List[_Item]:
        """Takes the oldest items. With `before` it takes only those emitted until that time."""
        items: List[_Item] = []
        queue = self.queue
        try:
            while len(items) < items_max and (before is None or queue[0][1] <= before):
                items.append(queue.popleft())
        except IndexError:
            pass
        self.taken += len(items)
        for item in items:
            if item[0] > self.highest:
                self.highest = item[0]
        return items

    def dropped(self) -> int:
        return max(0, self.highest - self.taken)


class _Queue:
    """What was emitted and has no number yet. Metrics and lifecycle events have a lane each. Adding never waits."""

    def __init__(self, options: Options) -> None:
        self.metrics = _Lane(options.queue_events_max)
        self.lifecycle = _Lane(options.lifecycle_events_max)
        # A lock serves as a bell: the thread waits to acquire it, and releasing it never waits.
        self._bell = threading.Lock()
        self._bell.acquire()

    def ring(self) -> None:
        """Wakes the thread."""
        try:
            self._bell.release()
        except RuntimeError:
            pass

    def wait(self, timeout: float) -> None:
        """Returns when somebody rings, or after `timeout`."""
        self._bell.acquire(timeout=timeout)

    def __len__(self) -> int:
        return len(self.metrics.queue) + len(self.lifecycle.queue)

    def oldest(self, metrics_too: bool) -> List[_Item]:
        """A few of the oldest events of both lanes. They are few, so that memory cannot run over by much."""
        if not self.lifecycle.queue:
            return self.metrics.take(100) if metrics_too else []
        items = self.metrics.take(100, before=self.lifecycle.queue[0][1]) if metrics_too else []
        return items if len(items) == 100 else items + self.lifecycle.take(1)

    def dropped(self) -> int:
        return self.metrics.dropped() + self.lifecycle.dropped()


# ---------------------------------------------------------------------------------------------------------------
# 6. Numbering: an event gets its number and becomes a line of JSON
# ---------------------------------------------------------------------------------------------------------------

# (an event's JSON, whether it is a lifecycle event)
_Line = Tuple[bytes, bool]


class _Notices:
    """Logs each kind of trouble once."""

    def __init__(self) -> None:
        self._given: Dict[str, bool] = {}

    def warn(self, subject: str, message: str) -> None:
        if not self._given.get(subject):
            self._given[subject] = True
            _log.warning("%s", message)

    def given(self, subject: str) -> bool:
        return self._given.get(subject, False)

    def withdraw(self, subject: str) -> bool:
        """Ends a trouble, so that it is logged again if it returns. Returns whether it had been logged."""
        return self._given.pop(subject, False)


class _Losses:
    """The account of events that were lost in this process, by reason."""

    def __init__(self, queue: _Queue) -> None:
        self._queue = queue
        self._counts = {"invalid": 0, "oversize": 0, "rejected": 0, "not_spooled": 0, "unreadable": 0}
        self._reported = 0
        self._reported_at = -_LOSS_REPORT_S

    def count(self, reason: str, events: int = 1) -> None:
        self._counts[reason] += events

    def of_numbered(self) -> int:
        """How many were lost in this process after they had got their numbers."""
        return self._counts["unreadable"] + self._counts["not_spooled"]

    def by_reason(self) -> Dict[str, int]:
        return {"queue_full": self._queue.dropped(), **self._counts}

    def to_report(self, at_once: bool) -> Optional[Dict[str, Any]]:
        """Returns the payload of a report when one is due. Whoever sends it calls `reported`."""
        reasons = self.by_reason()
        total = sum(reasons.values())
        if total <= self._reported or not (at_once or time.monotonic() - self._reported_at >= _LOSS_REPORT_S):
            return None
        reasons = {reason: count for reason, count in reasons.items() if count}
        return {"lost": total - self._reported, "lost_total": total, "reasons": reasons}

    def reported(self, total: int) -> None:
        self._reported, self._reported_at = total, time.monotonic()


class _Memory:
    """Numbered events in the order of their numbers, and how many bytes they have."""

    def __init__(self) -> None:
        self.lines: Deque[_Line] = collections.deque()
        self.bytes = 0

    def __len__(self) -> int:
        return len(self.lines)

    def append(self, line: bytes, lifecycle: bool) -> None:
        self.lines.append((line, lifecycle))
        self.bytes += len(line)

    def recount(self) -> None:
        self.bytes = sum(len(line) for line, _ in self.lines)

    def clear(self) -> None:
        self.lines.clear()
        self.bytes = 0


class _Numbering:
    """Gives events their numbers, writes them as JSON into memory."""

    def __init__(self, runs: Sequence[Run], memory: _Memory, losses: _Losses, notices: _Notices) -> None:
        self._runs = runs
        self._memory = memory
        self._losses = losses
        self._notices = notices
        self.numbered = 0

    def number(self, items: Iterable[_Item]) -> None:
        for item in items:
            if item[3] in _TERMINAL:
                self.report_losses(ending=item[2])
            self._number(item)

    def _number(self, item: _Item) -> None:
        try:
            self._serialise(item)
        except Exception as error:
            self._losses.count("invalid")
            self._notices.warn("value", f"an event cannot be written as JSON: {type(error).__name__}: {error}")

    def _serialise(self, item: _Item) -> None:
        _, time_ns, run, event_type, data, message, severity, slot_id, seed_id, epoch = item
        if not isinstance(event_type, str) or _EVENT_TYPE.match(event_type) is None:
            self._losses.count("invalid")
            self._notices.warn(
                "invalid",
                f"an event type must be SCREAMING_SNAKE_CASE, not {str(event_type)[:80]!r}; metrics go by run.log",
            )
            return
        lifecycle = event_type.startswith(_LIFECYCLE_PREFIXES)
        seq = run._seq + 1
        event_id = f'"{run._prefix}{seq}"'
        if type(data) is _Foreign:
            event_id, time_ns = _quote(data.event_id), data.time_ns
        line = (
            f'{{"event_id":{event_id},"event_type":"{event_type}",'
            f'"timestamp":"{_timestamp(time_ns)}",{run._constant},"emitter_seq":{seq}'
        )
        if message:
            line += f',"message":{_quote(str(message))}'
        line += f',"severity":"{_severity_name(severity)}"'
        if slot_id is not None:
            line += f',"slot_id":{_quote(str(slot_id))}'
            if event_type.startswith("SEED_"):
                data = {"slot_id": str(slot_id), **(data or {})}
        if seed_id is not None:
            line += f',"seed_id":{_quote(str(seed_id))}'
        if epoch is not None:
            line += f',"epoch":{_number_or_null(epoch)}'
        if event_type in _STARTS:
            data = {**run._emitter.job.facts, **(data or {})}
            if event_type == "RANK_STARTED":
                # A number at the top level of a type that the server does not know would be a figure.
                data = {"hostname": data["hostname"], "started": data}
        if type(data) is _Metrics:
            data, left_out = _flat(data)
            if left_out:
                names = ", ".join(left_out)[:200]
                self._notices.warn("metrics", f"run.log takes numbers and short texts, so it leaves out {names}")
        encoded = f'{line},"data":{_encode(data) if data else "{}"}}}'.encode()
        if len(encoded) > EVENT_BYTES_MAX and b"\\u" in encoded:
            encoded = _unescaped(encoded)
        if len(encoded) > EVENT_BYTES_MAX:
            # The next event takes this number, so that there is no gap. The loss is reported instead.
            self._losses.count("oversize")
            self._notices.warn(
                "oversize", f"{event_type} has {len(encoded)} bytes, {EVENT_BYTES_MAX} are allowed; it is lost"
            )
            return
        run._seq = seq
        if event_type not in _ABOUT_THE_EMITTER:
            run._ended = event_type in _TERMINAL
        run._last_at = time.monotonic()
        self.numbered += 1
        self._memory.append(encoded, lifecycle)

    def beat(self, interval: float) -> None:
        """
        Numbers a heartbeat for each open run that has been silent for `interval`. Not for one that has ended, because a
        heartbeat a minute after the end would say that the run goes on.
        """
        for run in self._runs:
            if run._open and not run._ended and time.monotonic() - run._last_at >= interval:
                self._number(_item_of(run, "RUN_HEARTBEAT"))

    def report_losses(self, ending: Optional[Run] = None) -> None:
        """Numbers an event that says what was lost since the last one. A run that ends has it at once."""
        data = self._losses.to_report(at_once=ending is not None)
        if data is None:
            return
        run = ending or next((run for run in self._runs if run._open), None)
        if run is None:
            return
        self._losses.reported(data["lost_total"])
        message = f"{data['lost']} events were lost in the emitter"
        self._number(_item_of(run, "EMITTER_EVENTS_LOST", data, message, "warning"))
        self._notices.warn("lost", f"{message}: {data['reasons']}")


def _item_of(
    run: Run, event_type: str, data: Optional[Dict[str, Any]] = None, message: str = "", severity: str = "info"
) -> _Item:
    return (0, time.time_ns(), run, event_type, data, message, severity, None, None, None)


_second: Tuple[int, str] = (-1, "")


def _timestamp(time_ns: int) -> str:
    global _second
    seconds, rest = divmod(time_ns, 1_000_000_000)
    known, text = _second
    if known != seconds:
        moment = datetime.datetime.fromtimestamp(seconds, datetime.timezone.utc)
        text = moment.replace(tzinfo=None).isoformat()
        _second = (seconds, text)
    return f"{text}.{rest // 1000:06d}+00:00"


# ---------------------------------------------------------------------------------------------------------------
# 7. The backlog: numbered events that the server has not acknowledged
# ---------------------------------------------------------------------------------------------------------------


class _Backlog:
    """Numbered events that the server has not acknowledged, oldest first: those of the spool, then those in memory."""

    def __init__(self, memory: _Memory, spool: Optional[_Spool], options: Options, notices: _Notices) -> None:
        self._memory = memory
        self._spool = spool
        self._options = options
        self._notices = notices
        self._loaded: Deque[_Line] = collections.deque()
        """Events of the oldest segment that are still to be acknowledged."""
        self._segment: Optional[str] = None
        """The segment that `_loaded` was read from."""
        self._broken_until = 0.0
        self._adopt_at = 0.0

    def __bool__(self) -> bool:
        return bool(self._memory or self._loaded or self.segments())

    def segments(self) -> int:
        return 0 if self._spool is None else len(self._spool.segments)

    # --- memory to disk ---

    def has_spool(self) -> bool:
        return self._spool is not None

    def can_spill(self) -> bool:
        spool = self._spool
        return spool is not None and time.monotonic() >= self._broken_until and spool.room(lifecycle=True) > 0

    def spill_if_needed(self, away: bool) -> None:
        """Spools when the server is away or memory is half full."""
        if self._memory and (away or self._memory.bytes >= self._options.memory_bytes_max // 2) and self.can_spill():
            self._spill()

    def _spill(self) -> None:
        """Writes memory to the spool in order. When the spool is nearly full, it takes lifecycle events alone."""
        spool = self._spool
        if spool is None:
            return
        waiting = self._memory.lines
        kept: List[_Line] = []
        try:
            while waiting:
                lines: List[_Line] = []
                size = 0
                while waiting and size < _SEGMENT_BYTES_MAX // 4:
                    line, lifecycle = waiting.popleft()
                    if len(line) + 1 + size > spool.room(lifecycle):
                        kept.append((line, lifecycle))
                        continue
                    lines.append((line, lifecycle))
                    size += len(line) + 1
                if not lines:
                    break
                try:
                    spool.append([line for line, _ in lines], size)
                except BaseException:
                    waiting.extendleft(reversed(lines))
                    raise
        except OSError as error:
            self._broken_until = time.monotonic() + 30.0
            self._notices.warn(
                "spool",
                f"cannot spool to {spool.root}: {error}; events stay in memory (RUNLOG_SPOOL_DIR names another folder)",
            )
        finally:
            waiting.extendleft(reversed(kept))
            self._memory.recount()

    def _spill_what_fits(self) -> None:
        """Writes one event at a time to a disk that is nearly full: lifecycle events first, then others while they fit."""
        spool = self._spool
        if spool is None:
            return
        waiting = self._memory.lines
        kept: List[_Line] = []
        others: Deque[_Line] = collections.deque()
        try:
            while waiting:
                entry = waiting[0]
                if not entry[1]:
                    others.append(entry)
                elif not self._fits(spool, entry):
                    kept.append(entry)
                waiting.popleft()
            while others and self._fits(spool, others[0]):
                others.popleft()
        finally:
            waiting.extendleft(reversed(others))
            waiting.extendleft(reversed(kept))
            self._memory.recount()

    @staticmethod
    def _fits(spool: _Spool, entry: _Line) -> bool:
        line, lifecycle = entry
        if len(line) + 1 > spool.room(lifecycle):
            return False
        try:
            spool.append([line], len(line) + 1)
        except OSError:
            return False
        return True

    def put_away(self) -> int:
        """Spools what is in memory. Forgets what the spool does not take, and returns how many events it forgot."""
        if (
            self._loaded
            and self._segment is not None
            and not os.path.lexists(self._segment)
            and self._spool is not None
        ):
            # Somebody has removed the segment while its events were being sent.
            self._spool.forget_oldest()
            self._memory.lines.extendleft(reversed(self._loaded))
            self._memory.recount()
            self._loaded.clear()
        self._spill()
        if self._memory:
            # The disk has refused a quarter of a mebibyte, and may still have room for how the run ended.
            self._spill_what_fits()
        if self._spool is not None:
            self._spool.check()
        lost = len(self._memory)
        self._memory.clear()
        return lost

    # --- what is to be sent ---

    def source(self) -> Deque[_Line]:
        """Returns the queue whose head is sent next. May raise OSError."""
        spool = self._spool
        while spool is not None and not self._loaded:
            if self._segment is not None:
                self._segment = None
                spool.remove_oldest()
            path = spool.oldest()
            if path is None:
                break
            lines = spool.read_oldest()
            if spool.segments and spool.segments[0] == path:
                self._segment = path
                self._loaded.extend((line, True) for line in lines)
        return self._loaded or self._memory.lines

    def source_without_spool(self) -> Deque[_Line]:
        return self._memory.lines

    def finish_segment(self, source: Deque[_Line]) -> None:
        """Deletes a segment as soon as its last event is acknowledged. May raise OSError."""
        if source is self._loaded and not self._loaded:
            self.source()

    def pop(self, source: Deque[_Line], count: int, again: List[int]) -> None:
        """Takes a batch from the head of its source. Events that must be sent again stay there, in order."""
        taken = [source.popleft() for _ in range(count)]
        source.extendleft(taken[index] for index in reversed(again))
        if source is self._memory.lines:
            self._memory.bytes -= sum(len(line) for line, _ in taken)
            self._memory.bytes += sum(len(taken[index][0]) for index in again)

    # --- folders of processes that have died ---

    def adopt_when_idle(self) -> None:
        """Takes over what another process left, when there is nothing of our own to send from the spool."""
        now = time.monotonic()
        if self._spool is None or self._loaded or self._spool.segments or now < self._adopt_at:
            return
        try:
            if not self._spool.adopt():
                self._adopt_at = now + 60.0
        except OSError:
            self._adopt_at = now + 60.0

    # --- the end ---

    def close(self) -> None:
        if self._spool is not None:
            self._spool.close()

    def forget(self) -> None:
        """Gives up the parent's files in a forked child."""
        if self._spool is not None:
            try:
                self._spool.forget()
            except OSError:
                pass


# ---------------------------------------------------------------------------------------------------------------
# 8. Sending, and waiting longer after each failure
# ---------------------------------------------------------------------------------------------------------------


class _Backoff:
    """Decides when the next attempt is due, and how long the server has been failing."""

    def __init__(self, options: Options) -> None:
        self._options = options
        self._attempt = 0
        self._failing_since: Optional[float] = None
        self._next_try = 0.0
        self._hurry = False
        self.not_before = 0.0
        """The server asked for silence until this moment."""

    def failing(self) -> bool:
        return self._failing_since is not None

    def away(self) -> bool:
        """Whether the server has failed for so long that events go to the spool."""
        since = self._failing_since
        return since is not None and time.monotonic() - since >= self._options.away_after

    def due(self) -> float:
        return max(self._next_try, self.not_before)

    def may_try(self) -> bool:
        now = time.monotonic()
        if self._hurry and now >= self.not_before:
            self._hurry = False
            return True
        return now >= self.due()

    def hurry(self) -> None:
        """Makes the next attempt due now, because somebody waits. A wait that the server asked for still applies."""
        self._hurry = True

    def hold(self, wait: float) -> None:
        self.not_before = time.monotonic() + wait

    def succeeded(self) -> None:
        self._attempt = 0
        self._failing_since = None
        self._next_try = self.not_before = 0.0

    def failed(self, outcome: _Later) -> None:
        now = time.monotonic()
        if self._failing_since is None:
            self._failing_since = now
        options = self._options
        # Full jitter: emitters that failed together do not come back together.
        ceiling = options.backoff_max if outcome.misconfigured else options.backoff_min * 2.0**self._attempt
        self._next_try = now + random.uniform(0, min(options.backoff_max, ceiling))
        if outcome.wait is not None:
            self.not_before = now + outcome.wait * random.uniform(1.0, 1.25)
        self._attempt = min(self._attempt + 1, 30)


def _batch(waiting: Iterable[bytes], events_max: int, bytes_max: int) -> List[bytes]:
    """Returns the first lines that fit into one request; one line at least, when there is one."""
    lines: List[bytes] = []
    size = 0
    for line in waiting:
        if lines and (len(lines) >= events_max or size + len(line) > bytes_max):
            break
        lines.append(line)
        size += len(line) + 1
    return lines


class _Sender:
    """Sends the oldest batch of the backlog and applies the server's answer. It keeps one request in flight."""

    def __init__(
        self,
        wire: _Wire,
        url: str,
        backlog: _Backlog,
        backoff: _Backoff,
        losses: _Losses,
        notices: _Notices,
        options: Options,
    ) -> None:
        self._wire = wire
        self._url = url
        self._backlog = backlog
        self._backoff = backoff
        self._losses = losses
        self._notices = notices
        self._options = options
        self._batch_events = options.batch_events_max
        self.accepted = 0

    def next_batch(self) -> Tuple[Deque[_Line], List[bytes]]:
        """Returns the lines to send next, and the queue whose head they are."""
        try:
            source = self._backlog.source()
        except OSError as error:
            self._notices.warn("segment", f"cannot read the spool: {error}")
            source = self._backlog.source_without_spool()
        return source, _batch((line for line, _ in source), self._batch_events, self._options.batch_bytes_max)

    def send(self, lines: List[bytes], by: Optional[float]) -> _Outcome:
        """Sends one request, which ends at `by` at the latest. It touches no state but the connection."""
        deadline = time.monotonic() + self._options.request_timeout
        return self._wire.send(lines, deadline if by is None else min(deadline, by))

    def resolve(self, source: Deque[_Line], lines: List[bytes], outcome: _Outcome) -> bool:
        """Applies the server's answer for a batch, and returns whether the backlog has moved on."""
        if isinstance(outcome, _Later):
            self._failed(outcome)
            return False
        if isinstance(outcome, _TooLarge):
            if len(lines) > 1:
                self._batch_events = len(lines) // 2
                return True
            self._backlog.pop(source, 1, [])
            self._losses.count("oversize")
            self._notices.warn("oversize", f"the server rejected an event of {len(lines[0])} bytes: {outcome.message}")
            return True
        self._answered()
        self._backlog.pop(source, len(lines), outcome.again)
        self.accepted += outcome.accepted
        if outcome.rejected:
            self._losses.count("rejected", outcome.rejected)
            self._notices.warn(
                "rejected", f"{outcome.rejected} events were rejected, the first one: {outcome.first_error}"
            )
        if outcome.again:
            self._backoff.hold(max(outcome.wait, random.uniform(0, self._options.backoff_min)))
            return False
        try:
            self._backlog.finish_segment(source)
        except OSError as error:
            self._notices.warn("segment", f"cannot remove a segment: {error}")
        return True

    def _answered(self) -> None:
        if self._backoff.failing() and self._notices.withdraw("away"):
            _log.warning("the server at %s takes events again", self._url)
        self._backoff.succeeded()
        self._batch_events = min(self._options.batch_events_max, self._batch_events * 2)

    def _failed(self, outcome: _Later) -> None:
        self._backoff.failed(outcome)
        where = "spooled" if self._backlog.has_spool() else "kept in memory"
        self._notices.warn(
            "away", f"the server at {self._url} does not take events ({outcome.message}); they are {where}"
        )


# ---------------------------------------------------------------------------------------------------------------
# 9. The life of a process: its thread, its forks and its end
# ---------------------------------------------------------------------------------------------------------------


class _Emitter:
    """
    The life of the emitter in one process: it starts the thread, decides what the thread does next, holds the lock
    between the thread and whoever closes, and begins anew in a forked child. The classes above do the work.
    """

    def __init__(
        self, url: str, key: Optional[str], cluster: Optional[str], spool: Optional[str], options: Options, job: _Job
    ) -> None:
        self.job = job
        self.url = _base_url(url)
        self.key = key
        self.cluster = cluster
        self.spool_root = spool
        self.options = options
        self.runs: List[Run] = []
        self.wire = _Wire(url, key, cluster, options)
        self._run_keys = itertools.count()
        self._reset()

    def _reset(self) -> None:
        """Makes the state that belongs to one process. All of it is new after a fork."""
        options = self.options
        self.pid = os.getpid()
        # The name is another one in each process, and it tells the rank.
        self.emitter_id = ("" if self.job.rank is None else f"r{self.job.rank}-") + os.urandom(8).hex()
        self.queue = _Queue(options)
        self._backoff = _Backoff(options)
        self.running = False
        self._starting = threading.Lock()
        # This lock stands between the thread and whoever closes. `emit` never touches it, and no network I/O happens
        # under it. It is reentrant because a signal handler that closes may have interrupted its own thread here.
        self._state = threading.RLock()
        self.memory = _Memory()
        self.notices = _Notices()
        self.losses = _Losses(self.queue)
        self.numbering = _Numbering(self.runs, self.memory, self.losses, self.notices)
        self.backlog = _Backlog(self.memory, self._make_spool(), options, self.notices)
        self.sender = _Sender(self.wire, self.url, self.backlog, self._backoff, self.losses, self.notices, options)
        self._close_by: Optional[float] = None
        self._send_by = 0.0
        self._hurried = False
        self._done = False
        self._abandoned = False
        for run in self.runs:
            run._renumber()

    def _make_spool(self) -> Optional[_Spool]:
        if self.spool_root is None:
            return None
        meta = {
            "emitter_id": self.emitter_id,
            "url": self.url,
            "cluster": self.cluster,
            "key": None if self.key is None else hashlib.sha256(self.key.encode()).hexdigest()[:16],
        }
        return _Spool(self.spool_root, self.options.spool_bytes_max, meta, self._unreadable)

    def _unreadable(self, path: str, events: int, reason: str) -> None:
        self.losses.count("unreadable", events)
        self.notices.warn("segment", f"{events} events of {path} cannot be read again ({reason}) and are not sent")

    def next_run_key(self) -> int:
        return next(self._run_keys)

    # --- called by the training loop ---

    def ensure_running(self) -> None:
        """Starts the thread: at `start`, and at the first event of a forked child."""
        if self._done:
            self._put_away_late()
        if self.running or self._done or not self._starting.acquire(blocking=False):
            return
        try:
            if not self.running:
                self.running = True
                try:
                    threading.Thread(target=self._loop, name="runlog", daemon=True).start()
                except BaseException:
                    self.running = False
                    raise
                _end_with_multiprocessing(self)
        except RuntimeError as error:
            self.notices.warn("thread", f"cannot start a thread ({error}); events are sent when the run is closed")
        finally:
            self._starting.release()

    def settled(self) -> bool:
        """Whether everything emitted is acknowledged, rejected or counted as lost."""
        if not self._state.acquire(blocking=False):
            return False
        try:
            return not (self.queue or self.backlog)
        finally:
            self._state.release()

    def flush(self, timeout: float) -> bool:
        until = time.monotonic() + timeout
        urge_at = 0.0
        if id(self) in _emitters:
            self.ensure_running()
        while not self.settled():
            now = time.monotonic()
            if self._done or now >= until:
                return self.settled() and not self.losses.of_numbered()
            if now >= urge_at:
                urge_at = now + 1.0
                self._backoff.hurry()
                self.queue.ring()
            time.sleep(0.005)
        return not self.losses.of_numbered()

    def ask_to_close(self, timeout: float) -> None:
        """Sets the moment at which the emitter will be closed. When it is called again, the earliest time stands."""
        now = time.monotonic()
        if self._close_by is None or now + timeout < self._close_by:
            # Sending ends in time for the spool.
            self._send_by = now + timeout - min(1.0, timeout / 2)
            self._close_by = now + timeout
        self.queue.ring()

    def hurry_to_close(self) -> None:
        """Has the rest spooled very soon, because somebody wants the process to end."""
        if not self._hurried and not self._done:
            self._hurried = True
            self.ask_to_close(2 * _INTERRUPTED_S)
            if not self.running:
                # The interrupted thread itself waits for the server.
                self.wire.sever()

    def close(self, timeout: float) -> None:
        """
        Sends what it can and spools the rest. It returns within `timeout`, whatever the server does. It waits a little
        longer only for a disk that is taking the rest at that moment. Whatever interrupts it is raised when the rest is
        spooled.
        """
        if self.pid != os.getpid() or id(self) not in _emitters:
            return
        with _Uninterrupted(self.hurry_to_close):
            raised: Optional[BaseException] = None
            raised_at = 0.0
            for _ in range(_INTERRUPTIONS_MAX):
                try:
                    self.ask_to_close(timeout)
                    self._close()
                    break
                except BaseException as error:
                    # Another thread threw it into this one.
                    if raised is None:
                        raised, raised_at = error, time.monotonic()
                    elif time.monotonic() - raised_at > _HELD_MAX_S:
                        raise
                    self.hurry_to_close()
            if raised is not None:
                raise raised

    def _close(self) -> None:
        if self._done:
            _emitters.pop(id(self), None)
            return
        # This must not wait on events or conditions: a signal handler may have interrupted this very call.
        if not self.running:
            self._starting.acquire(blocking=False)
            self._work_until_closed()
        while not self._done and time.monotonic() < self._send_by:
            time.sleep(0.002)
        if not self._done:
            self.wire.sever()
            self.queue.ring()
        while not self._done and time.monotonic() < (self._close_by or 0.0) - 0.2:
            time.sleep(0.002)
        if not self._done:
            self._close_without_the_thread()
        if self._done:
            _emitters.pop(id(self), None)

    def _close_without_the_thread(self) -> None:
        """Spools in place of the thread, which hangs where nobody can wake it (a name that does not resolve)."""
        if not self._state.acquire(timeout=max(_DISK_GRACE_S, (self._close_by or 0.0) - time.monotonic())):
            _log.warning(
                "the spool %s takes nothing for %d s; up to %d events are lost if the process ends now",
                self.spool_root,
                int(_DISK_GRACE_S),
                len(self.queue) + len(self.memory),
            )
            return
        try:
            self._abandoned = True
            if not self._done:
                self._put_away()
        finally:
            self._state.release()

    # --- the thread ---

    def _loop(self) -> None:
        pid = self.pid
        state = self._state
        try:
            while os.getpid() == pid and self._state is state and not self._done:
                try:
                    if self._close_by is not None:
                        self._work_until_closed()
                        return
                    if not self._work():
                        self._wait()
                except Exception as error:
                    self.notices.warn("internal", f"internal fault, please report it: {type(error).__name__}: {error}")
                    self.queue.wait(1.0)
        finally:
            # Somebody may have thrown an exception into this thread. The next event starts another.
            if self._state is state:
                self.running = False

    def _wait(self) -> None:
        now = time.monotonic()
        wait = self.options.batch_interval
        due = self._backoff.due()
        if due > now:
            wait = min(wait, due - now)
        self.queue.wait(max(0.001, wait))

    def _work(self) -> bool:
        """Does one round, and returns whether there is more to do at once."""
        with self._state:
            if self._abandoned:
                return False
            self._take()
            interval = self.options.heartbeat_interval
            if interval > 0 and not self._backoff.failing() and not self.backlog.segments():
                self.numbering.beat(interval)
            self.backlog.spill_if_needed(self._backoff.away())
        if not self._backoff.may_try():
            return False
        if self._send_one():
            return True
        if self.sender.accepted and not self._backoff.failing():
            self.backlog.adopt_when_idle()
        return bool(self.backlog) and self._backoff.may_try()

    def _work_until_closed(self) -> None:
        """Sends until `_send_by`, which may come nearer meanwhile, and spools the rest."""
        backoff = self._backoff
        away = backoff.away()
        while time.monotonic() < self._send_by and not self.wire.severed:
            with self._state:
                if self._abandoned:
                    return
                self._take()
            if not self.backlog:
                break
            if max(backoff.not_before, time.monotonic()) > self._send_by:
                break
            if not self._send_one(by=self._send_by) and backoff.failing():
                # A server that was away already gets one more chance. One that has just failed gets the whole time.
                if away and self.backlog.has_spool():
                    break
                pause = max(backoff.not_before - time.monotonic(), random.uniform(0.05, 0.3))
                if time.monotonic() + pause >= self._send_by:
                    break
                self._pause(time.monotonic() + pause)
            elif backoff.not_before > time.monotonic():
                self._pause(backoff.not_before)
        with self._state:
            if not self._abandoned:
                self._put_away()

    def _pause(self, until: float) -> None:
        """Waits, but no longer than until sending ends."""
        while not self.wire.severed:
            left = min(until, self._send_by) - time.monotonic()
            if left <= 0:
                return
            self.queue.wait(left)

    def _put_away(self) -> None:
        """Spools what is left, or counts it as lost. This is the last act of the emitter in this process."""
        try:
            self._take(everything=True)
            lost = self.backlog.put_away()
            if lost:
                self.losses.count("not_spooled", lost)
                self.notices.warn("not_spooled", f"{lost} events could neither be sent nor spooled and are lost")
            if self.backlog.segments():
                self.notices.warn(
                    "left",
                    f"the server at {self.url} did not take all events in time; send them later with: "
                    f"python -m runlog drain {self.spool_root}",
                )
            self.wire.close()
            self.backlog.close()
        except Exception as error:
            lost = len(self.queue) + len(self.memory)
            self.losses.count("not_spooled", lost)
            _log.warning("closing: %s: %s; %d events are lost", type(error).__name__, error, lost)
        # Not after an exception of another kind: the exit of the process tries again.
        self._done = True
        self.running = False

    def _put_away_late(self) -> None:
        """Spools what was emitted when the exit of the process had closed the emitter, by a destructor for example."""
        if not self.queue:
            return
        # The interpreter has stopped its other threads where they were, perhaps one that had just got the lock.
        is_alone = sys.is_finalizing()
        is_held = self._state.acquire(timeout=0.0 if is_alone else 1.0)
        if not is_held and not is_alone:
            return
        try:
            self._put_away()
        finally:
            if is_held:
                self._state.release()

    def _take(self, everything: bool = False) -> None:
        """Numbers events from the queue, in the order in which they were emitted."""
        left = len(self.queue) if everything else 5_000
        while left > 0:
            room = everything or self.memory.bytes < self.options.memory_bytes_max
            items = self.queue.oldest(metrics_too=room) if room or self.backlog.can_spill() else []
            if not items:
                break
            left -= len(items)
            self.numbering.number(items)
        self.numbering.report_losses()

    def _send_one(self, by: Optional[float] = None) -> bool:
        """Sends the oldest batch, and returns whether the backlog has moved on."""
        with self._state:
            if self._abandoned:
                return False
            source, lines = self.sender.next_batch()
            if not lines:
                return False
        outcome = self.sender.send(lines, by)
        with self._state:
            return not self._abandoned and self.sender.resolve(source, lines, outcome)

    # --- fork ---

    def after_fork_in_child(self) -> None:
        """Begins anew. The parent sends what was queued before the fork."""
        self.wire.forget()
        self.backlog.forget()
        self._reset()


# The emitters of this process that are not closed. They are held here so that a run is flushed at exit even when
# nobody refers to it any more.
_emitters: Dict[int, _Emitter] = {}


def _after_fork_in_child() -> None:
    _Uninterrupted.entered = False
    for emitter in list(_emitters.values()):
        emitter.after_fork_in_child()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork_in_child)


class _Uninterrupted:
    """
    While it is entered in the main thread, handlers of signals run as ever, but what they raise waits for the end of
    the block. `hurry` is called then.
    """

    entered = False

    def __init__(self, hurry: Callable[[], None]) -> None:
        self._hurry = hurry
        self._pid = os.getpid()
        self._holds = False
        self._handlers: Dict[int, Callable[[int, Any], Any]] = {}
        self._raised: Optional[BaseException] = None
        self._raised_at = 0.0

    def __enter__(self) -> None:
        if _Uninterrupted.entered or threading.current_thread() is not threading.main_thread():
            return
        try:
            for number in signal.valid_signals():
                handler = signal.getsignal(number)
                if callable(handler):
                    self._handlers[number] = handler
                    with contextlib.suppress(OSError, ValueError, RuntimeError):
                        signal.signal(number, self._handle)
            _Uninterrupted.entered = self._holds = True
        except BaseException:
            self._put_back()
            raise

    def _handle(self, number: int, frame: Any) -> None:
        # Another exception may have kept a handler from being put back, and so may a fork.
        if not self._holds or os.getpid() != self._pid:
            self._handlers[number](number, frame)
            return
        try:
            self._handlers[number](number, frame)
        except BaseException as error:
            if self._raised is None:
                self._raised, self._raised_at = error, time.monotonic()
            elif time.monotonic() - self._raised_at > _HELD_MAX_S:
                # The disk hangs. Whoever insists gets through.
                raise
            self._hurry()

    def __exit__(self, _kind: Any, error: Optional[BaseException], _trace: Any) -> None:
        if not self._holds:
            return
        self._put_back()
        if self._raised is not None and error is None:
            raise self._raised

    def _put_back(self) -> None:
        _Uninterrupted.entered = self._holds = False
        for number, handler in self._handlers.items():
            if signal.getsignal(number) == self._handle:
                signal.signal(number, handler)


def _hurry_all() -> None:
    for emitter in list(_emitters.values()):
        emitter.hurry_to_close()


def _close_all() -> None:
    """Closes all emitters. Together they take no longer than the longest of their times."""
    with _Uninterrupted(_hurry_all):
        by = time.monotonic()
        for emitter in list(_emitters.values()):
            by = max(by, time.monotonic() + emitter.options.exit_timeout)
            emitter.ask_to_close(emitter.options.exit_timeout)
        for emitter in list(_emitters.values()):
            emitter.close(max(0.1, by - time.monotonic()))


def _close_all_at_exit() -> None:
    try:
        if _emitters:
            _close_all()
    except KeyboardInterrupt:
        # The process ends already, which is what whoever pressed Ctrl-C wants.
        _hurry_all()


# What an exception that was thrown into the first call left undone, the others do.
for _ in range(10):
    atexit.register(_close_all_at_exit)


def _end_with_multiprocessing(emitter: _Emitter) -> None:
    """Closes the emitter at the end of a multiprocessing child, which runs its own finalizers but not atexit."""
    process = sys.modules.get("multiprocessing.process")
    if process is None:
        return
    from multiprocessing import util

    # A run that is passed to a child of a fork server is made before the child begins, which then forgets all finalizers and
    # calls what is registered here. Such a child ends without atexit.
    if getattr(process.current_process(), "_inheriting", False):
        util.register_after_fork(emitter, _end_with_multiprocessing)
    elif process.parent_process() is not None:
        util.Finalize(None, emitter.close, args=(emitter.options.exit_timeout,), exitpriority=10)


_sigterm_handled = False


def _flush_at_sigterm() -> None:
    global _sigterm_handled
    if _sigterm_handled or threading.current_thread() is not threading.main_thread():
        return
    if signal.getsignal(signal.SIGTERM) is not signal.SIG_DFL:
        return
    owner = os.getpid()

    def handler(_signum: int, _frame: Any) -> None:
        if os.getpid() == owner:
            _close_all()
        signal.signal(signal.SIGTERM, signal.SIG_DFL)
        os.kill(os.getpid(), signal.SIGTERM)

    signal.signal(signal.SIGTERM, handler)
    _sigterm_handled = True


# ---------------------------------------------------------------------------------------------------------------
# 10. The job: what the launcher says in the environment
# ---------------------------------------------------------------------------------------------------------------

# Each is a fact in the data of TRAINING_STARTED, under its name in lower case.
_FACTS = (
    *("RANK", "WORLD_SIZE", "LOCAL_RANK", "LOCAL_WORLD_SIZE", "GROUP_RANK"),
    *("TORCHELASTIC_RUN_ID", "TORCHELASTIC_RESTART_COUNT"),
    *("SLURM_JOB_ID", "SLURM_JOB_NAME", "SLURM_ARRAY_JOB_ID", "SLURM_ARRAY_TASK_ID", "SLURM_RESTART_COUNT"),
    *("SLURM_PROCID", "SLURM_NTASKS", "SLURM_NODEID", "SLURM_NODELIST"),
    *("OMPI_COMM_WORLD_RANK", "OMPI_COMM_WORLD_SIZE", "OMPI_COMM_WORLD_LOCAL_SIZE", "JOB_COMPLETION_INDEX"),
)
# These are texts, also if they have digits only.
_NAMES = frozenset(
    ("TORCHELASTIC_RUN_ID", "SLURM_JOB_ID", "SLURM_JOB_NAME", "SLURM_ARRAY_JOB_ID", "SLURM_NODELIST"),
)
_RANKS = (("RANK", "WORLD_SIZE"), ("OMPI_COMM_WORLD_RANK", "OMPI_COMM_WORLD_SIZE"), ("SLURM_PROCID", "SLURM_NTASKS"))
_FACT_MAX = 256
# `torchrun --standalone` makes one at each start, so it does not outlive a requeue.
_MADE_UP_ID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}\Z")
# Slurm's name for an allocation that somebody works in by hand. What is started there is no rank of one job.
_BY_HAND = frozenset(("bash", "sh", "zsh", "interactive"))


class _Job(NamedTuple):
    rank: Optional[int]
    """None for a process that is alone."""
    facts: Dict[str, Any]

    def leads(self) -> bool:
        """Whether this process speaks for the run. Of several ranks the first one does."""
        return not self.rank


def _job_of(rank: Optional[int], attempt: Optional[int]) -> _Job:
    """What is given wins over what the environment says."""
    environment = os.environ
    facts: Dict[str, Any] = {}
    for name in _FACTS:
        text = environment.get(name, "").encode("utf-8", "replace").decode().strip()
        if text:
            counts = name not in _NAMES and re.match(r"-?[0-9]{1,15}\Z", text)
            facts[name.lower()] = int(text) if counts else text[:_FACT_MAX]
    facts["hostname"] = socket.gethostname()
    if attempt is None:
        attempt = 1 + sum(_count_in(facts, name) for name in ("torchelastic_restart_count", "slurm_restart_count"))
    facts["attempt"] = attempt
    found, size = _rank_in(facts)
    if rank is None:
        rank = found
    if rank is not None:
        facts["rank"] = rank
    if size is not None:
        facts["world_size"] = size
    return _Job(rank, facts)


def _count_in(facts: Mapping[str, Any], name: str) -> int:
    count = facts.get(name)
    return count if isinstance(count, int) and count > 0 else 0


def _rank_in(facts: Mapping[str, Any]) -> Tuple[Optional[int], Optional[int]]:
    """Returns the rank and how many ranks there are. A process that is the only one has no rank."""
    for rank_name, size_name in _RANKS:
        rank, size = facts.get(rank_name.lower()), facts.get(size_name.lower())
        if rank_name == "SLURM_PROCID" and facts.get("slurm_job_name") in _BY_HAND:
            continue
        if isinstance(rank, int) and rank >= 0:
            size = size if isinstance(size, int) and size > 0 else None
            return (None if size == 1 else rank), size
    return None, None


def _run_name(job: _Job) -> str:
    """
    Returns the name for a run that was given none. It is the same in all ranks of a job and after a requeue, as far as
    the environment tells them apart from those of other jobs.
    """
    named = os.environ.get("RUNLOG_RUN")
    if named:
        return _key_part("RUNLOG_RUN", named)
    facts = job.facts
    elastic = str(facts.get("torchelastic_run_id", "none"))
    # torchrun without --rdzv-id says "none" in every job.
    chosen = elastic if elastic != "none" else None
    if chosen is not None and not _MADE_UP_ID.match(chosen):
        return _fitted(chosen)
    if "slurm_job_id" in facts and facts.get("slurm_job_name") not in _BY_HAND:
        if "slurm_array_job_id" in facts and "slurm_array_task_id" in facts:
            return _fitted(f"{facts['slurm_array_job_id']}_{facts['slurm_array_task_id']}")
        return _fitted(str(facts["slurm_job_id"]))
    if chosen is not None:
        return _fitted(chosen)
    if job.rank is not None or "torchelastic_run_id" in facts:
        return _name_of_launcher(facts)
    return _name_of_now()


def _name_of_now() -> str:
    return time.strftime("run-%Y%m%d-%H%M%S-") + os.urandom(2).hex()


def _fitted(text: str) -> str:
    """Makes a name of a run. A text that cannot be one keeps what tells it apart from others like it."""
    if _KEY_PART.match(text):
        return text
    readable = re.sub(r"[^A-Za-z0-9._-]+", "-", text).strip("._-")[:50] or "run"
    return f"{readable}-{hashlib.sha256(text.encode('utf-8', 'replace')).hexdigest()[:8]}"


def _name_of_launcher(facts: Mapping[str, Any]) -> str:
    """The ranks of one machine have the same parent: torchrun's agent or mpirun. It outlives their restarts."""
    parent = os.getppid()
    started = time.time()
    try:
        with open(f"/proc/{parent}/stat", encoding="utf-8", errors="replace") as file:
            ticks = int(file.read().rpartition(")")[2].split()[19])
        with open("/proc/stat", encoding="utf-8") as file:
            booted = next(int(line.split()[1]) for line in file if line.startswith("btime "))
        started = booted + ticks / os.sysconf("SC_CLK_TCK")
        unique = f"{socket.gethostname()} {parent} {ticks} {booted}"
        local = facts.get("local_world_size", facts.get("ompi_comm_world_local_size"))
        together = local is not None and local == facts.get("world_size", 1)
    except (OSError, ValueError, IndexError, StopIteration):
        unique, together = os.urandom(8).hex(), False
    if not together:
        _log.warning("the ranks of this job may not find one name for their run; give them one with run= or RUNLOG_RUN")
    name = time.strftime("run-%Y%m%d-%H%M%S-", time.localtime(started))
    return name + hashlib.sha256(unique.encode()).hexdigest()[:4]


# ---------------------------------------------------------------------------------------------------------------
# 11. What a training loop uses
# ---------------------------------------------------------------------------------------------------------------


class Run:
    """
    The handle of a run; `start` makes it. Any thread may use it. After a fork the child numbers and sends its events as
    an emitter of its own. A handle may be passed to a spawned process. As a context manager it finishes the run, or
    fails it.
    """

    def __init__(self, emitter: _Emitter, run_id: str, group_id: str, opened: bool = True) -> None:
        self.run_id = run_id
        self.group_id = group_id
        self._emitter = emitter
        self._open = opened
        self._index = emitter.next_run_key()
        self._renumber()
        emitter.runs.append(self)

    def _renumber(self) -> None:
        emitter_id = self._emitter.emitter_id
        self._seq = 0
        self._ended = False
        self._last_at = time.monotonic()
        self._prefix = f"{emitter_id}.{self._index}."
        self._constant = f'"run_id":"{self.run_id}","group_id":"{self.group_id}","emitter_id":"{emitter_id}"'

    def emit(
        self,
        event_type: str,
        data: Optional[Mapping[str, Any]] = None,
        /,
        *,
        message: str = "",
        severity: Union[str, int] = "info",
        slot_id: Optional[str] = None,
        seed_id: Optional[str] = None,
        epoch: Optional[Number] = None,
        **fields: Any,
    ) -> None:
        """
        Queues an event and returns. It never waits and never raises. `fields` are the payload of the event; names that
        are taken go into the mapping `data`. The payload is copied shallowly, so a list or tensor that is changed in
        place later may be sent as changed. A SEED_* event carries `slot_id` in its payload too.
        """
        if not self._open:
            return
        emitter = self._emitter
        queue = emitter.queue
        lane = queue.metrics
        try:
            if data:
                fields = {**data, **fields}
            if event_type.startswith(_LIFECYCLE_PREFIXES):
                lane = queue.lifecycle
            ordinal = next(lane.count)
            lane.queue.append(
                (ordinal, time.time_ns(), self, event_type, fields, message, severity, slot_id, seed_id, epoch)
            )
            if not ordinal % 500 or event_type in _AT_ONCE:
                queue.ring()
            if not emitter.running:
                emitter.ensure_running()
        except Exception:
            # No item carries this ordinal, and that counts the event as lost.
            next(lane.count)

    def log(self, metrics: Optional[Mapping[str, Any]] = None, step: Optional[Number] = None, **more: Any) -> None:
        """
        Queues a METRICS event: `run.log({"loss": 0.3, "lr": 1e-4}, step=10)`. Names may have any characters, and each
        number becomes a figure of its name, with `step` as its x. Nested mappings are joined by dots. Like `emit` it never
        waits and never raises.
        """
        if not self._open:
            return
        emitter = self._emitter
        lane = emitter.queue.metrics
        try:
            fields = _Metrics(metrics or (), **more)
            if step is not None:
                fields["step"] = step
            ordinal = next(lane.count)
            lane.queue.append((ordinal, time.time_ns(), self, "METRICS", fields, "", "info", None, None, None))
            if not ordinal % 500:
                emitter.queue.ring()
            if not emitter.running:
                emitter.ensure_running()
        except Exception as error:
            # No item carries this ordinal, and that counts the event as lost.
            next(lane.count)
            emitter.notices.warn("log", f"run.log takes a mapping of names to numbers: {type(error).__name__}: {error}")

    def _pass_on(
        self,
        event_type: str,
        data: _Foreign,
        message: str,
        severity: str,
        slot_id: Optional[str],
        seed_id: Optional[str],
        epoch: Optional[Number],
    ) -> None:
        """Queues an event of another system. It may raise."""
        queue = self._emitter.queue
        lane = queue.lifecycle if event_type.startswith(_LIFECYCLE_PREFIXES) else queue.metrics
        ordinal = next(lane.count)
        lane.queue.append((ordinal, time.time_ns(), self, event_type, data, message, severity, slot_id, seed_id, epoch))
        if not ordinal % 500 or event_type in _AT_ONCE:
            queue.ring()
        self._emitter.ensure_running()

    def for_group(self, group: str) -> Run:
        """Returns the handle for another policy group of the run. It shares the connection and the thread."""
        for run in self._emitter.runs:
            if run.group_id == group:
                return run
        return Run(self._emitter, self.run_id, _key_part("group", group), self._open)

    def flush(self, timeout: float = 5.0) -> bool:
        """
        Waits until the server has acknowledged everything emitted. Returns False when that takes too long, and when
        events were lost after they had got their numbers.
        """
        return self._emitter.flush(timeout)

    def alert(self, title: str, text: Optional[str] = None, severity: Union[str, int] = "warning", **data: Any) -> None:
        """
        Queues an ALERT_RAISED event, which goes out at once: `run.alert("loss is NaN", f"at step {step}", "error")`. It is
        kept like a lifecycle event, however many metrics there are.
        """
        said: Dict[str, Any] = {"title": title} if text is None else {"title": title, "text": text}
        try:
            message = ": ".join(map(str, (title,) if text is None else (title, text)))
        except Exception as error:
            message = f"an alert that cannot be read: {type(error).__name__}"
        self.emit("ALERT_RAISED", {**said, **data}, message=message, severity=severity)

    def finish(self, message: str = "", timeout: Optional[float] = None) -> None:
        """
        Reports that the run is done, and flushes within `timeout` (5 s). What is not taken by then is spooled. Ctrl-C
        and other interruptions are raised when the rest is spooled, half a second later. In a rank other than the first it
        reports RANK_FINISHED, which does not end the run of the others.
        """
        with _Uninterrupted(self._hurry):
            self.emit("RUN_FINISHED" if self._emitter.job.leads() else "RANK_FINISHED", message=message)
            self.close(timeout)

    def fail(
        self, message: str = "", timeout: Optional[float] = None, *, error: Optional[BaseException] = None
    ) -> None:
        """
        Reports that the run has failed, with the reason, and with the traceback of `error`, or of the exception that is
        being handled. Any rank may do so. The rest is as in `finish`.
        """
        with _Uninterrupted(self._hurry):
            job = self._emitter.job
            data = _said_by(error if error is not None else sys.exc_info()[1])
            message = message or data.get("error", "")
            if not job.leads():
                data["rank"] = job.rank
                message = f"rank {job.rank}: {message}" if message else f"rank {job.rank} failed"
            self.emit("RUN_FAILED", data, message=message, severity="error")
            self.close(timeout)

    def close(self, timeout: Optional[float] = None) -> None:
        """Flushes and says nothing about the run. Later events are ignored."""
        emitter = self._emitter
        was_open, self._open = self._open, False
        limit = emitter.options.exit_timeout if timeout is None else timeout
        if not any(run._open for run in emitter.runs):
            # Also when it was called before: a handler of a signal may have interrupted that call, and may end the
            # process when this one returns.
            emitter.close(limit)
        elif was_open:
            emitter.flush(limit)

    def _hurry(self) -> None:
        if not any(run._open for run in self._emitter.runs):
            self._emitter.hurry_to_close()

    def stats(self) -> Dict[str, Any]:
        """Returns counters of this process's emitter, for tests and for the curious."""
        emitter = self._emitter
        return {
            "emitter_id": emitter.emitter_id,
            "numbered": emitter.numbering.numbered,
            "accepted": emitter.sender.accepted,
            "lost": emitter.losses.by_reason(),
            "queued": len(emitter.queue),
            "in_memory": len(emitter.memory),
            "segments": emitter.backlog.segments(),
        }

    def __enter__(self) -> Run:
        return self

    def __exit__(self, kind: Optional[Type[BaseException]], error: Optional[BaseException], _trace: Any) -> None:
        # To the shell, `sys.exit()` and `sys.exit(0)` are a success.
        left = isinstance(error, SystemExit) and (error.code is None or error.code == 0 and isinstance(error.code, int))
        if kind is None or left:
            self.finish()
        else:
            self.fail(error=error)

    def __reduce__(self) -> Tuple[Callable[..., Run], Tuple[Any, ...]]:
        emitter = self._emitter
        settings = (emitter.url, emitter.key, emitter.cluster, emitter.spool_root, emitter.options, emitter.job)
        return _unpickled, (settings, self.run_id, self.group_id, self._open)

    # --- the ten types ---

    def training_started(
        self,
        *,
        n_envs: int = 1,
        max_epochs: int = 0,
        max_batches: int = 0,
        task: str = "",
        host_params: Optional[Number] = None,
        slot_ids: Sequence[str] = (),
        seed: Optional[Number] = None,
        n_episodes: int = 0,
        lr: Optional[Number] = None,
        clip_ratio: Optional[Number] = None,
        entropy_coef: Optional[Number] = None,
        param_budget: Optional[Number] = None,
        policy_device: str = "",
        env_devices: Sequence[str] = (),
        reward_mode: str = "",
        **more: Any,
    ) -> None:
        """
        Begins an attempt of the run: `run.training_started(task="cifar10", lr=3e-4, batch_size=64)`. What a training has not
        is left out. `start_episode` says from which episode it resumes. The rank, the host, the job and the attempt are
        added. In ranks other than the first it is RANK_STARTED, so that one start counts as one attempt.
        """
        self.emit(
            "TRAINING_STARTED" if self._emitter.job.leads() else "RANK_STARTED",
            n_envs=n_envs,
            max_epochs=max_epochs,
            max_batches=max_batches,
            task=task,
            host_params=host_params,
            slot_ids=list(slot_ids),
            seed=seed,
            n_episodes=n_episodes,
            lr=lr,
            clip_ratio=clip_ratio,
            entropy_coef=entropy_coef,
            param_budget=param_budget,
            policy_device=policy_device,
            env_devices=list(env_devices),
            reward_mode=reward_mode,
            **more,
        )

    def seed_germinated(self, *, slot_id: str, env_id: int, blueprint_id: str, params: Number, **more: Any) -> None:
        self.emit("SEED_GERMINATED", slot_id=slot_id, env_id=env_id, blueprint_id=blueprint_id, params=params, **more)

    def seed_stage_changed(self, *, slot_id: str, env_id: int, from_stage: str, to_stage: str, **more: Any) -> None:
        self.emit(
            "SEED_STAGE_CHANGED", slot_id=slot_id, env_id=env_id, from_stage=from_stage, to_stage=to_stage, **more
        )

    def seed_gate_evaluated(
        self,
        *,
        slot_id: str,
        env_id: int,
        gate: str,
        passed: bool,
        target_stage: str,
        checks_passed: Sequence[str] = (),
        checks_failed: Sequence[str] = (),
        detail: Optional[str] = None,
        **more: Any,
    ) -> None:
        """`detail` is the payload's `message`."""
        self.emit(
            "SEED_GATE_EVALUATED",
            {"message": detail} if detail is not None else None,
            slot_id=slot_id,
            env_id=env_id,
            gate=gate,
            passed=passed,
            target_stage=target_stage,
            checks_passed=list(checks_passed),
            checks_failed=list(checks_failed),
            **more,
        )

    def seed_fossilized(
        self,
        *,
        slot_id: str,
        env_id: int,
        blueprint_id: str,
        improvement: Number,
        params_added: Number,
        **more: Any,
    ) -> None:
        self.emit(
            "SEED_FOSSILIZED",
            slot_id=slot_id,
            env_id=env_id,
            blueprint_id=blueprint_id,
            improvement=improvement,
            params_added=params_added,
            **more,
        )

    def seed_pruned(self, *, slot_id: str, env_id: int, reason: str, **more: Any) -> None:
        self.emit("SEED_PRUNED", slot_id=slot_id, env_id=env_id, reason=reason, **more)

    def ppo_update_completed(
        self,
        *,
        policy_loss: Number,
        value_loss: Number,
        entropy: Number,
        grad_norm: Number,
        kl_divergence: Number,
        clip_fraction: Number,
        nan_grad_count: int,
        **more: Any,
    ) -> None:
        self.emit(
            "PPO_UPDATE_COMPLETED",
            policy_loss=policy_loss,
            value_loss=value_loss,
            entropy=entropy,
            grad_norm=grad_norm,
            kl_divergence=kl_divergence,
            clip_fraction=clip_fraction,
            nan_grad_count=nan_grad_count,
            **more,
        )

    def batch_epoch_completed(
        self,
        *,
        episodes_completed: int,
        batch_idx: int,
        avg_accuracy: Number,
        avg_reward: Number,
        total_episodes: int,
        n_envs: int,
        rolling_accuracy: Optional[Number] = None,
        **more: Any,
    ) -> None:
        """`rolling_accuracy=None` means "not measured", which is not 0."""
        self.emit(
            "BATCH_EPOCH_COMPLETED",
            episodes_completed=episodes_completed,
            batch_idx=batch_idx,
            avg_accuracy=avg_accuracy,
            avg_reward=avg_reward,
            total_episodes=total_episodes,
            n_envs=n_envs,
            rolling_accuracy=rolling_accuracy,
            **more,
        )

    def epoch_completed(
        self, *, env_id: int, val_accuracy: Number, val_loss: Number, inner_epoch: int, **more: Any
    ) -> None:
        self.emit(
            "EPOCH_COMPLETED",
            env_id=env_id,
            val_accuracy=val_accuracy,
            val_loss=val_loss,
            inner_epoch=inner_epoch,
            **more,
        )

    def reward_computed(self, *, env_id: int, total_reward: Optional[Number] = None, **more: Any) -> None:
        self.emit("REWARD_COMPUTED", env_id=env_id, total_reward=total_reward, **more)


def start(
    run: Optional[str] = None,
    *,
    url: Optional[str] = None,
    key: Optional[str] = None,
    cluster: Optional[str] = None,
    group: str = "default",
    spool: Union[str, os.PathLike[str], bool, None] = None,
    rank: Optional[int] = None,
    attempt: Optional[int] = None,
    flush_on_sigterm: bool = False,
    options: Optional[Options] = None,
) -> Run:
    """
    Begins to emit for a run. It makes no connection yet. `run` and `group` are 1 to 64 characters of A-Z a-z 0-9 . _ -
    and without `run` the name is RUNLOG_RUN, else torchrun's --rdzv-id or the Slurm job, so that all ranks and requeues of
    a job are one run, else made from the time. `rank` and `attempt` (1 is the first) are read from what torchrun, Slurm or
    mpirun says. In ranks other than 0 `training_started` and `finish` speak of the rank alone. `url` and `key` default to
    RUNLOG_INGEST_URL and RUNLOG_KEY, or to the content of the file that RUNLOG_KEY_FILE names.
    `cluster` names the cluster to a server without keys. `spool` is a folder (default RUNLOG_SPOOL_DIR, else
    ~/.cache/runlog/spool), or False for none. With RUNLOG_DISABLED=1 the run does nothing at all. Raises ValueError
    for a name or an address that cannot work.
    """
    disabled = os.environ.get("RUNLOG_DISABLED", "").strip().lower() in ("1", "true", "yes")
    job = _job_of(_whole("rank", rank, at_least=0), _whole("attempt", attempt, at_least=1))
    run_id = run if run is not None else _name_of_now() if disabled else _run_name(job)
    settings = (
        url or os.environ.get("RUNLOG_INGEST_URL") or DEFAULT_URL,
        None if disabled else _key_of(key),
        None if cluster is None or disabled else _key_part("cluster", cluster),
        _spool_of(spool),
        options or Options(),
        job,
    )
    if disabled:
        return Run(_Emitter(DEFAULT_URL, None, None, None, settings[4], job), run_id, group, opened=False)
    names = (_key_part("run", run_id), _key_part("group", group))
    if flush_on_sigterm:
        _flush_at_sigterm()
    return _open(settings, *names)


_Settings = Tuple[str, Optional[str], Optional[str], Optional[str], Options, _Job]


def _open(settings: _Settings, run_id: str, group_id: str) -> Run:
    emitter = _Emitter(*settings)
    _emitters[id(emitter)] = emitter
    run = Run(emitter, run_id, group_id)
    emitter.ensure_running()
    return run


def _unpickled(settings: _Settings, run_id: str, group_id: str, opened: bool) -> Run:
    if not opened:
        return Run(_Emitter(*settings), run_id, group_id, opened=False)
    return _open(settings, run_id, group_id)


def _key_of(key: Optional[str]) -> Optional[str]:
    given, named = os.environ.get("RUNLOG_KEY"), os.environ.get("RUNLOG_KEY_FILE")
    if key or not named:
        return key or given or None
    if given:
        raise ValueError("RUNLOG_KEY and RUNLOG_KEY_FILE are both set: set one of them")
    try:
        with open(named, encoding="utf-8") as file:
            read = file.read().rstrip("\r\n")
    except OSError as error:
        raise ValueError(f"RUNLOG_KEY_FILE={named} cannot be read: {error.strerror}") from error
    if not read:
        raise ValueError(f"RUNLOG_KEY_FILE={named} is empty")
    return read


def _spool_of(spool: Union[str, os.PathLike[str], bool, None]) -> Optional[str]:
    if spool is False:
        return None
    if spool is None or spool is True:
        return _default_spool()
    return _absolute(spool)


def _whole(what: str, number: Optional[int], at_least: int) -> Optional[int]:
    whole = isinstance(number, int) and not isinstance(number, bool)
    if number is not None and not (whole and at_least <= number < 2**31):
        raise ValueError(f"{what} must be a whole number from {at_least}, not {number!r}")
    return number


def _key_part(what: str, text: str) -> str:
    if not isinstance(text, str) or _KEY_PART.match(text) is None:
        raise ValueError(
            f"{what} must be 1 to 64 characters of A-Z a-z 0-9 . _ - and begin with a letter or digit, not {text!r}"
        )
    return text


class LogHandler(logging.Handler):
    """
    Emits log records as LOG_RECORD events:
    `logging.getLogger().addHandler(runlog.LogHandler(run, logging.WARNING))`.
    """

    def __init__(self, run: Run, level: int = logging.WARNING) -> None:
        super().__init__(level)
        self._run = run

    def emit(self, record: logging.LogRecord) -> None:
        if record.name == _log.name:
            return
        try:
            message = record.getMessage()
            fields: Dict[str, Any] = {"logger": record.name, "file": record.filename, "line": record.lineno}
            if record.exc_info and record.exc_info[1] is not None:
                fields["exception"] = repr(record.exc_info[1])[:_TEXT_MAX]
            self._run.emit("LOG_RECORD", fields, message=message, severity=_severity_of(record.levelno))
        except Exception:
            self.handleError(record)


def _said_by(error: Optional[BaseException]) -> Dict[str, Any]:
    """Returns what an exception says, as the data of RUN_FAILED. The end of a long traceback tells more than its head."""
    if error is None:
        return {}
    try:
        said = ": ".join(filter(None, (type(error).__name__, str(error))))
    except Exception:
        said = type(error).__name__
    said = said[:_ERROR_MAX]
    try:
        trace = "".join(traceback.format_exception(type(error), error, error.__traceback__))
    except Exception:
        return {"error": said}
    if len(trace) > _TRACEBACK_MAX:
        trace = "…" + trace[-_TRACEBACK_MAX:]
    return {"error": said, "traceback": trace}


def _severity_name(severity: Any) -> str:
    """Returns the severity that a text or a level of `logging` means, and `info` for any other."""
    if type(severity) is str and severity in _SEVERITIES:
        return _SEVERITIES[severity]
    if isinstance(severity, enum.Enum):
        severity = severity.value
    if isinstance(severity, str):
        severity = severity.strip().lower()
        if severity in _SEVERITIES:
            return _SEVERITIES[severity]
    try:
        level = float(severity)
    except Exception:
        return "info"
    return "info" if math.isnan(level) else _severity_of(level)


def _severity_of(level: float) -> str:
    for floor, severity in ((50, "critical"), (40, "error"), (30, "warning"), (20, "info")):
        if level >= floor:
            return severity
    return "debug"


# ---------------------------------------------------------------------------------------------------------------
# 12. The command: python -m runlog drain DIR
# ---------------------------------------------------------------------------------------------------------------


class Drained(NamedTuple):
    """The result of `drain`. `folders_in_use` are those that a live process holds."""

    accepted: int
    rejected: int
    segments_left: int
    folders_in_use: int
    unreadable: int = 0
    """Segments and folders that could not be read. They stay where they are."""


def drain(
    folder: Union[str, os.PathLike[str]],
    *,
    url: Optional[str] = None,
    key: Optional[str] = None,
    cluster: Optional[str] = None,
    timeout: float = 60.0,
    options: Optional[Options] = None,
) -> Drained:
    """
    Sends what emitters left in the spool `folder`, oldest first, and deletes what is acknowledged. The server knows an
    event that had arrived before by its number. Gives up a server that has taken nothing for `timeout` seconds, and a
    folder that the server refuses; the others follow. May raise OSError when `folder` itself cannot be read.
    """
    root = _absolute(folder)
    draining = _Draining(url, _key_of(key), cluster, timeout, options or Options())
    here = [root] if _segments(root) else []
    for path in [*here, *sorted(entry.path for entry in os.scandir(root) if entry.is_dir())]:
        draining.drain_folder(path)
    return draining.done


class _Draining:
    def __init__(
        self, url: Optional[str], key: Optional[str], cluster: Optional[str], timeout: float, options: Options
    ) -> None:
        self._url = url or os.environ.get("RUNLOG_INGEST_URL")
        self._key = key
        self._cluster = cluster
        self._timeout = timeout
        self._options = options
        self._away: Dict[str, bool] = {}
        """The servers that are given up."""
        self.done = Drained(0, 0, 0, 0)

    def _count(self, **counts: int) -> None:
        done = self.done._asdict()
        self.done = Drained(**{name: number + counts.get(name, 0) for name, number in done.items()})

    def drain_folder(self, path: str) -> None:
        try:
            if not _segments(path):
                return
            lock = _lock_folder(path, asked=True)
        except OSError as error:
            if not os.path.lexists(path):
                # Another drain has sent it since the folders were listed.
                return
            self._count(unreadable=1)
            _log.error("cannot drain %s: %s", path, error.strerror or error)
            return
        if lock is None:
            self._count(folders_in_use=1)
            return
        try:
            self._drain_locked(path)
        except FileNotFoundError:
            # Another drain has removed the folder between the opening of its lock and the locking.
            if os.path.lexists(path):
                raise
        finally:
            os.close(lock)

    def _drain_locked(self, path: str) -> None:
        meta = _read_meta(path)
        target = self._url or meta.get("url") or DEFAULT_URL
        segments = _segments(path)
        try:
            wire = _Wire(target, self._key, self._cluster or meta.get("cluster"), self._options)
        except (TypeError, ValueError) as error:
            self._count(segments_left=len(segments))
            _log.error("cannot drain %s: %s", path, error)
            return
        try:
            refused = False
            for segment in segments:
                if refused or self._away.get(target):
                    self._count(segments_left=1)
                else:
                    refused = not self._drain_segment(wire, segment, target)
            _remove_folder(path)
        finally:
            wire.close()

    def _drain_segment(self, wire: _Wire, path: str, target: str) -> bool:
        """Returns false when the server refuses the folder for good."""
        try:
            lines = collections.deque(_read_segment(path))
        except OSError as error:
            self._count(unreadable=1)
            _log.error("cannot read %s: %s", path, error.strerror or error)
            return True
        refusal = self._send_all(wire, lines)
        if refusal is None:
            try:
                os.unlink(path)
            except OSError as error:
                self._count(segments_left=1)
                _log.error("cannot remove %s, which is sent: %s", path, error.strerror or error)
            return True
        self._count(segments_left=1)
        self._away[target] = not refusal.misconfigured
        what = os.path.dirname(path) if refusal.misconfigured else target
        _log.error("%s is left: %s", what, refusal.message)
        return not refusal.misconfigured

    def _send_all(self, wire: _Wire, lines: Deque[bytes]) -> Optional[_Later]:
        """Sends lines until none is left, and returns the server's word if it does not take them."""
        options = self._options
        attempt = 0
        size = options.batch_events_max
        give_up_at = time.monotonic() + self._timeout
        while lines:
            batch = _batch(lines, size, options.batch_bytes_max)
            outcome = wire.send(batch, time.monotonic() + options.request_timeout)
            wait = 0.0
            if isinstance(outcome, _Answered):
                taken = [lines.popleft() for _ in batch]
                lines.extendleft(taken[index] for index in reversed(outcome.again))
                self._count(accepted=outcome.accepted, rejected=outcome.rejected)
                if outcome.rejected:
                    _log.error("%d events were rejected, the first one: %s", outcome.rejected, outcome.first_error)
                attempt = 0
                give_up_at = time.monotonic() + self._timeout
                wait = max(outcome.wait, options.backoff_min) if outcome.again else 0.0
            elif isinstance(outcome, _TooLarge):
                if len(batch) == 1:
                    lines.popleft()
                    self._count(rejected=1)
                    _log.error("the server rejected an event of %d bytes: %s", len(batch[0]), outcome.message)
                size = max(1, len(batch) // 2)
            else:
                wait = random.uniform(0, min(options.backoff_max, options.backoff_min * 2.0**attempt))
                wait = max(wait, outcome.wait or 0.0)
                attempt += 1
                if outcome.misconfigured or time.monotonic() + wait >= give_up_at:
                    return outcome
            time.sleep(wait)
        return None


def _main(arguments: Optional[Sequence[str]] = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m runlog", description="Tools of runlog's Python emitter.")
    commands = parser.add_subparsers(dest="command", required=True)
    command = commands.add_parser("drain", help="send what emitters spooled while the server was away")
    command.add_argument("dir", nargs="?", default=_default_spool(), help="the spool folder (default: %(default)s)")
    command.add_argument("--url", help="ingest; default RUNLOG_INGEST_URL, else where the emitter sent to")
    command.add_argument(
        "--cluster", help="default: the emitter's; the key is taken from RUNLOG_KEY or RUNLOG_KEY_FILE"
    )
    command.add_argument("--timeout", type=float, default=60.0, help="seconds without progress before giving up")
    given = parser.parse_args(arguments)
    if not os.path.isdir(os.path.expanduser(given.dir)):
        print(f"{given.dir} is not a folder", file=sys.stderr)
        return 2
    try:
        done = drain(given.dir, url=given.url, cluster=given.cluster, timeout=given.timeout)
    except (OSError, ValueError) as error:
        print(f"cannot drain {given.dir}: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("interrupted; what is not acknowledged is still there", file=sys.stderr)
        return 130
    print(
        f"{done.accepted} events accepted, {done.rejected} rejected, {done.segments_left} segments left, "
        f"{done.unreadable} unreadable, {done.folders_in_use} folders in use by a live process"
    )
    return 1 if any(done[1:]) else 0


if __name__ == "__main__":
    sys.exit(_main())

"""Tells schemathesis what the OpenAPI documents cannot express. `npm run conformance` loads this."""

import gzip
import json
import re
import zlib

import schemathesis
from hypothesis import strategies as st

RUN_KEY_PART = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}\Z")
# The run that scripts/conformance.ts publishes, so that there is something to show.
PUBLISHED = {"cluster": "local", "run": "conformance", "group": "default"}

event = st.fixed_dictionaries(
    {
        "event_id": st.uuids().map(str),
        "event_type": st.sampled_from(["PLATEAU_DETECTED", "RUN_HEARTBEAT", "LOG_RECORD"]),
        "timestamp": st.just("2026-01-03T23:59:47+00:00"),
        "run_id": st.sampled_from(["a", "b.c", "D-1_2"]),
        "data": st.dictionaries(st.text(max_size=8), st.floats() | st.text(max_size=20) | st.none(), max_size=4),
    }
)
# Numbers include bare NaN, as Python writes it.
ndjson = st.lists(event, min_size=1, max_size=5).map(lambda events: "\n".join(map(json.dumps, events)).encode())
schemathesis.openapi.media_type("application/x-ndjson", ndjson)
# An ExportLogsServiceRequest with nothing in it, and one record with nothing in it.
schemathesis.openapi.media_type("application/x-protobuf", st.sampled_from([b"", b"\n\x04\x12\x02\x12\x00"]))
# These take whatever comes, and say in a 200 what they could not use.
FOR_SENDERS = ("/v1/logs", "/v1/keys/{key}/events")


def header_of(case: schemathesis.Case, name: str) -> object:
    return {name.lower(): value for name, value in (case.headers or {}).items()}.get(name)


def encoded(ctx: schemathesis.SerializationContext, body: bytes) -> bytes:
    """Encodes the body as Content-Encoding says."""
    encoding = header_of(ctx.case, "content-encoding")
    if encoding in ("gzip", "x-gzip"):
        return gzip.compress(body)
    return zlib.compress(body) if encoding == "deflate" else body


@schemathesis.serializer("application/x-ndjson")
def serialize_ndjson(ctx: schemathesis.SerializationContext, value: object) -> bytes:
    if isinstance(value, bytes):
        return encoded(ctx, value)
    return encoded(ctx, value.encode() if isinstance(value, str) else json.dumps(value).encode())


@schemathesis.serializer("application/x-protobuf")
def serialize_protobuf(ctx: schemathesis.SerializationContext, value: object) -> bytes:
    return encoded(ctx, value if isinstance(value, bytes) else b"")


@schemathesis.serializer("application/json")
def serialize_json(ctx: schemathesis.SerializationContext, value: object) -> bytes:
    return encoded(ctx, value if isinstance(value, bytes) else json.dumps(value).encode())


@schemathesis.hook
def filter_case(ctx: schemathesis.HookContext, case: schemathesis.Case) -> bool:
    """Leaves out cases with a made-up cursor or with both before and after, which the document cannot rule out."""
    query = case.query or {}
    return not isinstance(query.get("cursor"), str) and not ("before" in query and "after" in query)


@schemathesis.hook
def filter_failure(
    ctx: schemathesis.HookContext, failure: Exception, case: schemathesis.Case, response: schemathesis.Response
) -> bool:
    """Ignores invalid data that was rejected in another way: with 413, event by event in a 200, or as HTTP allows.

    An address that is too long together with its header fields is rejected before any operation sees it.

    Ignores also valid parameters that do not go together: an option, and channels of another kind.
    """
    if response.status_code == 431:
        return False
    if type(failure).__name__ == "RejectedPositiveData" and case.path == "/v1/stream/events":
        return response.status_code != 400
    is_for_senders = case.path in FOR_SENDERS or (case.query or {}).get("mode") == "sender"
    if type(failure).__name__ == "AcceptedNegativeData" and is_for_senders:
        return False
    if type(failure).__name__ != "AcceptedNegativeData" or case.path != "/v1/events":
        return True
    refused = response.status_code == 413 or (response.status_code == 200 and response.json()["rejected"] > 0)
    # An empty list of encodings means none.
    return not refused and header_of(case, "content-encoding") != ""


@schemathesis.hook
def map_path_parameters(ctx: schemathesis.HookContext, path_parameters: dict) -> dict:
    """Replaces half of the generated runs by the one that exists."""
    values = list((path_parameters or {}).values())
    could_be = set(path_parameters or {}) == set(PUBLISHED) and all(
        isinstance(value, str) and RUN_KEY_PART.match(value) for value in values
    )
    if could_be and sum(map(len, values)) % 2 == 0:
        return {name: PUBLISHED[name] for name in path_parameters}
    return path_parameters

"""
An output backend for esper's telemetry hub. It sends what the hub hands out, with the ids and times of the events:

    import runlog.esper

    hub = get_hub()
    hub.add_backend(runlog.esper.RunlogOutput("cifar-7", url="http://127.0.0.1:4000"))

It imports nothing of esper. An event is whatever has the fields of a TelemetryEvent, and a payload is a dataclass, a
mapping, or an object with `to_dict`. A policy group of the hub is a group of the run; what the hub says for its default
group belongs to the group that the output was opened with.
"""

from __future__ import annotations

import collections.abc
import dataclasses
import datetime
import logging
import sys
import time
import uuid
from typing import Any, Dict, List, Optional, Union

import runlog

__all__ = ["RunlogOutput"]

_log = logging.getLogger("runlog")

_GROUPS_MAX = 64
_EVENT_ID_CHARS_MAX = 128
_UNIX_EPOCH = datetime.datetime(1970, 1, 1, tzinfo=datetime.timezone.utc)
_MICROSECOND = datetime.timedelta(microseconds=1)
# What a payload says of ranks when nobody told it. The launcher knows better.
_NOT_TOLD = (("rank", 0), ("local_rank", 0), ("world_size", 1))


class RunlogOutput:
    """
    A backend for `hub.add_backend`. `run` is the name of a run or an open `runlog.Run`; `settings` are those of
    `runlog.start`. `close` ends the runs of all groups and flushes: as failed while an exception is on its way out, else as
    finished. With `ends_run=False`, or with a Run that somebody else ends, it only flushes.
    """

    def __init__(self, run: Union[str, runlog.Run, None] = None, *, ends_run: bool = True, **settings: Any) -> None:
        self._given = run if isinstance(run, runlog.Run) else None
        self._name = None if isinstance(run, runlog.Run) else run
        self._ends_run = ends_run and self._given is None
        self._settings = settings
        self._base: Optional[runlog.Run] = None
        self._counted: Optional[runlog.Run] = None
        self._groups: Dict[str, runlog.Run] = {}
        self._warned = False

    @property
    def run_id(self) -> Optional[str]:
        """The name of the run, once it is known."""
        return self._name if self._given is None else self._given.run_id

    def stats(self) -> Dict[str, Any]:
        """Returns the counters of the emitter, also after `close`."""
        return {} if self._counted is None else self._counted.stats()

    def start(self) -> None:
        """Opens the run. Raises ValueError for a name or an address that cannot work."""
        if self._base is not None:
            return
        if self._given is not None:
            self._base = self._counted = self._given
            return
        self._base = self._counted = runlog.start(self._name, **self._settings)
        # Until an event names its group it must not send heartbeats, which would begin a run that has no events.
        self._base._emitter.runs.remove(self._base)
        self._name = self._base.run_id

    def emit(self, event: Any) -> None:
        """Queues an event. It never raises, because the hub would count that as its own failure."""
        try:
            if self._base is None:
                self.start()
            run = self._run_of(event)
            if run._open:
                _pass_on(run, event)
        except Exception as error:
            self._lost(error)

    def flush(self, timeout: float = 5.0) -> bool:
        """Waits until the server has acknowledged everything emitted. Returns False when that takes too long."""
        return self._base is None or self._base.flush(timeout)

    def close(self) -> None:
        """Ends the runs and flushes for at most 5 s. What is not taken by then is spooled. `start` opens it again."""
        base, self._base = self._base, None
        opened, self._groups = list(dict.fromkeys(self._groups.values())), {}
        if base is None:
            return
        try:
            if self._given is not None:
                base.flush()
            elif not self._ends_run or not opened:
                _each(opened or [base], lambda run, timeout: run.close(timeout))
            else:
                error = sys.exc_info()[1]
                if error is None or (isinstance(error, SystemExit) and error.code in (None, 0)):
                    _each(opened, lambda run, timeout: run.finish(timeout=timeout))
                else:
                    _each(opened, lambda run, timeout: run.fail(timeout=timeout, error=error))
        except Exception as error:
            self._lost(error)

    def _run_of(self, event: Any) -> runlog.Run:
        base = self._base
        assert base is not None
        group = getattr(event, "group_id", None) or "default"
        known = self._groups.get(group)
        if known is not None:
            return known
        if len(self._groups) >= _GROUPS_MAX:
            return next(iter(self._groups.values()))
        name = base.group_id if group == "default" else runlog._fitted(str(group))
        if name == base.group_id and base not in base._emitter.runs:
            base._emitter.runs.append(base)
        run = base if name == base.group_id else base.for_group(name)
        self._groups[group] = run
        return run

    def _lost(self, error: Exception) -> None:
        if self._base is not None:
            # No item carries this ordinal, and that counts the event as lost.
            next(self._base._emitter.queue.metrics.count)
        if not self._warned:
            self._warned = True
            _log.warning("an event of the hub cannot be sent: %s: %s", type(error).__name__, error)


def _each(runs: List[runlog.Run], end: Any) -> None:
    """Ends all runs. Only the last one waits, for what all of them have emitted."""
    *others, last = runs
    for run in others:
        end(run, 0.0)
    end(last, None)


def _pass_on(run: runlog.Run, event: Any) -> None:
    kind = getattr(event, "event_type", None)
    event_type = str(getattr(kind, "name", kind))
    data = _payload(getattr(event, "data", None))
    # The hub's emitters put these on the event when its payload has no place for them.
    for name in ("env_id", "device"):
        if name not in data and getattr(event, name, None) is not None:
            data[name] = getattr(event, name)
    job = run._emitter.job
    if event_type == "TRAINING_STARTED":
        if job.rank is not None:
            data = {name: value for name, value in data.items() if (name, value) not in _NOT_TOLD}
        if not job.leads():
            event_type = "RANK_STARTED"
    event_id = getattr(event, "event_id", None)
    if not isinstance(event_id, str) or not 0 < len(event_id) <= _EVENT_ID_CHARS_MAX:
        event_id = str(uuid.uuid4())
    run._pass_on(
        event_type,
        runlog._Foreign(data, event_id, _time_ns(getattr(event, "timestamp", None))),
        getattr(event, "message", None) or "",
        getattr(event, "severity", None) or "info",
        getattr(event, "slot_id", None),
        getattr(event, "seed_id", None),
        getattr(event, "epoch", None),
    )


def _payload(payload: Any) -> Dict[str, Any]:
    if payload is None:
        return {}
    if isinstance(payload, collections.abc.Mapping):
        return dict(payload)
    to_dict = getattr(payload, "to_dict", None)
    if callable(to_dict):
        return dict(to_dict())
    if dataclasses.is_dataclass(payload) and not isinstance(payload, type):
        return {field.name: getattr(payload, field.name) for field in dataclasses.fields(payload)}
    return {"value": payload}


def _time_ns(moment: Any) -> int:
    if not isinstance(moment, datetime.datetime):
        return time.time_ns()
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=datetime.timezone.utc)
    # A float of seconds would not hold the microseconds.
    return int((moment - _UNIX_EPOCH) // _MICROSECOND) * 1000

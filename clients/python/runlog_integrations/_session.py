"""
What the integrations share: how a training's begin, metrics, checkpoints and end become events of one run.

A training library calls hooks in the middle of its loop, from the processes of all ranks, and after the training too. So
a session opens its run at the first thing to say, which only the main process does; catches whatever goes wrong in a
hook and says it once; and opens the run again for what is measured after its end.
"""

from __future__ import annotations

import functools
import inspect
import logging
import os
import re
import sys
import weakref
from typing import Any, Callable, Dict, List, Mapping, Optional, Tuple, Type, TypeVar, Union

import runlog

_log = logging.getLogger("runlog")

_HYPERPARAMETERS_MAX = 512
_DEPTH_MAX = 4
_TEXT_MAX = 1024
_TRACEBACK_MAX = 16 * 1024
# Names whose texts nobody wants to see on a page. The numbers of `max_tokens` and the like are kept.
_SECRET = re.compile(r"(?:auth|hub|hf|access|api|private)_?(?:token|key)|secret|passw|credential", re.IGNORECASE)

Hook = TypeVar("Hook", bound=Callable[..., Any])


def needs(module: str, package: str, cause: ImportError) -> ImportError:
    """Returns the error of an integration whose library is not there."""
    return ImportError(f"{module} needs {package}, which cannot be imported ({cause}): pip install {package}")


def never_raises(hook: Hook) -> Hook:
    """A hook of an object with a `session`: what goes wrong in it is said once, and the training goes on."""

    @functools.wraps(hook)
    def guarded(self: Any, *args: Any, **kwargs: Any) -> Any:
        try:
            return hook(self, *args, **kwargs)
        except Exception as error:
            self.session.report(hook.__name__, error)
            return None

    return guarded  # type: ignore[return-value]


class Session:
    """
    One run, as a training library tells of it. `run` is a run that was started, whose owner closes it, or its name, or
    None for a name made from the time; `settings` are the other arguments of `runlog.start`. A copy within the process
    is the same session; in another process, the same run with numbers of its own.
    """

    def __init__(self, library: str, run: Union[runlog.Run, str, None], settings: Mapping[str, Any]) -> None:
        self.library = library
        self._given = run if isinstance(run, runlog.Run) else None
        self._settings = dict(settings)
        self._name = None if isinstance(run, runlog.Run) else run
        if self._given is not None and self._settings:
            raise TypeError(f"a run that was started takes no {', '.join(self._settings)}: give these to runlog.start")
        if self._given is None:
            _check(self._name, self._settings)
        self._run: Optional[runlog.Run] = None
        self._reported = False
        self.begun = False
        self.ended = False
        self._last_end: Tuple[str, Mapping[str, Any], str, str] = ("RUN_FINISHED", {}, "", "info")
        self._pid = 0

    @property
    def run(self) -> runlog.Run:
        """The run, opened if it is not open."""
        if self._given is not None:
            return self._given
        if self._run is None:
            # Whom the library calls its main process speaks for the run, whatever a launcher calls it.
            self._run = runlog.start(self._name, **{"rank": 0, **self._settings})
            # What is said after the end is said of the same run.
            self._name = self._run.run_id
        return self._run

    @property
    def run_id(self) -> str:
        """The run's name, on ranks that open no run too."""
        if self._given is not None:
            return self._given.run_id
        if self._name is None:
            self._name = runlog._run_name(runlog._job_of(None, None))
        return self._name

    def begin(self, hyperparameters: Optional[Mapping[str, Any]] = None, **facts: Any) -> None:
        """
        Says that a training has begun, once more after an end. `facts` are fields of TRAINING_STARTED and whatever else
        is known; a training that was resumed says so by `resumed_from_step`.
        """
        self.begun, self.ended = True, False
        self._pid = os.getpid()
        _watch(self)
        known = {name: value for name, value in facts.items() if value is not None}
        if "resumed_from_step" in known or "resumed_from" in known:
            known["resumed"] = True
        if hyperparameters:
            known["hyperparameters"] = presentable(hyperparameters)
        self.run.training_started(**{"task": self.library, "library": self.library, **known})

    def configured(self, hyperparameters: Mapping[str, Any]) -> None:
        """Says hyperparameters that became known after the training's beginning."""
        self.run.emit("RUN_CONFIGURED", {"hyperparameters": presentable(hyperparameters)})
        self._stay_ended()

    def metrics(self, values: Mapping[str, Any], step: Optional[runlog.Number] = None) -> None:
        """Logs metrics by their names. A run that has ended stays so."""
        logged = {str(name): _detached(value) for name, value in values.items()}
        if not logged:
            return
        if not self.begun:
            self.begin()
        self.run.log(logged, step=step)
        self._stay_ended()

    def _stay_ended(self) -> None:
        """What comes more than a minute after the end of a run would say that it goes on, if the end were not said again."""
        if self.ended:
            self._say_end()

    def checkpoint(
        self, path: Any, step: Optional[runlog.Number] = None, epoch: Optional[runlog.Number] = None, **more: Any
    ) -> None:
        """A number in `more` becomes a figure of its own."""
        fields = {"path": str(path), "step": step, **more}
        known = {name: value for name, value in fields.items() if value is not None}
        self.run.emit("CHECKPOINT_SAVED", known, epoch=epoch)
        self._stay_ended()

    def end(self, message: str = "") -> None:
        """Says that the training is done. Does not wait longer than the `exit_timeout` of the run's options."""
        if self.begun and not self.ended:
            self._end("RUN_FINISHED", message, "info", {})

    def fail(self, error: Union[BaseException, str, None], trace: str = "") -> None:
        """Says that the training has failed, with the traceback."""
        if not self.begun or self.ended:
            return
        fields: Dict[str, Any] = {}
        if isinstance(error, BaseException):
            fields = runlog._said_by(error)
        elif trace:
            fields = {"traceback": trace[-_TRACEBACK_MAX:]}
        message = fields.get("error") or (error if isinstance(error, str) else "the training failed")
        self._end("RUN_FAILED", message, "error", fields)

    def _end(self, event_type: str, message: str, severity: str, fields: Mapping[str, Any]) -> None:
        self.ended = True
        self._last_end = (event_type, fields, message[:_TEXT_MAX], severity)
        _watched.discard(self)
        self._say_end()
        self.close()

    def _say_end(self) -> None:
        event_type, fields, message, severity = self._last_end
        self.run.emit(event_type, fields, message=message, severity=severity)

    def close(self) -> None:
        """Closes a run that the session opened. It opens again when more is said."""
        run, self._run = self._run, None
        if run is not None:
            run.close()

    def report(self, hook: str, error: BaseException) -> None:
        if not self._reported:
            self._reported = True
            _log.warning(
                "%s of runlog.%s failed, and the training goes on without what it would have logged: %s: %s",
                *(hook, self.library, type(error).__name__, error),
                exc_info=error,
            )

    def __deepcopy__(self, _memo: Any) -> Session:
        return self

    def __copy__(self) -> Session:
        return self

    def __getstate__(self) -> Dict[str, Any]:
        state: Dict[str, Any] = {**self.__dict__, "_run": None}
        return state


def _check(name: Optional[str], settings: Mapping[str, Any]) -> None:
    """Raises what `runlog.start` would raise in the middle of a training. It starts nothing."""
    inspect.signature(runlog.start).bind(name, **settings)
    if name is not None:
        runlog._key_part("run", name)
    runlog._key_part("group", settings.get("group", "default"))
    url = settings.get("url") or os.environ.get("RUNLOG_INGEST_URL") or runlog.DEFAULT_URL
    runlog._Wire(url, runlog._key_of(settings.get("key")), None, settings.get("options") or runlog.Options())


def presentable(hyperparameters: Mapping[str, Any]) -> Dict[str, Any]:
    """Returns hyperparameters within bounds and without secrets."""
    shown: Dict[str, Any] = _presentable(hyperparameters, 0)
    return shown


def _presentable(value: Any, depth: int) -> Any:
    if value is None or isinstance(value, (bool, int, float)):
        return value
    if isinstance(value, (Mapping, list, tuple)) and depth >= _DEPTH_MAX:
        return f"<{type(value).__name__} nested too deep>"
    if isinstance(value, Mapping):
        shown: Dict[str, Any] = {}
        for name, inner in list(value.items())[:_HYPERPARAMETERS_MAX]:
            hidden = _SECRET.search(str(name)) is not None and isinstance(inner, str)
            shown[str(name)[:_TEXT_MAX]] = "<hidden>" if hidden else _presentable(inner, depth + 1)
        return shown
    if isinstance(value, (list, tuple)):
        items: List[Any] = [_presentable(inner, depth + 1) for inner in value[:64]]
        return items
    if callable(getattr(value, "item", None)) and getattr(value, "size", None) == 1:
        return value.item()
    return str(value)[:256]


def _detached(value: Any) -> Any:
    """A tensor may be changed in place, or hold the graph of a step, before the emitter's thread reads it."""
    detach = getattr(value, "detach", None)
    return detach().clone() if callable(detach) else value


# Sessions whose training has begun and not ended. A library that has no hook for an exception lets it end the process,
# and these trainings then have failed.
_watched: "weakref.WeakSet[Session]" = weakref.WeakSet()
_watching = False


def _watch(session: Session) -> None:
    global _watching
    _watched.add(session)
    if _watching:
        return
    _watching = True
    before = sys.excepthook

    def excepthook(kind: Type[BaseException], error: BaseException, trace: Any) -> None:
        for failed in list(_watched):
            try:
                if failed._pid == os.getpid():
                    failed.fail(error)
            except Exception as fault:
                failed.report("excepthook", fault)
        before(kind, error, trace)

    sys.excepthook = excepthook


class Ending:
    """`with callback:` around a training fails the run with what is raised in it. For notebooks, which go on after it."""

    session: Session

    def __enter__(self) -> Any:
        return self

    def __exit__(self, _kind: Any, error: Optional[BaseException], _trace: Any) -> None:
        try:
            if error is None:
                self.session.end()
            else:
                self.session.fail(error)
            self.session.close()
        except Exception as fault:
            self.session.report("__exit__", fault)

"""
Ray Tune: `RunConfig(callbacks=[RunlogLoggerCallback("search-7", url=...)])`. It runs in the driver. The experiment is a
run, and each trial one of its groups, so that all trials share one connection and stand side by side.
"""

from __future__ import annotations

import contextlib
import os
import re
from typing import Any, Dict, List, Mapping, Optional, Tuple, Union

import runlog
from runlog._session import Session, needs, never_raises

try:
    from ray.tune.logger import LoggerCallback
except ImportError as error:
    raise needs("runlog.ray_tune", "ray[tune]", error) from error

__all__ = ["RunlogLoggerCallback"]

_ERROR_BYTES_MAX = 64 * 1024
# What Ray adds to each result and what names the trial, not its progress.
_NO_METRICS = frozenset(
    (
        *("config", "pid", "date", "timestamp", "hostname", "node_ip", "trial_id", "experiment_tag", "done"),
        *("should_checkpoint", "checkpoint_dir_name", "time_since_restore", "iterations_since_restore"),
        *("timesteps_since_restore", "warmup_time", "experiment_id"),
    )
)


class RunlogLoggerCallback(LoggerCallback):  # type: ignore[misc]
    """
    Logs each result of a trial as metrics, by their names, at `timesteps_total` or `training_iteration`. `run` is a run
    that was started, or the name of one to start with `settings`, the arguments of `runlog.start`; without a name the
    experiment's is taken. An experiment that is restored has the key from RUNLOG_KEY: pickled callbacks hold no secret.
    """

    def __init__(self, run: Union[runlog.Run, str, None] = None, **settings: Any) -> None:
        super().__init__()
        self.session = Session("ray_tune", run, settings)
        self._run = run
        self._settings = settings
        self._opened: Optional[runlog.Run] = None
        self._trials: Dict[str, Session] = {}

    def _trial(self, trial: Any) -> Session:
        session = self._trials.get(trial.trial_id)
        if session is None:
            session = self._trials[trial.trial_id] = Session("ray_tune", self._handle(trial), {})
        return session

    def _handle(self, trial: Any) -> runlog.Run:
        group = _fitting(trial.trial_id)
        if isinstance(self._run, runlog.Run):
            return self._run.for_group(group)
        if self._opened is None:
            name = self._run or _fitting(trial.experiment_dir_name)
            self._opened = runlog.start(name, **{"rank": 0, **self._settings, "group": group})
        return self._opened.for_group(group)

    @never_raises
    def log_trial_start(self, trial: Any) -> None:
        """Ray calls it again when a trial that failed is tried again."""
        last = getattr(trial, "last_result", None) or {}
        checkpoint = getattr(trial, "checkpoint", None)
        self._trial(trial).begin(
            trial.config,
            task=getattr(trial, "trainable_name", None),
            trial=str(trial),
            resumed_from=getattr(checkpoint, "path", None),
            resumed_from_step=last.get("training_iteration") if checkpoint is not None else None,
        )

    @never_raises
    def log_trial_restore(self, trial: Any) -> None:
        checkpoint = getattr(trial, "checkpoint", None)
        self._trial(trial).run.emit("TRIAL_RESTORED", {"path": getattr(checkpoint, "path", None)})

    @never_raises
    def log_trial_save(self, trial: Any) -> None:
        checkpoint = getattr(trial, "checkpoint", None)
        if checkpoint is not None:
            step = (getattr(trial, "last_result", None) or {}).get("training_iteration")
            self._trial(trial).checkpoint(checkpoint.path, step)

    @never_raises
    def log_trial_result(self, iteration: int, trial: Any, result: Mapping[str, Any]) -> None:
        metrics = {name: value for name, value in result.items() if name not in _NO_METRICS}
        step = result.get("timesteps_total") or result.get("training_iteration")
        self._trial(trial).metrics(metrics, step)

    @never_raises
    def on_trial_recover(self, iteration: int, trials: List[Any], trial: Any, **_info: Any) -> None:
        """The trial failed and is tried again, with another `log_trial_start`."""
        session = self._trial(trial)
        error, trace = _error_of(trial)
        message = f"{error}; it is tried again"
        session.run.emit("TRIAL_RECOVERED", {"traceback": trace} if trace else {}, message=message, severity="warning")

    @never_raises
    def log_trial_end(self, trial: Any, failed: bool = False) -> None:
        session = self._trial(trial)
        if failed:
            session.fail(*_error_of(trial))
        else:
            session.end()

    @never_raises
    def on_experiment_end(self, trials: List[Any], **_info: Any) -> None:
        """Does not wait longer than the `exit_timeout` of the run's options."""
        for trial in trials:
            session = self._trials.get(trial.trial_id)
            if session is not None and not session.ended:
                session.fail(f"the experiment ended while the trial was {trial.status}")
        sessions, self._trials = self._trials, {}
        opened, self._opened = self._opened, None
        if opened is not None:
            for session in sessions.values():
                if session.run is not opened:
                    session.run.close(0)
            # The last one waits until the events of all are taken.
            opened.close()

    def __getstate__(self) -> Dict[str, Any]:
        settings = {name: value for name, value in self._settings.items() if name != "key"}
        run = self._run.run_id if isinstance(self._run, runlog.Run) else self._run
        return {**self.__dict__, "_run": run, "_settings": settings, "_opened": None, "_trials": {}, "session": None}

    def __setstate__(self, state: Dict[str, Any]) -> None:
        self.__dict__.update(state)
        self.session = Session("ray_tune", self._run, self._settings)


def _error_of(trial: Any) -> Tuple[str, str]:
    """Returns the last line and the whole text of what the trial raised in its worker the last time."""
    text = ""
    written = getattr(trial, "error_file", None)
    if written:
        # The driver's own file. Ray copies it later to where `get_error` looks.
        with contextlib.suppress(OSError), open(written, encoding="utf-8", errors="replace") as file:
            file.seek(max(0, os.path.getsize(written) - _ERROR_BYTES_MAX))
            text = file.read()
    if not text and callable(getattr(trial, "get_error", None)):
        text = str(trial.get_error() or "")
    text = text.rpartition("Failure # ")[2].strip()
    return (text.splitlines() or ["the trial failed"])[-1], text


def _fitting(text: str) -> str:
    return re.sub(r"[^A-Za-z0-9._-]+", "-", text).lstrip("._-")[:64] or "ray-tune"

"""
Hugging Face accelerate: after `import runlog.accelerate`, `Accelerator(log_with="runlog")` works where accelerate has
`register_tracker_class` (1.15). Before, and for a run that was started, `Accelerator(log_with=RunlogTracker("resnet-7"))`.
"""

from __future__ import annotations

import re
from typing import Any, Mapping, Optional, Union

import runlog
from runlog._session import Ending, Session, needs, never_raises

try:
    from accelerate import PartialState, tracking
except ImportError as error:
    raise needs("runlog.accelerate", "accelerate", error) from error

__all__ = ["RunlogTracker"]


class RunlogTracker(tracking.GeneralTracker, Ending):  # type: ignore[misc]
    """
    Logs what `accelerator.log` is given. `init_trackers("resnet-7", config=…, init_kwargs={"runlog": {"url": …}})` names
    the run, and the hyperparameters; `init_kwargs` are the arguments of `runlog.start`.
    """

    name = "runlog"
    requires_logging_directory = False
    main_process_only = True

    def __init__(self, run_name: Union[runlog.Run, str, None] = None, **settings: Any) -> None:
        super().__init__()
        run = settings.pop("run", run_name)
        self.session = Session("accelerate", _named(run) if isinstance(run, str) else run, settings)

    @property
    def tracker(self) -> runlog.Run:
        """The run. Accelerator asks for it on the main process only."""
        return self.session.run

    def start(self) -> None:
        """The run begins with its hyperparameters or its first metrics."""

    @never_raises
    def store_init_configuration(self, values: Mapping[str, Any]) -> None:
        if _is_main():
            if self.session.begun:
                self.session.configured(values)
            else:
                self.session.begin(values, lr=_number(values, "learning_rate", "lr"), seed=_number(values, "seed"))

    @never_raises
    def log(self, values: Mapping[str, Any], step: Optional[int] = None, **_more: Any) -> None:
        if _is_main():
            self.session.metrics(values, step)

    @never_raises
    def checkpoint_saved(self, path: Any, step: Optional[int] = None) -> None:
        """Accelerate tells trackers of no checkpoint. Call this after `accelerator.save_state(path)`."""
        if _is_main():
            self.session.checkpoint(path, step)

    @never_raises
    def finish(self) -> None:
        if _is_main():
            self.session.end()


def _is_main() -> bool:
    return bool(PartialState().is_main_process)


def _named(project: str) -> str:
    """`init_trackers` takes any text, a run's name has 64 characters of few kinds."""
    fitting = re.sub(r"[^A-Za-z0-9._-]+", "-", project).lstrip("._-")[:64]
    return fitting or project


def _number(values: Mapping[str, Any], *names: str) -> Optional[float]:
    found = next((values[name] for name in names if name in values), None)
    return found if isinstance(found, (int, float)) and not isinstance(found, bool) else None


_register = getattr(tracking, "register_tracker_class", None)
if _register is not None and RunlogTracker.name not in tracking.LOGGER_TYPE_TO_CLASS:
    _register(RunlogTracker)

"""Lightning: `Trainer(logger=RunlogLogger("resnet-7", url=...))`, of `lightning` and of `pytorch_lightning`."""

from __future__ import annotations

import sys
from argparse import Namespace
from typing import Any, Callable, Dict, Mapping, Optional, Union

import runlog
from runlog._session import Ending, Hook, Session, needs, never_raises

try:
    # One package has its classes twice under two names. A trainer wants those of its own.
    if "pytorch_lightning" in sys.modules and "lightning.pytorch" not in sys.modules:
        from pytorch_lightning.loggers.logger import Logger
        from pytorch_lightning.utilities import rank_zero_only
    else:
        try:
            from lightning.pytorch.loggers.logger import Logger
            from lightning.pytorch.utilities import rank_zero_only
        except ModuleNotFoundError:
            from pytorch_lightning.loggers.logger import Logger
            from pytorch_lightning.utilities import rank_zero_only
except ImportError as error:
    raise needs("runlog.lightning", "lightning", error) from error

__all__ = ["RunlogLogger"]

_on_rank_zero: Callable[[Hook], Hook] = rank_zero_only


class RunlogLogger(Logger, Ending):  # type: ignore[misc]
    """
    Logs what `self.log` logs, by its names and at the trainer's steps, from rank 0. `run` is a run that was started, or
    the name of one to start with `settings`, the arguments of `runlog.start`.
    """

    def __init__(self, run: Union[runlog.Run, str, None] = None, **settings: Any) -> None:
        super().__init__()
        self.session = Session("lightning", run, settings)
        self._hyperparameters: Dict[str, Any] = {}

    @property
    def name(self) -> str:
        """With the version the folder of checkpoints, which are in the trainer's `default_root_dir`."""
        return "runlog"

    @property
    def version(self) -> str:
        return self.session.run_id

    @property
    def experiment(self) -> Optional[runlog.Run]:
        """The run, on rank 0."""
        return self.session.run if rank_zero_only.rank == 0 else None

    @never_raises
    @_on_rank_zero
    def log_hyperparams(self, params: Union[Mapping[str, Any], Namespace], *_args: Any, **_kwargs: Any) -> None:
        given = vars(params) if isinstance(params, Namespace) else dict(params or {})
        if self.session.begun and not self.session.ended:
            self.session.configured(given)
        else:
            self._hyperparameters.update(given)

    @never_raises
    @_on_rank_zero
    def log_graph(self, model: Any, input_array: Any = None) -> None:
        """The trainer calls it at the beginning of `fit`, `validate`, `test` and `predict`, after the hyperparameters."""
        trainer = getattr(model, "_trainer", None)
        if trainer is None or getattr(trainer.state.fn, "value", trainer.state.fn) == "fit":
            self.session.begin(self._hyperparameters, **_facts(model, trainer))

    @never_raises
    @_on_rank_zero
    def log_metrics(self, metrics: Mapping[str, Any], step: Optional[int] = None) -> None:
        if not self.session.begun:
            self.session.begin(self._hyperparameters)
        self.session.metrics(metrics, step)

    @never_raises
    @_on_rank_zero
    def after_save_checkpoint(self, checkpoint_callback: Any) -> None:
        monitor = getattr(checkpoint_callback, "monitor", None)
        score = getattr(checkpoint_callback, "current_score", None)
        path = getattr(checkpoint_callback, "_last_checkpoint_saved", "") or checkpoint_callback.last_model_path
        self.session.checkpoint(
            path or checkpoint_callback.best_model_path,
            getattr(checkpoint_callback, "_last_global_step_saved", None),
            monitored={monitor: score} if monitor is not None and score is not None else None,
        )

    def save(self) -> None:
        """The emitter sends by itself, and the trainer calls this in its loop."""

    @never_raises
    @_on_rank_zero
    def finalize(self, status: str) -> None:
        if status in ("failed", "aborted"):
            # The trainer calls it while it handles the exception.
            self.session.fail(sys.exc_info()[1] or f"the trainer ended as {status}")
        else:
            self.session.end()


def _facts(model: Any, trainer: Any) -> Dict[str, Any]:
    hyperparameters = getattr(model, "hparams", None) or {}
    facts: Dict[str, Any] = {
        "task": type(model).__name__,
        "host_params": sum(parameter.numel() for parameter in model.parameters()),
        "lr": next((hyperparameters[name] for name in ("learning_rate", "lr") if name in hyperparameters), None),
    }
    if trainer is not None:
        restored = getattr(getattr(trainer, "_checkpoint_connector", None), "_loaded_checkpoint", None) or {}
        facts.update(
            max_epochs=max(trainer.max_epochs or 0, 0),
            max_batches=max(trainer.max_steps, 0),
            policy_device=str(trainer.strategy.root_device),
            world_size=trainer.world_size,
            resumed_from=getattr(trainer, "ckpt_path", None),
            resumed_from_step=restored.get("global_step"),
        )
    return facts

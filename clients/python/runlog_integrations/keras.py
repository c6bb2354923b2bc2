"""Keras 3: `model.fit(…, callbacks=[RunlogCallback("mnist-7", url=...)])`, with any backend."""

from __future__ import annotations

import contextlib
import weakref
from typing import Any, Dict, List, Mapping, Optional, Union

import runlog
from runlog._session import Ending, Session, needs, never_raises

try:
    from keras.callbacks import Callback
except ImportError as error:
    raise needs("runlog.keras", "keras", error) from error

__all__ = ["RunlogCallback"]


class RunlogCallback(Callback, Ending):  # type: ignore[misc]
    """
    Logs the metrics of each epoch by their names, with the epoch as step, and those of `evaluate` outside of a training
    as `evaluate_NAME`. `log_every_batches=N` also logs every N-th batch as `batch_NAME`, with the count of batches as
    step; Keras then waits for the device at each batch. `run` is a run that was started, or the name of one to start with
    `settings`, the arguments of `runlog.start`.
    """

    def __init__(
        self, run: Union[runlog.Run, str, None] = None, log_every_batches: int = 0, **settings: Any
    ) -> None:
        super().__init__()
        self.session = Session("keras", run, settings)
        self._log_every_batches = log_every_batches
        self._batches = 0
        self._epoch: Optional[int] = None
        self._training = False
        self._said: List[str] = []
        if log_every_batches > 0:
            # Keras asks whether a callback has this hook, and waits for the device only if one has.
            self.on_train_batch_end = self._on_train_batch_end

    @never_raises
    def on_train_begin(self, logs: Optional[Mapping[str, Any]] = None) -> None:
        self._training, self._epoch = True, None
        self._batches = _iterations(self.model)

    @never_raises
    def on_epoch_begin(self, epoch: int, logs: Optional[Mapping[str, Any]] = None) -> None:
        if self._epoch is None:
            # Only now it is known with which epoch the training begins.
            self._watch_saves()
            self.session.begin(_hyperparameters(self.model, self.params), **_facts(self.model, self.params, epoch))
        self._epoch = epoch

    @never_raises
    def _on_train_batch_end(self, batch: int, logs: Optional[Mapping[str, Any]] = None) -> None:
        self._batches += 1
        if self._batches % self._log_every_batches == 0 and logs:
            self.session.metrics({f"batch_{name}": value for name, value in logs.items()}, self._batches)

    @never_raises
    def on_epoch_end(self, epoch: int, logs: Optional[Mapping[str, Any]] = None) -> None:
        if logs:
            self.session.metrics(logs, epoch)

    @never_raises
    def on_test_end(self, logs: Optional[Mapping[str, Any]] = None) -> None:
        """Also called for the validation of each epoch, whose metrics come with the epoch's."""
        if logs and not self._training:
            self.session.metrics({f"evaluate_{name}": value for name, value in logs.items()}, self._epoch)

    @never_raises
    def on_train_end(self, logs: Optional[Mapping[str, Any]] = None) -> None:
        self._training = False
        self._unwatch_saves()
        self.session.end()

    @never_raises
    def checkpoint_saved(self, path: Any, step: Optional[int] = None) -> None:
        self.session.checkpoint(path, self._epoch if step is None else step)

    def _watch_saves(self) -> None:
        """Keras tells nobody what ModelCheckpoint saves, so the model's own methods say it, to any callback that saves."""
        model = self.model
        for name in ("save", "save_weights"):
            save = getattr(model, name, None)
            if isinstance(save, _Saving):
                # A training before this one was left by an exception.
                save = save.save
            if callable(save):
                # Past the model's own setattr, which tracks what it is given.
                object.__setattr__(model, name, _Saving(save, weakref.ref(self)))
                self._said.append(name)

    def _unwatch_saves(self) -> None:
        for name in self._said:
            with contextlib.suppress(AttributeError):
                object.__delattr__(self.model, name)
        self._said = []


class _Saving:
    """A model's `save`, which says where it saved."""

    def __init__(self, save: Any, callback: "weakref.ref[RunlogCallback]") -> None:
        self.save = save
        self._callback = callback

    def __call__(self, filepath: Any, *args: Any, **kwargs: Any) -> Any:
        saved = self.save(filepath, *args, **kwargs)
        callback = self._callback()
        if callback is not None:
            callback.checkpoint_saved(filepath)
        return saved


def _iterations(model: Any) -> int:
    optimizer = getattr(model, "optimizer", None)
    return 0 if optimizer is None else int(optimizer.iterations)


def _hyperparameters(model: Any, params: Optional[Mapping[str, Any]]) -> Dict[str, Any]:
    known: Dict[str, Any] = {name: value for name, value in (params or {}).items() if name != "verbose"}
    optimizer = getattr(model, "optimizer", None)
    if optimizer is not None:
        known["optimizer"] = optimizer.get_config()
    return known


def _facts(model: Any, params: Optional[Mapping[str, Any]], epoch: int) -> Dict[str, Any]:
    epochs, steps = (params or {}).get("epochs"), (params or {}).get("steps")
    optimizer = getattr(model, "optimizer", None)
    return {
        "task": model.name,
        "host_params": model.count_params() if model.built else None,
        "max_epochs": epochs,
        "max_batches": epochs * steps if epochs and steps else None,
        "lr": float(optimizer.learning_rate) if optimizer is not None else None,
        "resumed_from_step": epoch or None,
    }

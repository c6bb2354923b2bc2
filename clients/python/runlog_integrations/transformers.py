"""
Hugging Face transformers: `Trainer(..., callbacks=[RunlogCallback("resnet-7", url=...)])`.

`report_to` of TrainingArguments is a closed list, so that the callback is added as a callback.
"""

from __future__ import annotations

import math
import os
from typing import Any, Dict, Mapping, Optional, Union

import runlog
from runlog._session import Ending, Session, needs, never_raises

try:
    from transformers import TrainerCallback
except ImportError as error:
    raise needs("runlog.transformers", "transformers", error) from error

__all__ = ["RunlogCallback"]


class RunlogCallback(TrainerCallback, Ending):  # type: ignore[misc]
    """
    Logs what the Trainer logs, by its names and at its steps, from the main process. `run` is a run that was started, or
    the name of one to start with `settings`, the arguments of `runlog.start`.
    """

    def __init__(self, run: Union[runlog.Run, str, None] = None, **settings: Any) -> None:
        self.session = Session("transformers", run, settings)

    @never_raises
    def on_train_begin(self, args: Any, state: Any, control: Any, model: Any = None, **_more: Any) -> None:
        if state.is_world_process_zero:
            self.session.begin(_hyperparameters(args), **_facts(args, state, model))

    @never_raises
    def on_log(
        self, args: Any, state: Any, control: Any, logs: Optional[Mapping[str, Any]] = None, **_more: Any
    ) -> None:
        if state.is_world_process_zero and logs:
            self.session.metrics(logs, state.global_step)

    @never_raises
    def on_predict(self, args: Any, state: Any, control: Any, metrics: Any = None, **_more: Any) -> None:
        """Unlike those of an evaluation, the Trainer does not log the metrics of a prediction."""
        if state.is_world_process_zero and metrics:
            self.session.metrics(metrics, state.global_step)

    @never_raises
    def on_save(self, args: Any, state: Any, control: Any, **_more: Any) -> None:
        if state.is_world_process_zero:
            path = os.path.join(args.output_dir, f"checkpoint-{state.global_step}")
            self.session.checkpoint(path, state.global_step, state.epoch)

    @never_raises
    def on_train_end(self, args: Any, state: Any, control: Any, **_more: Any) -> None:
        if state.is_world_process_zero:
            self.session.end()


def _hyperparameters(args: Any) -> Mapping[str, Any]:
    described = args.to_dict() if callable(getattr(args, "to_dict", None)) else vars(args)
    return described if isinstance(described, Mapping) else {}


def _facts(args: Any, state: Any, model: Any) -> Dict[str, Any]:
    facts: Dict[str, Any] = {
        "max_epochs": math.ceil(args.num_train_epochs) if args.max_steps <= 0 else None,
        "max_batches": state.max_steps,
        "seed": args.seed,
        "lr": args.learning_rate,
        "policy_device": str(args.device),
        "resumed_from_step": state.global_step or None,
        "trial": getattr(state, "trial_name", None),
    }
    if model is not None:
        facts["task"] = getattr(getattr(model, "config", None), "name_or_path", "") or type(model).__name__
        facts["host_params"] = sum(parameter.numel() for parameter in model.parameters())
    return facts

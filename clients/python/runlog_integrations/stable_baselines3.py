"""
Stable-Baselines3: `model.learn(…, callback=RunlogCallback("ppo-7", url=...))` logs what the model's logger dumps.
`RunlogWriter` alone is an output format for a logger of one's own: `Logger(folder, [RunlogWriter("ppo-7")])`.
"""

from __future__ import annotations

from typing import Any, Dict, Iterator, Mapping, Optional, Tuple, Union

import runlog
from runlog._session import Ending, Session, needs, never_raises

try:
    from stable_baselines3.common.callbacks import BaseCallback
    from stable_baselines3.common.logger import KVWriter
except ImportError as error:
    raise needs("runlog.stable_baselines3", "stable-baselines3", error) from error

__all__ = ["RunlogCallback", "RunlogWriter"]

_HYPERPARAMETERS = (
    *("learning_rate", "n_steps", "batch_size", "n_epochs", "gamma", "gae_lambda", "clip_range", "ent_coef"),
    *("vf_coef", "max_grad_norm", "target_kl", "use_sde", "normalize_advantage", "buffer_size", "learning_starts"),
    *("train_freq", "gradient_steps", "tau", "target_update_interval", "exploration_fraction", "policy_kwargs"),
)


class RunlogWriter(KVWriter):  # type: ignore[misc]
    """
    Logs each dump of a logger as metrics, by their names and at its step. Keys that are excluded for "runlog" are left
    out. `run` is a run that was started, or the name of one to start with `settings`, the arguments of `runlog.start`.
    """

    def __init__(self, run: Union[runlog.Run, Session, str, None] = None, **settings: Any) -> None:
        self._lent = isinstance(run, Session)
        self.session = run if isinstance(run, Session) else Session("stable_baselines3", run, settings)

    @never_raises
    def write(self, key_values: Mapping[str, Any], key_excluded: Mapping[str, Tuple[str, ...]], step: int = 0) -> None:
        metrics: Dict[str, Any] = {}
        for key, value in key_values.items():
            if hasattr(value, "hparam_dict"):
                self.session.configured(value.hparam_dict)
            elif "runlog" not in (key_excluded.get(key) or ()) and not _is_picture(value):
                metrics[key] = value
        self.session.metrics(metrics, step)

    @never_raises
    def close(self) -> None:
        """Ends the run, unless a callback does."""
        if not self._lent:
            self.session.end()


class RunlogCallback(BaseCallback, Ending):  # type: ignore[misc]
    """
    Adds a `RunlogWriter` to the model's logger for the time of `learn`, says what trains, and which files the
    CheckpointCallbacks beside it save. The arguments are those of `RunlogWriter`.
    """

    def __init__(self, run: Union[runlog.Run, str, None] = None, verbose: int = 0, **settings: Any) -> None:
        super().__init__(verbose)
        self.session = Session("stable_baselines3", run, settings)
        self._writer: Optional[RunlogWriter] = None
        self._saves: Dict[int, int] = {}

    @never_raises
    def _on_training_start(self) -> None:
        self.session.begin(_hyperparameters(self.model), **_facts(self.model, self.locals))
        self._saves = {id(saving): _saves_of(saving) for saving in _savings(self.locals.get("callback"))}
        self._writer = RunlogWriter(self.session)
        self.logger.output_formats.append(self._writer)

    def _on_step(self) -> bool:
        self._say_saves()
        return True

    @never_raises
    def _say_saves(self) -> None:
        for saving in _savings(self.locals.get("callback")):
            saves = _saves_of(saving)
            if saves > self._saves.get(id(saving), 0):
                self._saves[id(saving)] = saves
                self.session.checkpoint(saving._checkpoint_path(extension="zip"), saving.num_timesteps)

    @never_raises
    def _on_training_end(self) -> None:
        self._say_saves()
        if self._writer is not None:
            # The library never dumps what the last update recorded.
            left = dict(self.logger.name_to_value)
            self._writer.write(left, dict(self.logger.name_to_excluded), self.num_timesteps)
            self.logger.output_formats.remove(self._writer)
            self._writer = None
        self.session.end()


def _is_picture(value: Any) -> bool:
    return type(value).__module__.startswith("stable_baselines3.") and type(value).__name__ in ("Video", "Figure", "Image")


def _savings(callback: Any, depth: int = 0) -> Iterator[Any]:
    """The CheckpointCallbacks among these callbacks."""
    if hasattr(callback, "save_freq") and hasattr(callback, "_checkpoint_path"):
        yield callback
    if depth < 4:
        for inner in getattr(callback, "callbacks", None) or ():
            yield from _savings(inner, depth + 1)


def _saves_of(saving: Any) -> int:
    return int(saving.n_calls // saving.save_freq) if saving.save_freq > 0 else 0


def _hyperparameters(model: Any) -> Dict[str, Any]:
    known = {name: getattr(model, name) for name in _HYPERPARAMETERS if hasattr(model, name)}
    return {name: _plain(value) for name, value in known.items()}


def _plain(value: Any) -> Any:
    """A schedule is a function of the remaining progress; its value at the beginning says most."""
    if callable(value) and not isinstance(value, type):
        try:
            return float(value(1.0))
        except Exception:
            return str(value)
    return value


def _facts(model: Any, arguments: Mapping[str, Any]) -> Dict[str, Any]:
    lr = _plain(getattr(model, "learning_rate", None))
    clip = _plain(getattr(model, "clip_range", None))
    entropy = getattr(model, "ent_coef", None)
    return {
        "task": type(model).__name__,
        "n_envs": model.n_envs,
        "host_params": sum(parameter.numel() for parameter in model.policy.parameters()),
        "seed": model.seed,
        "lr": lr if isinstance(lr, (int, float)) else None,
        "clip_ratio": clip if isinstance(clip, (int, float)) else None,
        "entropy_coef": entropy if isinstance(entropy, (int, float)) else None,
        "policy_device": str(model.device),
        "total_timesteps": arguments.get("total_timesteps"),
        "resumed_from_step": model.num_timesteps or None,
    }

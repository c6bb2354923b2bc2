"""
What a trial of an integration keeps: the calls that the real library made, the events that came of them, and what the
library itself says it has logged. The calls and the events become a file that the tests of clients/python replay.
"""

import argparse
import json
import os
import re
import socket
import sys
import tempfile
import threading
from importlib.metadata import version

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, "..", "..", "clients", "python"))

import runlog  # noqa: E402

# What a replay has to know of the objects of a library. `name()` is the result of a call.
SHAPES = {
    "TrainingArguments": "num_train_epochs max_steps seed learning_rate device output_dir to_dict()",
    "TrainerState": "is_world_process_zero global_step epoch max_steps trial_name",
    "PreTrainedModel": "config parameters()",
    "PreTrainedConfig": "name_or_path",
    "Parameter": "numel()",
    "LightningModule": "_trainer hparams parameters()",
    "Trainer": "state max_epochs max_steps strategy world_size ckpt_path _checkpoint_connector",
    "lightning.pytorch.trainer.states.TrainerState": "fn",
    "Strategy": "root_device",
    "_CheckpointConnector": "_loaded_checkpoint",
    "ModelCheckpoint": "_last_checkpoint_saved last_model_path best_model_path _last_global_step_saved monitor current_score",
    "BaseAlgorithm": "n_envs seed learning_rate n_steps batch_size n_epochs gamma gae_lambda clip_range ent_coef vf_coef"
    " max_grad_norm target_kl use_sde normalize_advantage policy_kwargs device num_timesteps policy",
    "BasePolicy": "parameters()",
    "CallbackList": "callbacks",
    "CheckpointCallback": "save_freq n_calls num_timesteps _checkpoint_path()",
    "stable_baselines3.common.logger.Logger": "name_to_value name_to_excluded",
    "keras.src.models.model.Model": "name built optimizer count_params()",
    "BaseOptimizer": "iterations learning_rate get_config()",
    "Trial": "trial_id experiment_dir_name config trainable_name last_result checkpoint status get_error()",
    "Checkpoint": "path",
}


def described(value, depth=0):
    """As JSON: scalars as they are, known objects by what SHAPES names, others by their text."""
    if value is None or isinstance(value, (bool, int, float, str)):
        return value if isinstance(value, str) or not hasattr(value, "item") else value.item()
    if depth > 8:
        return str(value)
    if callable(getattr(value, "detach", None)) and getattr(value, "numel", lambda: 0)() == 1 and not _shape(value):
        return value.item()
    if hasattr(value, "value") and type(value).__mro__[-2].__name__ == "Enum":
        return {"object": "Enum", "has": {"value": value.value}}
    if callable(value) and "Schedule" in type(value).__name__:
        return {"object": "Schedule", "has": {"__call__()": float(value(1.0))}}
    shape = _shape(value)
    if shape is not None:
        has = {}
        for name in shape.split():
            called = name.endswith("()")
            if not hasattr(value, name.rstrip("()")):
                continue
            member = getattr(value, name.rstrip("()"))
            if called:
                member = member(extension="zip") if name == "_checkpoint_path()" else member()
                if hasattr(member, "__next__"):
                    member = list(member)
            if name == "_loaded_checkpoint" and member:
                member = {"global_step": member.get("global_step")}
            has[name] = described(member, depth + 1)
        if type(value).__name__ == "Trial" and value.error_file and os.path.exists(value.error_file):
            with open(value.error_file, encoding="utf-8") as file:
                has["get_error()"] = file.read()
        return {"object": value.__class__.__name__, "text": str(value)[:80] if type(value).__name__ == "Trial" else "", "has": has}
    if isinstance(value, dict) or hasattr(value, "items"):
        return {str(name): described(inner, depth + 1) for name, inner in list(value.items())}
    if isinstance(value, (list, tuple)):
        return [described(inner, depth + 1) for inner in value]
    if getattr(value, "shape", None) == () or getattr(value, "size", None) == 1 and hasattr(value, "item"):
        return float(value)
    if type(value).__name__ == "Variable":
        return float(value)
    return str(value)[:200]


def _shape(value):
    for kind in value.__class__.__mro__:
        for name in (f"{kind.__module__}.{kind.__name__}", kind.__name__):
            if name in SHAPES:
                return SHAPES[name]
    return None


# Of the many objects that libraries hand to hooks by name, the modules read these.
READ = {"model", "logs", "metrics", "step", "failed", "trial", "trials", "iteration", "result"}


class Recording:
    def __init__(self, library, package):
        self.library = library
        self.version = version(package)
        self.calls = []
        self.expected = []
        self._inside = threading.local()
        self._objects = {}
        self._logged = 0
        self._keep_events()

    def hooks(self, kind, *names, of_self=()):
        """Keeps calls of these methods, but for those that another of them makes. `of_self` are attributes they read."""
        for name in names:
            setattr(kind, name, self._kept(kind.__name__, name, getattr(kind, name), of_self))

    def _kept(self, kind, name, method, of_self):
        def kept(this, *args, **kwargs):
            if getattr(self._inside, "call", None) is not None:
                return method(this, *args, **kwargs)
            if id(this) not in self._objects:
                self._objects[id(this)] = (len(self._objects), this)
            number = self._objects[id(this)][0]
            call = {"of": kind, "number": number, "events": [], "method": name, "args": described(args), "kwargs": self._read(kwargs)}
            attributes = {attribute: self._attribute(this, attribute) for attribute in of_self}
            if attributes:
                call["self"] = attributes
            error = sys.exc_info()[1]
            if error is not None:
                call["while"] = {"error": type(error).__name__, "text": str(error)[-200:]}
            self.calls.append(call)
            self._inside.call = call
            try:
                return method(this, *args, **kwargs)
            finally:
                self._inside.call = None

        kept.__name__ = name
        return kept

    def _attribute(self, this, name):
        value = getattr(this, name, None)
        if name == "locals":
            value = {known: value.get(known) for known in ("callback", "total_timesteps")}
        return described(value)

    def _read(self, kwargs):
        return {name: described(value) for name, value in kwargs.items() if name in READ}

    def _keep_events(self):
        emit, log = runlog.Run.emit, runlog.Run.log

        def emitted(this, event_type, data=None, /, *, message="", severity="info", epoch=None, **fields):
            self._event(this, event_type, {**(data or {}), **fields}, message, severity)
            emit(this, event_type, data, message=message, severity=severity, epoch=epoch, **fields)

        def logged(this, metrics=None, step=None, **more):
            self._event(this, "METRICS", {**(metrics or {}), **more, **({} if step is None else {"step": step})}, "", "info")
            log(this, metrics, step, **more)
            self._logged += 1
            print(f"metrics {self._logged}", flush=True)

        runlog.Run.emit, runlog.Run.log = emitted, logged

    def _event(self, run, event_type, data, message, severity):
        event = {
            "run": run.run_id,
            "group": run.group_id,
            "type": event_type,
            "data": json.loads(runlog._encode(runlog._flat(data)[0] if event_type == "METRICS" else data)),
            "message": message,
            "severity": severity,
        }
        call = getattr(self._inside, "call", None)
        if call is not None:
            call["events"].append(event)

    def expect(self, run, step, metrics, group="default"):
        """What the library itself says that it logged."""
        plain = {str(name): described(value) for name, value in metrics.items()}
        self.expected.append({"run": run, "group": group, "step": step, "metrics": plain})

    def write(self, given):
        with open(os.path.join(given.folder, "expected.json"), "w", encoding="utf-8") as file:
            file.write(runlog._encode({"version": self.version, "metrics": self.expected}))
        lines = []
        objects = {}
        for call in _few(self.calls):
            for name in ("args", "kwargs", "self"):
                call[name] = _shared(call.get(name, {}), objects)
            lines.append(json.dumps(call))
        kept = ",\n".join(lines)
        head = json.dumps({"library": self.library, "version": self.version, "objects": objects})
        text = f'{head[:-1]},\n"calls":[\n{kept}\n]}}\n'
        with open(given.recording, "w", encoding="utf-8") as file:
            file.write(_without_places(text, given.folder))


_CALLS_KEPT = (4, 2)


def _few(calls):
    """Of many calls of one method on one object the first and the last."""
    places = {}
    for index, call in enumerate(calls):
        places.setdefault((call["number"], call["method"]), []).append(index)
    first, last = _CALLS_KEPT
    kept = {index for found in places.values() for index in found[:first] + found[first:][-last:]}
    return [call for index, call in enumerate(calls) if index in kept]


def _shared(value, objects):
    """Objects that come again and again are written once."""
    if isinstance(value, list):
        return [_shared(inner, objects) for inner in value]
    if not isinstance(value, dict):
        return value
    value = {name: _shared(inner, objects) for name, inner in value.items()}
    text = json.dumps(value)
    if "object" not in value or len(text) < 200:
        return value
    names = {known: name for name, known in ((name, json.dumps(inner)) for name, inner in objects.items())}
    name = names.get(text) or f"{value['object']}-{len(objects)}"
    objects[name] = value
    return {"shared": name}


def _without_places(text, folder):
    """No path, address or name of this machine."""
    for place in (folder, os.path.realpath(folder)):
        text = text.replace(place, "/trainings")
    for prefix in {sys.prefix, sys.base_prefix, os.path.realpath(sys.prefix), os.path.realpath(sys.base_prefix)}:
        text = text.replace(prefix, "/python")
    text = text.replace(os.path.realpath(os.path.join(HERE, "..", "..")), "/runlog").replace(tempfile.gettempdir() + "/", "/temporary/")
    text = re.sub(rf"\b{re.escape(socket.gethostname())}\b", "host", text)
    text = re.sub(r"0x[0-9a-f]{6,}", "0x0", text)
    return re.sub(r"\b\d{1,3}(?:\.\d{1,3}){3}\b", "127.0.0.1", text)


def arguments():
    parser = argparse.ArgumentParser()
    parser.add_argument("--run", required=True)
    parser.add_argument("--url", required=True)
    parser.add_argument("--folder", required=True)
    parser.add_argument("--recording", required=True)
    return parser.parse_args()


class Failure(Exception):
    """The training is made to fail."""

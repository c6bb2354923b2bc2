"""Searches with Ray Tune: three trials side by side, one of which is tried again, and one that fails."""

import atexit
import json
import os
import tempfile
import time

import ray
from ray import tune

from recording import Failure, Recording, arguments
from runlog.ray_tune import RunlogLoggerCallback

given = arguments()
recording = Recording("ray_tune", "ray")
hooks = ("log_trial_start", "log_trial_restore", "log_trial_result", "log_trial_save", "log_trial_end")
recording.hooks(RunlogLoggerCallback, *hooks, "on_trial_recover", "on_experiment_end")
atexit.register(recording.write, given)


def objective(config):
    first = 0
    checkpoint = tune.get_checkpoint()
    if checkpoint:
        with checkpoint.as_directory() as folder, open(os.path.join(folder, "step.json"), encoding="utf-8") as file:
            first = json.load(file) + 1
    for step in range(first, 25):
        time.sleep(0.15)
        if config["rate"] == 0.2 and step == 10 and not checkpoint:
            raise RuntimeError("the worker is gone")
        if config["rate"] == 0.3 and step == 5:
            raise RuntimeError("the loss is gone")
        with tempfile.TemporaryDirectory() as folder:
            with open(os.path.join(folder, "step.json"), "w", encoding="utf-8") as file:
                json.dump(step, file)
            kept = tune.Checkpoint.from_directory(folder) if step % 8 == 0 else None
            tune.report({"loss": config["rate"] / (step + 1), "nested": {"step": step}}, checkpoint=kept)


ray.init(num_cpus=3, include_dashboard=False, log_to_driver=False, configure_logging=False)
tuner = tune.Tuner(
    objective,
    param_space={"rate": tune.grid_search([0.1, 0.2, 0.3])},
    run_config=tune.RunConfig(
        name="search",
        storage_path=os.path.join(given.folder, "ray"),
        failure_config=tune.FailureConfig(max_failures=1),
        callbacks=[RunlogLoggerCallback(given.run, url=given.url)],
        verbose=0,
    ),
)
for result in tuner.fit():
    group = result.metrics["trial_id"]
    with open(os.path.join(result.path, "result.json"), encoding="utf-8") as file:
        for line in file:
            logged = json.loads(line)
            metrics = {"loss": logged["loss"], "nested.step": logged["nested"]["step"]}
            recording.expect(given.run, logged["training_iteration"], metrics, group)
raise Failure("the end of the script, as the others")

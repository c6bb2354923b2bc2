"""Trains PPO on CartPole with Stable-Baselines3: a training, one that goes on, and one that fails."""

import atexit
import json
import os
import time

import gymnasium
from stable_baselines3 import PPO
from stable_baselines3.common.callbacks import CheckpointCallback
from stable_baselines3.common.logger import configure

from recording import Failure, Recording, arguments
from runlog.stable_baselines3 import RunlogCallback, RunlogWriter

given = arguments()
recording = Recording("stable_baselines3", "stable-baselines3")
recording.hooks(RunlogCallback, "_on_training_start", of_self=("model", "locals", "logger", "num_timesteps"))
recording.hooks(RunlogCallback, "_on_training_end", of_self=("logger", "num_timesteps", "locals"))
recording.hooks(RunlogWriter, "write", "close")
atexit.register(recording.write, given)


class Slow(gymnasium.Wrapper):
    fails = False

    def step(self, action):
        time.sleep(0.001)
        if self.fails:
            raise Failure("the pole is gone")
        return self.env.step(action)


def logger(name):
    return configure(os.path.join(given.folder, name), ["json"])


def expect(run, name):
    """The library's own JSON lines, one a dump."""
    with open(os.path.join(given.folder, name, "progress.json"), encoding="utf-8") as file:
        for line in file:
            recording.expect(run, None, json.loads(line))


environment = Slow(gymnasium.make("CartPole-v1"))
model = PPO("MlpPolicy", environment, n_steps=64, batch_size=32, n_epochs=2, seed=1, device="cpu")
callback = RunlogCallback(given.run, url=given.url)
saves = CheckpointCallback(1024, os.path.join(given.folder, "checkpoints"))
model.set_logger(logger("first"))
model.learn(8_192, callback=[callback, saves])
expect(given.run, "first")

model.set_logger(logger("more"))
model.learn(512, callback=callback, reset_num_timesteps=False)
expect(given.run, "more")

environment.fails = True
model.set_logger(logger("failed"))
model.learn(256, callback=RunlogCallback(f"{given.run}-failed", url=given.url))

"""Trains a line in a loop with accelerate: a training, one that goes on with its run, and one that fails."""

import atexit
import os
import time

import torch
from accelerate import Accelerator

from recording import Failure, Recording, arguments
from runlog.accelerate import RunlogTracker

given = arguments()
recording = Recording("accelerate", "accelerate")
recording.hooks(RunlogTracker, "store_init_configuration", "log", "checkpoint_saved", "finish")
atexit.register(recording.write, given)
torch.manual_seed(0)


def train(run, steps, first_step=0, fails=False):
    accelerator = Accelerator(cpu=True, log_with="runlog")
    config = {"learning_rate": 0.05, "seed": 0, "batch": 8, "first_step": first_step}
    accelerator.init_trackers(run, config=config, init_kwargs={"runlog": {"url": given.url}})
    model = torch.nn.Linear(2, 1)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.05)
    model, optimizer = accelerator.prepare(model, optimizer)
    for step in range(first_step, first_step + steps):
        time.sleep(0.04)
        x = torch.randn(8, 2)
        loss = torch.nn.functional.mse_loss(model(x), x.sum(dim=1, keepdim=True))
        accelerator.backward(loss)
        optimizer.step()
        optimizer.zero_grad()
        logged = {"train/loss": loss.item(), "lr": optimizer.param_groups[0]["lr"]}
        accelerator.log(logged, step=step)
        recording.expect(run, step, logged)
        if fails:
            raise Failure("the loss is gone")
    path = os.path.join(given.folder, f"state-{step}")
    accelerator.save_state(path)
    accelerator.get_tracker("runlog").checkpoint_saved(path, step)
    # A tensor that holds its graph, and is changed in place at once.
    weight = model.weight[0, 0]
    accelerator.log({"weight": weight}, step=step)
    recording.expect(run, step, {"weight": weight.item()})
    with torch.no_grad():
        model.weight.zero_()
    accelerator.end_training()


train(given.run, 150)
train(given.run, 10, first_step=150)
train(f"{given.run}-failed", 5, fails=True)

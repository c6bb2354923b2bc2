"""Trains a line with Lightning's Trainer: a training and a test, one that resumes, and one that fails."""

import atexit
import copy
import csv
import os
import pickle
import time
import warnings

import lightning
import torch
from lightning.pytorch.callbacks import ModelCheckpoint
from lightning.pytorch.loggers import CSVLogger

from recording import Failure, Recording, arguments
from runlog.lightning import RunlogLogger

warnings.filterwarnings("ignore")
given = arguments()
recording = Recording("lightning", "lightning")
hooks = ("log_hyperparams", "log_graph", "log_metrics", "after_save_checkpoint", "finalize")
recording.hooks(RunlogLogger, *hooks)
atexit.register(recording.write, given)
lightning.seed_everything(0, verbose=False)


class Line(lightning.LightningModule):
    def __init__(self, learning_rate=0.05, fails=False):
        super().__init__()
        self.save_hyperparameters()
        self.layer = torch.nn.Linear(2, 1)

    def _loss(self, batch):
        (x,) = batch
        return torch.nn.functional.mse_loss(self.layer(x), x.sum(dim=1, keepdim=True))

    def training_step(self, batch, index):
        time.sleep(0.04)
        if self.hparams.fails and index == 3:
            raise Failure("the loss is gone")
        loss = self._loss(batch)
        self.log("train_loss", loss, on_step=True, on_epoch=True)
        return loss

    def validation_step(self, batch, index):
        self.log("val_loss", self._loss(batch))

    def test_step(self, batch, index):
        self.log("test_loss", self._loss(batch))

    def configure_optimizers(self):
        return torch.optim.SGD(self.parameters(), lr=self.hparams.learning_rate)


def data():
    points = torch.utils.data.TensorDataset(torch.randn(64, 2))
    # Forked loaders hold a copy of the trainer with its logger.
    return torch.utils.data.DataLoader(points, batch_size=4, num_workers=1)


def trainer(logger, epochs, name):
    csv_logger = CSVLogger(given.folder, name=name, flush_logs_every_n_steps=1)
    return csv_logger, lightning.Trainer(
        max_epochs=epochs,
        accelerator="cpu",
        logger=[logger, csv_logger],
        log_every_n_steps=1,
        default_root_dir=given.folder,
        callbacks=[ModelCheckpoint(os.path.join(given.folder, "checkpoints"), monitor="val_loss", save_last=True)],
        enable_progress_bar=False,
        enable_model_summary=False,
    )


def expect(run, csv_logger):
    """The CSV logger writes what it was given, one row a call."""
    with open(os.path.join(csv_logger.log_dir, "metrics.csv"), encoding="utf-8", newline="") as file:
        for row in csv.DictReader(file):
            step = int(row.pop("step"))
            recording.expect(run, step, {name: float(value) for name, value in row.items() if value})


logger = RunlogLogger(given.run, url=given.url)
assert copy.deepcopy(logger).session is logger.session
assert pickle.loads(pickle.dumps(logger)).version == given.run
csv_logger, first = trainer(logger, 8, "first")
first.fit(Line(), data(), data())
first.test(dataloaders=data())
expect(given.run, csv_logger)

csv_logger, resumed = trainer(logger, 9, "resumed")
resumed.fit(Line(), data(), data(), ckpt_path=os.path.join(given.folder, "checkpoints", "last.ckpt"))
expect(given.run, csv_logger)

csv_logger, failing = trainer(RunlogLogger(f"{given.run}-failed", url=given.url), 1, "failed")
failing.fit(Line(fails=True), data(), data())

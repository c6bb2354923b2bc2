"""Trains a line with Keras on the backend of torch: a training and an evaluation, one that goes on, and one that fails."""

import atexit
import os
import time

os.environ.setdefault("KERAS_BACKEND", "torch")

import keras
import numpy

from recording import Failure, Recording, arguments
from runlog.keras import RunlogCallback

given = arguments()
recording = Recording("keras", "keras")
recording.hooks(RunlogCallback, "on_train_begin", "on_epoch_begin", of_self=("model", "params"))
recording.hooks(RunlogCallback, "_on_train_batch_end", of_self=("_batches",))
recording.hooks(RunlogCallback, "on_epoch_end", "on_train_end")
recording.hooks(RunlogCallback, "on_test_end", "checkpoint_saved", of_self=("_epoch",))
atexit.register(recording.write, given)
keras.utils.set_random_seed(0)
x = numpy.random.rand(64, 2).astype("float32")
y = x.sum(axis=1)


class Slow(keras.callbacks.Callback):
    """Keeps what Keras says of each batch, and makes a training last or fail."""

    def __init__(self, run, fails=False):
        super().__init__()
        self.run, self.fails = run, fails

    def on_train_batch_end(self, batch, logs=None):
        time.sleep(0.03)
        batches = int(self.model.optimizer.iterations)
        if batches % 4 == 0:
            recording.expect(self.run, batches, {f"batch_{name}": value for name, value in logs.items()})
        if self.fails:
            raise Failure("the loss is gone")

    def on_epoch_end(self, epoch, logs=None):
        recording.expect(self.run, epoch, logs)


model = keras.Sequential([keras.Input((2,)), keras.layers.Dense(1)], name="line")
model.compile(keras.optimizers.SGD(0.05), "mse", metrics=["mae"])
callback = RunlogCallback(given.run, log_every_batches=4, url=given.url)
saves = keras.callbacks.ModelCheckpoint(os.path.join(given.folder, "line-{epoch}.keras"), save_freq="epoch")
common = {"batch_size": 4, "verbose": 0, "validation_data": (x, y)}
model.fit(x, y, epochs=12, callbacks=[callback, saves, Slow(given.run)], **common)
evaluated = model.evaluate(x, y, verbose=0, return_dict=True, callbacks=[callback])
recording.expect(given.run, 11, {f"evaluate_{name}": value for name, value in evaluated.items()})

model.fit(x, y, epochs=14, initial_epoch=12, callbacks=[callback, Slow(given.run)], **common)
callback.session.close()

failed = f"{given.run}-failed"
model.fit(x, y, epochs=1, callbacks=[RunlogCallback(failed, url=given.url), Slow(failed, fails=True)], **common)

"""
A callback in the style of PyTorch trainers, for home-made ones: call its methods from your loop or from your trainer's
hooks. Lightning, Accelerate, Hugging Face and others have modules of their own (README.md, "In the training libraries"). It imports no framework: tensors are handed over as they are and
become numbers in the emitter's thread, so that nothing here waits for the GPU.

    callback = RunlogCallback(runlog.start(run="resnet-7"), task="cifar10")
    trainer.fit(model, callbacks=[callback])
"""

import logging
import os
import sys
from typing import Any, Dict, Optional

sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.abspath(__file__))))

import runlog  # noqa: E402


class RunlogCallback:
    def __init__(self, run: runlog.Run, task: str, log_every_steps: int = 50) -> None:
        self._run = run
        self._task = task
        self._log_every_steps = log_every_steps
        self._handler = runlog.LogHandler(run, logging.WARNING)

    def on_train_begin(self, config: Optional[Dict[str, Any]] = None) -> None:
        logging.getLogger().addHandler(self._handler)
        self._run.emit("FIT_STARTED", {"task": self._task, **(config or {})})

    def on_train_batch_end(self, step: int, loss: Any) -> None:
        """`loss` may be a tensor on a GPU; detach it, so that the graph is not kept alive in the queue."""
        if step % self._log_every_steps == 0:
            self._run.emit("STEP_COMPLETED", step=step, loss=loss.detach() if hasattr(loss, "detach") else loss)

    def on_validation_end(self, epoch: int, metrics: Dict[str, Any]) -> None:
        self._run.epoch_completed(
            env_id=0,
            val_accuracy=metrics["val_accuracy"],
            val_loss=metrics["val_loss"],
            inner_epoch=epoch,
        )

    def on_save_checkpoint(self, path: str, epoch: int) -> None:
        self._run.emit("CHECKPOINT_SAVED", epoch=epoch, path=path, message=f"checkpoint of epoch {epoch}")

    def on_exception(self, error: BaseException) -> None:
        logging.getLogger().removeHandler(self._handler)
        self._run.fail(f"{type(error).__name__}: {error}")

    def on_train_end(self) -> None:
        logging.getLogger().removeHandler(self._handler)
        self._run.finish()


def main() -> None:
    """Uses the callback in a loop without any framework."""
    callback = RunlogCallback(runlog.start(), task="parabola", log_every_steps=10)
    callback.on_train_begin({"lr": 0.1})
    weight = 5.0
    try:
        for epoch in range(3):
            for step in range(100):
                loss = weight * weight
                weight -= 0.1 * 2 * weight
                callback.on_train_batch_end(epoch * 100 + step, loss)
            callback.on_validation_end(epoch, {"val_accuracy": 100 - abs(weight), "val_loss": loss})
            callback.on_save_checkpoint(f"epoch-{epoch}.pt", epoch)
    except BaseException as error:
        callback.on_exception(error)
        raise
    callback.on_train_end()


if __name__ == "__main__":
    main()

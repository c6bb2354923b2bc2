"""Trains a tiny model with transformers' Trainer: a training, one that resumes, and one that fails."""

import atexit
import os
import time

import torch
from transformers import PretrainedConfig, PreTrainedModel, Trainer, TrainerCallback, TrainingArguments

from recording import Failure, Recording, arguments
from runlog.transformers import RunlogCallback

given = arguments()
recording = Recording("transformers", "transformers")
recording.hooks(RunlogCallback, "on_train_begin", "on_log", "on_save", "on_predict", "on_train_end")
atexit.register(recording.write, given)
torch.manual_seed(0)


class LineConfig(PretrainedConfig):
    model_type = "line"


class Line(PreTrainedModel):
    config_class = LineConfig

    def __init__(self, config):
        super().__init__(config)
        self.layer = torch.nn.Linear(4, 1)
        self.fails = False
        self.post_init()

    def _init_weights(self, module):
        pass

    def forward(self, x, labels):
        time.sleep(0.03)
        if self.training and self.fails:
            raise Failure("the loss is gone")
        predicted = self.layer(x).squeeze(-1)
        return {"loss": torch.nn.functional.mse_loss(predicted, labels), "logits": predicted}


class Points(torch.utils.data.Dataset):
    def __len__(self):
        return 64

    def __getitem__(self, index):
        x = torch.tensor([index / 64, 1.0, index % 3, index % 5], dtype=torch.float)
        return {"x": x, "labels": x.sum()}


def trainer(callback, epochs, model):
    arguments = TrainingArguments(
        output_dir=os.path.join(given.folder, "transformers"),
        num_train_epochs=epochs,
        per_device_train_batch_size=4,
        logging_steps=1,
        eval_strategy="epoch",
        save_steps=40,
        report_to=[],
        use_cpu=True,
        disable_tqdm=True,
        seed=1,
        # Forked loaders of data hold a copy of the callback.
        dataloader_num_workers=1,
    )
    return Trainer(model=model, args=arguments, train_dataset=Points(), eval_dataset=Points(), callbacks=[callback])


class Before(TrainerCallback):
    """Counts what the checkpoint's history holds already."""

    def on_train_begin(self, args, state, control, **more):
        self.logged = len(state.log_history)


def expect(run, history):
    for logged in history:
        recording.expect(run, logged["step"], {name: value for name, value in logged.items() if name != "step"})


callback = RunlogCallback(given.run, url=given.url)
first = trainer(callback, 8, Line(LineConfig()))
first.train()
# It logs after the training's end.
first.evaluate()
expect(given.run, first.state.log_history)

resumed, before = trainer(callback, 9, Line(LineConfig())), Before()
resumed.add_callback(before)
resumed.train(resume_from_checkpoint=True)
expect(given.run, resumed.state.log_history[before.logged :])

failing = Line(LineConfig())
failing.fails = True
trainer(RunlogCallback(f"{given.run}-failed", url=given.url), 1, failing).train()

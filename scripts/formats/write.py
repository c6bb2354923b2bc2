"""Lets the real tools write their files into a folder: python write.py FOLDER current|older"""

import json
import os
import socket
import sys

# The recordings are kept: they name no machine and nobody.
socket.gethostname = lambda: "trainer"
os.environ.update(
    {
        "LOGNAME": "somebody",
        "USER": "somebody",
        "MLFLOW_ALLOW_FILE_STORE": "true",
        "WANDB_MODE": "offline",
        "WANDB_SILENT": "true",
        "GIT_PYTHON_REFRESH": "quiet",
    }
)

NAN = float("nan")
INFINITY = float("inf")


def tensorboard_x(folder):
    from tensorboardX import SummaryWriter

    with SummaryWriter(os.path.join(folder, "exp-x")) as writer:
        for step in range(40):
            writer.add_scalar("loss/train", 1 / (step + 1), step)
            writer.add_scalar("accuracy", step / 40, step)
        writer.add_scalar("accuracy", NAN, 40)
        writer.add_scalar("accuracy", INFINITY, 41)
        writer.add_text("note", "the *first* line\nand the second: größer", 3)
        writer.add_histogram("weights", [0.1, 0.2, 0.3, 0.3], 1)
        writer.add_scalars("both", {"a": 1.5, "b": 2.5}, 7)
    with SummaryWriter(os.path.join(folder, "exp-hparams")) as writer:
        writer.add_hparams({"lr": 0.1, "optimizer": "adam", "amsgrad": True}, {"best": 0.75})


def tensorboard_v2(folder):
    """Scalars as tensors with the plugin's metadata, as TensorFlow 2 and Keras write them."""
    import numpy
    from tensorboard.compat.proto.event_pb2 import Event, LogMessage, SessionLog
    from tensorboard.compat.proto.summary_pb2 import Summary, SummaryMetadata
    from tensorboard.summary import Writer
    from tensorboard.summary.writer.event_file_writer import EventFileWriter
    from tensorboard.util.tensor_util import make_tensor_proto

    writer = Writer(os.path.join(folder, "exp-2"))
    for step in range(20):
        writer.add_scalar("epoch_loss", 2.0 / (step + 1), step=step, description="mean")
    writer.flush()
    writer.close()

    events = EventFileWriter(os.path.join(folder, "exp-types"))
    wall_time = 1_764_000_000.25
    types = ["float32", "float64", "float16", "int32", "int64", "uint8", "bool", "int8", "int16"]
    for step, name in enumerate(types):
        for packed in (False, True):
            number = numpy.array(1 if name == "bool" else 3, dtype=name)
            tensor = make_tensor_proto(number)
            if packed:
                tensor = tensor.__class__(
                    dtype=tensor.dtype, tensor_shape=tensor.tensor_shape, tensor_content=number.tobytes()
                )
            plugin = SummaryMetadata.PluginData(plugin_name="scalars")
            metadata = SummaryMetadata(plugin_data=plugin) if packed else None
            value = Summary.Value(tag=f"{name}/{packed}", tensor=tensor, metadata=metadata)
            events.add_event(Event(wall_time=wall_time + step, step=step, summary=Summary(value=[value])))
    two = [Summary.Value(tag=tag, simple_value=0.5) for tag in ("first", "second")]
    events.add_event(Event(wall_time=wall_time + 20, step=20, summary=Summary(value=two)))
    array = Summary.Value(tag="array", tensor=make_tensor_proto(numpy.array([1.0, 2.0])))
    events.add_event(Event(wall_time=wall_time + 21, step=21, summary=Summary(value=[array])))
    log = LogMessage(level=LogMessage.WARN, message="low on memory")
    events.add_event(Event(wall_time=wall_time + 22, step=22, log_message=log))
    session = SessionLog(status=SessionLog.CHECKPOINT, checkpoint_path="ckpt-22")
    events.add_event(Event(wall_time=wall_time + 23, step=23, session_log=session))
    events.close()


def wandb_runs(folder, name):
    import wandb

    settings = wandb.Settings(
        host="trainer", program="train.py", x_disable_machine_info=True, x_disable_meta=True, console="off"
    )
    common = {"dir": folder, "project": "recorded", "settings": settings}
    config = {"lr": 0.001, "layers": [64, 64], "deep": {"dropout": 0.1}}
    run = wandb.init(id=f"{name}-good", name="good run", config=config, tags=["a", "b"], **common)
    for step in range(60):
        run.log({"loss": 1 / (step + 1), "val/acc": step / 60, "nested": {"x": step}, "phase": "warm-up"})
    run.log({"loss": NAN, "reward": INFINITY, "step": 5})
    run.log({"table": wandb.Histogram([1, 2, 3]), "loss": 0.5}, step=100)
    run.config.update({"batch": 32})
    run.log({"padding": "ä" * 1_000, "long": list(range(3_000))}, step=101)
    run.alert("Low accuracy", "It fell below 0.2", level=wandb.AlertLevel.WARN)
    run.summary["best"] = 0.99
    run.finish()
    run = wandb.init(id=f"{name}-bad", name="bad run", **common)
    run.log({"loss": 3.0})
    run.finish(exit_code=3)


def mlflow_runs(folder):
    import mlflow

    mlflow.set_tracking_uri("file://" + os.path.join(folder, "mlruns"))
    mlflow.set_experiment("recorded: one")
    with mlflow.start_run(run_name="good run"):
        mlflow.log_params({"lr": 0.1, "deep/name": "one\ntwo", "empty": ""})
        mlflow.set_tag("team", "vision")
        for step in range(20):
            mlflow.log_metrics({"loss": 1 / (step + 1), "val/acc": NAN if step == 7 else step / 20}, step=step)
        mlflow.log_metric("reward", INFINITY, step=3)
        mlflow.log_metric("final", -1e-300)
    try:
        with mlflow.start_run(run_name="1e5"):
            mlflow.log_metric("loss", 2.0, step=1)
            raise ValueError("planned")
    except ValueError:
        pass


def csv_files(folder):
    import pandas

    os.makedirs(folder, exist_ok=True)
    times = pandas.date_range("2026-01-05T10:00:00Z", periods=12, freq="1s")
    frame = pandas.DataFrame(
        {
            "timestamp": times,
            "step": range(12),
            "loss": [1 / (step + 1) for step in range(12)],
            "val_loss": [None if step % 3 else step / 4 for step in range(12)],
            "note": ['say "hi", twice\nthen go' if step == 4 else None for step in range(12)],
        }
    )
    frame.to_csv(os.path.join(folder, "comma.csv"), index=False)
    frame.to_csv(os.path.join(folder, "excel.csv"), index=False, sep=";", decimal=",", encoding="utf-8-sig", lineterminator="\r\n")
    frame.to_csv(os.path.join(folder, "tabs.tsv"), index=False, sep="\t")
    rows = [
        {name: str(value) if name == "timestamp" else value for name, value in row.items() if not pandas.isna(value)}
        for row in frame.to_dict(orient="records")
    ]
    with open(os.path.join(folder, "expected.json"), "w", encoding="utf-8") as file:
        json.dump(rows, file)


def main():
    folder, version = os.path.abspath(sys.argv[1]), sys.argv[2]
    os.makedirs(folder, exist_ok=True)
    if version == "current":
        tensorboard_x(os.path.join(folder, "tensorboard"))
        tensorboard_v2(os.path.join(folder, "tensorboard"))
        csv_files(os.path.join(folder, "csv"))
    wandb_runs(folder, version)
    mlflow_runs(os.path.join(folder, f"mlflow-{version}"))


main()

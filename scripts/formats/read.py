"""Says what the tools' own readers see in the files that write.py made: python read.py FOLDER tensorboard|wandb|mlflow"""

import glob
import json
import math
import os
import sys


def plain(value):
    if isinstance(value, float) and not math.isfinite(value):
        return "NaN" if math.isnan(value) else "Infinity" if value > 0 else "-Infinity"
    return value


def tensorboard(folder):
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
    from tensorboard.util.tensor_util import make_ndarray

    runs = {}
    for path in sorted(glob.glob(os.path.join(folder, "tensorboard", "**", "*tfevents*"), recursive=True)):
        accumulator = EventAccumulator(os.path.dirname(path), size_guidance={"scalars": 0, "tensors": 0})
        accumulator.Reload()
        tags = accumulator.Tags()
        points = [
            {"tag": tag, "step": event.step, "time": event.wall_time, "value": plain(event.value)}
            for tag in tags["scalars"]
            for event in accumulator.Scalars(tag)
        ]
        for tag in tags["tensors"]:
            for event in accumulator.Tensors(tag):
                array = make_ndarray(event.tensor_proto)
                if array.size != 1 or array.dtype == object or tag.startswith("_hparams_"):
                    continue
                value = plain(float(array.item()))
                points.append({"tag": tag, "step": event.step, "time": event.wall_time, "value": value})
        runs[os.path.relpath(os.path.dirname(path), os.path.join(folder, "tensorboard"))] = points
    return runs


def wandb(folder):
    import wandb as package
    from wandb.proto.wandb_internal_pb2 import Record
    from wandb.sdk.internal.datastore import DataStore

    package._set_internal_process()
    runs = {}
    for path in sorted(glob.glob(os.path.join(folder, "wandb", "offline-run-*", "*.wandb"))):
        store = DataStore()
        store.open_for_scan(path)
        run = {"history": [], "exit_code": None, "alerts": []}
        for data in iter(store.scan_data, None):
            record = Record()
            record.ParseFromString(data)
            kind = record.WhichOneof("record_type")
            if kind == "run":
                run["name"] = record.run.display_name
                run["config"] = {
                    item.key: json.loads(item.value_json) for item in record.run.config.update if item.key != "_wandb"
                }
            elif kind == "history":
                values = {}
                for item in record.history.item:
                    value = json.loads(item.value_json)
                    # A long list is only there to lie in several blocks.
                    values[item.key or ".".join(item.nested_key)] = len(value) if isinstance(value, list) else plain(value)
                run["history"].append(values)
            elif kind == "exit":
                run["exit_code"] = record.exit.exit_code
            elif kind == "alert":
                run["alerts"].append([record.alert.title, record.alert.text, record.alert.level])
        runs[os.path.relpath(path, folder)] = run
    return runs


def mlflow(folder):
    from mlflow.tracking import MlflowClient

    runs = {}
    for store in sorted(glob.glob(os.path.join(folder, "mlflow-*", "mlruns"))):
        client = MlflowClient("file://" + store)
        for experiment in client.search_experiments():
            for run in client.search_runs([experiment.experiment_id]):
                metrics = {
                    name: [[metric.timestamp, plain(metric.value), metric.step] for metric in client.get_metric_history(run.info.run_id, name)]
                    for name in run.data.metrics
                }
                path = os.path.join(store, experiment.experiment_id, run.info.run_id)
                runs[os.path.relpath(path, folder)] = {
                    "name": run.info.run_name,
                    "experiment": experiment.name,
                    "status": run.info.status,
                    "end_time": run.info.end_time,
                    "params": run.data.params,
                    "metrics": metrics,
                }
    return runs


def main():
    folder, tool = os.path.abspath(sys.argv[1]), sys.argv[2]
    os.environ["MLFLOW_ALLOW_FILE_STORE"] = "true"
    json.dump({"tensorboard": tensorboard, "wandb": wandb, "mlflow": mlflow}[tool](folder), sys.stdout)


main()

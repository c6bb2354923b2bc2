"""
Trains esper's policy on made-up pictures, on the CPU, with its telemetry hub sending to runlog. It needs a copy of esper's
source and what that imports (torch, torchvision, pydantic, PyYAML, psutil); nothing of esper is in this repository.

    PYTHONPATH=ESPER/src python3 clients/python/examples/esper_training.py --run esper-1 --rounds 2

Prints one line of JSON: what the hub's own file output holds, what was sent, and by type.
"""

import argparse
import collections
import dataclasses
import json
import os
import sys
import tempfile

sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.abspath(__file__))))

import runlog.esper  # noqa: E402


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[1])
    parser.add_argument("--run", default=None)
    parser.add_argument("--rounds", type=int, default=2)
    parser.add_argument("--epochs", type=int, default=6)
    parser.add_argument("--environments", type=int, default=2)
    given = parser.parse_args()

    import esper.runtime
    from esper.nissa import FileOutput, get_hub
    from esper.simic.training.vectorized import train_ppo_vectorized

    original = esper.runtime.get_task_spec

    def made_up(name: str):
        spec = original(name)
        return dataclasses.replace(spec, dataloader_defaults={**spec.dataloader_defaults, "mock": True})

    esper.runtime.get_task_spec = made_up
    recorded = os.path.join(tempfile.mkdtemp(prefix="esper-"), "events.jsonl")
    hub = get_hub()
    hub.add_backend(FileOutput(recorded))
    output = runlog.esper.RunlogOutput(given.run)
    hub.add_backend(output)
    try:
        train_ppo_vectorized(
            n_episodes=given.rounds,
            n_envs=given.environments,
            max_epochs=given.epochs,
            task="cifar_minimal",
            device="cpu",
            devices=["cpu"],
            num_workers=0,
            batch_size_per_env=8,
            compile_mode="off",
            slots=["r0c0", "r0c1"],
            group_id="A",
        )
    finally:
        hub.close(timeout=60)
    with open(recorded, encoding="utf-8") as file:
        events = [json.loads(line) for line in file]
    types = collections.Counter(event["event_type"] for event in events)
    print(json.dumps({"run": output.run_id, "recorded": len(events), "types": types, **output.stats()}))


if __name__ == "__main__":
    main()

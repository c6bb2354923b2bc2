"""
A training loop that reports to runlog; runs anywhere, trains nothing:

    npm start                                                   # in another terminal
    python3 clients/python/examples/training_loop.py --events 2000

Prints one line of JSON with what the emitter counted.
"""

import argparse
import json
import math
import os
import random
import sys
import time

sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.abspath(__file__))))

import runlog  # noqa: E402

ENVIRONMENTS = 4


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[1])
    parser.add_argument("--run", default=None)
    parser.add_argument("--events", type=int, default=2000)
    parser.add_argument("--step", type=float, default=0.002, help="seconds of pretended work between rounds")
    given = parser.parse_args()

    run = runlog.start(given.run)
    run.training_started(
        n_envs=ENVIRONMENTS,
        max_epochs=25,
        max_batches=given.events // ENVIRONMENTS,
        task="cifar10",
        host_params=1_200_000,
        slot_ids=["r0c0", "r0c1"],
        seed=42,
        n_episodes=100,
        lr=3e-4,
        clip_ratio=0.2,
        entropy_coef=0.01,
        param_budget=500_000,
        policy_device="cpu",
        env_devices=["cpu"] * ENVIRONMENTS,
        reward_mode="shaped",
    )
    emitted = 1
    for batch in range(given.events // ENVIRONMENTS):
        time.sleep(given.step)
        for env_id in range(ENVIRONMENTS):
            if batch % 100 == 50:
                run.seed_germinated(slot_id="r0c1", env_id=env_id, blueprint_id="conv_light", params=1024)
            else:
                accuracy = 100 * (1 - math.exp(-batch / 500)) + random.gauss(0, 1)
                loss = math.nan if batch == 0 else 2.3 * math.exp(-batch / 500)
                run.epoch_completed(env_id=env_id, val_accuracy=accuracy, val_loss=loss, inner_epoch=batch % 25)
            emitted += 1
    run.finish(timeout=60)
    print(json.dumps({"emitted": emitted + 1, **run.stats()}))


if __name__ == "__main__":
    main()

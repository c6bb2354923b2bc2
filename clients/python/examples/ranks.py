"""
Several ranks that run the same code and report to one run. It needs no torch: it launches its ranks as torchrun does.

    python3 clients/python/examples/ranks.py --ranks 4

`torchrun --nproc-per-node=4 clients/python/examples/ranks.py` does the same.
"""

import argparse
import math
import os
import subprocess
import sys

sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.abspath(__file__))))

import runlog  # noqa: E402


def train(steps: int) -> None:
    # No name: all ranks find the one of their launcher, and a requeued job that of its Slurm id. If a rank fails, the
    # launcher ends the others by SIGTERM.
    with runlog.start(flush_on_sigterm=True) as run:
        run.training_started(task="parabola", lr=0.1, steps=steps)
        rank = int(os.environ["RANK"])
        weight = 5.0 + rank
        for step in range(steps):
            weight -= 0.1 * 2 * weight
            run.log({"loss": weight * weight, f"norm/rank{rank}": abs(weight)}, step=step)
            if not math.isfinite(weight):
                run.alert("weight is not finite", f"at step {step}", severity="error")
        print(f"rank {rank} reported to {run.run_id}")


def launch(ranks: int, arguments: "list[str]") -> int:
    """Starts the ranks with what torchrun says in the environment, and waits for all."""
    children = [
        subprocess.Popen(
            [sys.executable, os.path.abspath(__file__), *arguments],
            env={
                **os.environ,
                **{"RANK": str(rank), "LOCAL_RANK": str(rank), "GROUP_RANK": "0"},
                **{"WORLD_SIZE": str(ranks), "LOCAL_WORLD_SIZE": str(ranks)},
                **{"TORCHELASTIC_RUN_ID": "none", "TORCHELASTIC_RESTART_COUNT": "0"},
            },
        )
        for rank in range(ranks)
    ]
    return max(child.wait() for child in children)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[1])
    parser.add_argument("--ranks", type=int, default=4)
    parser.add_argument("--steps", type=int, default=50)
    given = parser.parse_args()
    if "RANK" not in os.environ:
        return launch(given.ranks, ["--steps", str(given.steps)])
    train(given.steps)
    return 0


if __name__ == "__main__":
    sys.exit(main())

"""
Measures by how much a training-like loop is slower because it emits, and prints one line of JSON.

    python3 clients/python/bench/loop_cost.py [--seconds 600] [--step python|native] [--url http://127.0.0.1:4000]

A step takes some 50 ms and, in half of the measured time, emits one event: 20 a second, while real training runs emit
less than one. `python` steps never let go of the interpreter, which is the worst case: the emitter's thread can only
run by interrupting them. `native` steps hash 64 KiB at a time, which releases it as a framework's kernels do.

All in one process, since two processes differ by more than what is looked for. The server is up (`--url`, or one in
a process of its own that accepts everything), hung (accepts connections and never answers) or dead (nothing
listens), each with an emitter that has been at it for 20 s; "null" emits in neither half and shows what the machine
cannot tell apart. A round is one quartet for each in random order: emitting, not, not, emitting. Each begins with
1.2 s that do not count, so that a batch, which is sent a second after its first event, falls to whom it belongs.

Three answers, each in per cent of the loop's time with a 95 % interval (bootstrap over the quartets):

- `accounted`: what the calls of `emit` compute, and how long the loop slept in steps in which it gave up its core of
  its own accord, which it does only to wait for the interpreter: their time less their CPU time less the time in the
  kernel's run queue (Linux counts both for each thread). What other processes and the hypervisor take is not in it, so it is
  sharp on a busy machine. Compared with the silent halves of "null".
- `cpu`: of the loop's CPU time; what caches lose is in it, and what other processes do to them.
- `wall`: of the clock. Nothing is left out, so this is as noisy as the machine.

`cpu` and `wall` are means of the quartets without the upper and the lower fifth. `thread` is what the emitter's thread
computes, on whichever core; `longest_sleep_ms` is the longest that one step slept, in the emitting and the other half.
"""

import argparse
import hashlib
import json
import logging
import os
import random
import resource
import statistics
import sys
import tempfile
import threading
import time
from typing import NamedTuple

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.abspath(__file__))))

import runlog  # noqa: E402
from emit_cost import start_servers  # noqa: E402

STEP_S = 0.05
SKIPPED_S = 1.2
WINDOW_S = 2.0
WARM_UP_S = 20.0
ROUNDS_MIN = 3
STATES = ("null", "up", "hung", "dead")
BLOCK = bytes(64 * 1024)


def python_step(size):
    x = 1
    for _ in range(size):
        x = (x * 1103515245 + 12345) & 0x7FFFFFFF


def native_step(size):
    digest = hashlib.sha256()
    for _ in range(size):
        digest.update(BLOCK)


def calibrated(step):
    """Returns the size of a step of 50 ms, by CPU time, so that a busy machine does not make it shorter."""
    size = 64
    while True:
        best = min(cpu_of(step, size) for _ in range(30))
        if best > STEP_S / 4:
            return max(1, round(size * STEP_S / best))
        size *= 2


def cpu_of(step, size):
    before = time.thread_time()
    step(size)
    return time.thread_time() - before


class Clock:
    """This thread's times in seconds."""

    def __init__(self):
        try:
            self._fd = os.open("/proc/thread-self/schedstat", os.O_RDONLY)
        except OSError:
            self._fd = None

    def queued(self):
        """Returns the time spent in the kernel's run queue, waiting for a core. It is 0 if the system does not say."""
        return 0.0 if self._fd is None else int(os.pread(self._fd, 64, 0).split()[1]) / 1e9

    def now(self):
        """Returns wall, CPU and run queue time, and how often this thread gave up its core of its own accord."""
        switches = resource.getrusage(resource.RUSAGE_THREAD).ru_nvcsw
        return time.perf_counter(), time.thread_time(), self.queued(), switches


class Emitter:
    """A run that has begun, and the thread behind it."""

    def __init__(self, name, **settings):
        self.run = runlog.start(name, **settings)
        self._thread = [thread for thread in threading.enumerate() if thread.name == "runlog"][-1]

    def emit(self, index):
        self.run.emit("EPOCH_COMPLETED", env_id=0, val_accuracy=71.5, val_loss=0.25, inner_epoch=index)

    def cpu(self):
        """Returns the seconds of CPU time of the thread."""
        return time.clock_gettime(time.pthread_getcpuclockid(self._thread.ident))


class Window(NamedTuple):
    """The times that some steps took, in seconds."""

    wall: float
    cpu: float
    queued: float
    slept: float
    longest_sleep: float
    calls: float
    """The time of the emits and of reading the clock. The half that does not emit only reads the clock."""
    steps: int


def steps(clock, step, size, count, run):
    begun = last = clock.now()
    slept = longest = calls = 0.0
    for index in range(count):
        step(size)
        before = time.thread_time_ns()
        if run is not None:
            run.emit(index)
        calls += (time.thread_time_ns() - before) / 1e9
        now = clock.now()
        if now[3] != last[3]:
            sleep = (now[0] - last[0]) - (now[1] - last[1]) - (now[2] - last[2])
            slept += sleep
            longest = max(longest, sleep)
        last = now
    wall, cpu, queued, _ = (after - before for after, before in zip(last, begun))
    return Window(wall, cpu, queued, slept, longest, calls, count)


def quartet(clock, step, size, run):
    """Runs a quartet (emitting, not, not, emitting) and returns two windows of each kind."""
    skipped, counted = round(SKIPPED_S / STEP_S), round(WINDOW_S / STEP_S)
    with_run, without = [], []
    for emits, windows in ((True, 1), (False, 2), (True, 1)):
        emitter = run if emits else None
        steps(clock, step, size, skipped, emitter)
        for _ in range(windows):
            (with_run if emits else without).append(steps(clock, step, size, counted, emitter))
    return with_run, without


def trimmed_mean(values):
    values = sorted(values)
    cut = len(values) // 5
    return statistics.fmean(values[cut : len(values) - cut])


def estimate(values, of):
    drawn = sorted(of(random.choices(values, k=len(values))) for _ in range(2000))
    return {"percent": round(of(values), 4), "interval95": [round(drawn[50], 4), round(drawn[1949], 4)]}


def ratios(quartets, of):
    return [100 * (sum(map(of, a)) / sum(map(of, b)) - 1) for a, b in quartets]


def share(windows):
    """Returns the share of calls and sleeps in the time for which the machine let the loop run."""
    return sum(w.calls + w.slept for w in windows) / sum(w.cpu + w.slept for w in windows)


def report(quartets, background, thread_s, emitting_s):
    emitting = [window for a, _ in quartets for window in a]
    silent = [window for _, b in quartets for window in b]
    windows = emitting + silent
    call_s = sum(w.calls for w in emitting) - sum(w.calls for w in silent)
    return {
        "accounted": estimate([100 * (share(a) - background) for a, _ in quartets], statistics.fmean),
        "cpu": estimate(ratios(quartets, lambda window: window.cpu), trimmed_mean),
        "wall": estimate(ratios(quartets, lambda window: window.wall), trimmed_mean),
        "call_us": round(1e6 * call_s / sum(w.steps for w in emitting), 2),
        "thread_percent": round(100 * thread_s / emitting_s, 4),
        "slept_us_per_s": [
            round(1e6 * sum(w.slept for w in half) / sum(w.wall for w in half)) for half in (emitting, silent)
        ],
        "longest_sleep_ms": [round(1e3 * max(w.longest_sleep for w in half), 2) for half in (emitting, silent)],
        "events_per_s": round(sum(w.steps for w in emitting) / sum(w.cpu + w.slept for w in emitting), 1),
        "step_ms": round(1e3 * statistics.median(window.wall / window.steps for window in windows), 2),
        "in_run_queue_percent": round(100 * sum(w.queued for w in windows) / sum(w.wall for w in windows), 1),
    }


def measure(runs, step, seconds):
    clock = Clock()
    until = time.monotonic() + WARM_UP_S
    while time.monotonic() < until:
        for run in runs.values():
            if run is not None:
                run.emit(0)
        time.sleep(STEP_S)
    size = calibrated(step)
    quartets = {state: [] for state in runs}
    thread_s = dict.fromkeys(runs, 0.0)
    emitting_s = dict.fromkeys(runs, 0.0)
    until = time.monotonic() + seconds
    rounds = 0
    while rounds < ROUNDS_MIN or time.monotonic() < until:
        for state in random.sample(list(runs), len(runs)):
            run = runs[state]
            before = 0.0 if run is None else run.cpu()
            a, b = quartet(clock, step, size, run)
            quartets[state].append((a, b))
            if run is not None:
                thread_s[state] += run.cpu() - before
            # Its first and its last part emit, the parts that do not count included.
            emitting_s[state] += sum(window.wall for window in a) * (1 + SKIPPED_S / WINDOW_S)
        rounds += 1
    # Only the silent halves without any emitter count: one that is hung or dead tries again in its silent half too.
    background = share([window for _, b in quartets["null"] for window in b])
    reports = {state: report(quartets[state], background, thread_s[state], emitting_s[state]) for state in runs}
    return reports, rounds


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--url", help="a real ingest; without it one in a process of its own")
    parser.add_argument(
        "--seconds", type=float, default=600.0, help="at least; three rounds take two minutes and a half"
    )
    parser.add_argument("--step", choices=("python", "native"), default="python")
    given = parser.parse_args()
    logging.getLogger("runlog").setLevel(logging.CRITICAL)

    urls, server, listening = start_servers(given.url)
    # Heartbeats would be sent only in the halves that emit nothing.
    options = runlog.Options(heartbeat_interval=0.0)
    load_before = os.getloadavg()[0]
    try:
        with tempfile.TemporaryDirectory() as spool:
            runs = {
                state: None
                if state == "null"
                else Emitter(f"bench-{state}", url=urls[state], spool=spool, options=options)
                for state in STATES
            }
            step = python_step if given.step == "python" else native_step
            states, rounds = measure(runs, step, given.seconds)
            for run in runs.values():
                if run is not None:
                    run.run.close(0.5)
    finally:
        server.kill()
        server.join()
        for each in listening:
            each.close()
    load = [round(load_before, 1), round(os.getloadavg()[0], 1)]
    print(json.dumps({"step": given.step, "quartets": rounds, "load_average": load, "states": states}))


if __name__ == "__main__":
    main()

"""
What the emitter costs a training loop. Prints one line of JSON per measurement.

    python3 clients/python/bench/emit_cost.py [--url http://127.0.0.1:4000] [--pairs 20] [--seconds 4]

1. `emit`: the time of one call, in this thread, at 1,000 calls a second (so the thread behind it is at work too), less
   what reading the clock twice costs. The limit measured in the same run is a bare `deque.append` of a tuple.
2. `cpu`: what the emitter's thread computes (its own CPU clock: encoding, compression, sockets, spool) and what the
   calls take, as a share of the time of the emitting halves below. The thread can hold the interpreter for no longer
   than it computes, so this share bounds the slow-down even where `loop` drowns in the noise of a shared machine.
3. `loop`: paired runs of a training-like loop. A step is work that releases the interpreter as a framework's kernels do
   (SHA-256 over 16 MiB) and, in one half of each pair, one event a step. The order within each pair is random. Reported
   is the median over the pairs of how much longer a step took, in per cent of a step, with its 95 % interval
   (bootstrap). "null" pairs emit in neither half: they show what the machine cannot tell apart. Batches go every
   second, as by default, so a half of several seconds leaves a little of its work to the next one.

The server is up (`--url`, or one in this process that accepts everything), hung (accepts connections and never
answers), or dead (nothing listens).
"""

import argparse
import collections
import hashlib
import http.server
import json
import logging
import os
import random
import socket
import statistics
import sys
import tempfile
import threading
import time
from multiprocessing import get_context

sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.abspath(__file__))))

import runlog  # noqa: E402

BLOCK = bytes(16 * 1024 * 1024)


class _Accepting(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True

    def do_POST(self):
        import gzip

        body = gzip.decompress(self.rfile.read(int(self.headers["Content-Length"])))
        count = body.count(b"\n") + 1
        answer = json.dumps(
            {"accepted": count, "rejected": 0, "retry": 0, "normalized": 0, "errors": [], "retry_indexes": []}
        ).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(answer)))
        self.end_headers()
        self.wfile.write(answer)

    def log_message(self, *_args):
        pass


def _accept(sock):
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), _Accepting, bind_and_activate=False)
    server.socket.close()
    server.socket = sock
    server.serve_forever()


def percentiles(times):
    times = sorted(times)
    return {f"p{p}_us": round(times[min(len(times) - 1, len(times) * p // 100)] / 1000, 2) for p in (50, 90, 99)}


def emit_cost(run, calls=20_000):
    clock = time.perf_counter_ns
    times, empty, bare = [], [], []
    queue = collections.deque(maxlen=1000)
    for index in range(calls):
        a = clock()
        b = clock()
        run.emit("EPOCH_COMPLETED", env_id=0, val_accuracy=71.5, val_loss=0.25, inner_epoch=index)
        c = clock()
        queue.append((index, 71.5, 0.25))
        d = clock()
        empty.append(b - a)
        times.append(c - b)
        bare.append(d - c)
        if index % 10 == 9:
            time.sleep(0.01)
    idle = statistics.median(empty)
    return percentiles([t - idle for t in times]), percentiles([t - idle for t in bare])


def thread_cpu_seconds():
    """Of the youngest emitter's thread."""
    thread = [thread for thread in threading.enumerate() if thread.name == "runlog"][-1]
    return time.clock_gettime(time.pthread_getcpuclockid(thread.ident))


def half(run, seconds):
    """Mean seconds a step."""
    steps = 0
    started = time.perf_counter()
    until = started + seconds
    while True:
        hashlib.sha256(BLOCK).digest()
        steps += 1
        if run is not None:
            run.emit("EPOCH_COMPLETED", env_id=0, val_accuracy=71.5, val_loss=0.25, inner_epoch=steps)
        now = time.perf_counter()
        if now >= until:
            return (now - started) / steps


def paired(run, pairs, seconds):
    slower, steps = [], []
    cpu = 0.0
    for _ in range(pairs):
        with_run, without = {}, {}
        order = [True, False]
        random.shuffle(order)
        for emits in order:
            cpu_before = thread_cpu_seconds() if run is not None and emits else 0.0
            mean = half(run if emits else None, seconds)
            if run is not None and emits:
                cpu += thread_cpu_seconds() - cpu_before
            (with_run if emits else without)["mean"] = mean
        slower.append(100 * (with_run["mean"] / without["mean"] - 1))
        steps.append(without["mean"])
    medians = sorted(statistics.median(random.choices(slower, k=len(slower))) for _ in range(2000))
    report = {
        "step_ms": round(1000 * statistics.median(steps), 2),
        "slower_percent": round(statistics.median(slower), 4),
        "interval95": [round(medians[50], 4), round(medians[1949], 4)],
        "pairs": pairs,
    }
    return report, cpu


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--url", help="a real ingest; without it one in a process of its own")
    parser.add_argument("--pairs", type=int, default=20)
    parser.add_argument("--seconds", type=float, default=4.0)
    parser.add_argument("--only", choices=("up", "hung", "dead", "null"))
    given = parser.parse_args()
    logging.getLogger("runlog").setLevel(logging.CRITICAL)

    listener = socket.create_server(("127.0.0.1", 0))
    server = get_context("spawn").Process(target=_accept, args=(listener,), daemon=True)
    server.start()
    hung = socket.create_server(("127.0.0.1", 0), backlog=128)
    with socket.create_server(("127.0.0.1", 0)) as probe:
        dead_port = probe.getsockname()[1]
    urls = {
        "up": given.url or f"http://127.0.0.1:{listener.getsockname()[1]}",
        "hung": f"http://127.0.0.1:{hung.getsockname()[1]}",
        "dead": f"http://127.0.0.1:{dead_port}",
    }
    try:
        with tempfile.TemporaryDirectory() as spool:
            for state in ("null", "up", "hung", "dead"):
                if given.only not in (None, state):
                    continue
                if state == "null":
                    print(json.dumps({"bench": "loop", "server": state, **paired(None, given.pairs, given.seconds)[0]}))
                    continue
                options = runlog.Options()
                run = runlog.start(f"bench-{state}", url=urls[state], spool=spool, options=options)
                cost, bare = emit_cost(run)
                ratio = round(cost["p50_us"] / max(0.01, bare["p50_us"]), 1)
                print(json.dumps({"bench": "emit", "server": state, **cost, "append": bare, "ratio_p50": ratio}))
                # What that left to do is not the loop's.
                while run.stats()["queued"] or run.stats()["in_memory"] > 500:
                    time.sleep(0.1)
                numbered_before = run.stats()["numbered"]
                loop, cpu = paired(run, given.pairs, given.seconds)
                events = run.stats()["numbered"] - numbered_before
                wall = given.pairs * given.seconds
                shares = {
                    "events_per_s": round(events / wall, 1),
                    "thread_us_per_s": round(1e6 * cpu / wall),
                    "calls_us_per_s": round(cost["p50_us"] * events / wall),
                    "share_percent": round(100 * (cpu + 1e-6 * cost["p50_us"] * events) / wall, 4),
                }
                print(json.dumps({"bench": "cpu", "server": state, **shares}))
                print(json.dumps({"bench": "loop", "server": state, **loop}), flush=True)
                run.close(1.0)
    finally:
        server.kill()
        server.join()


if __name__ == "__main__":
    main()

"""
Measures what one call of `emit` and of `log` costs, and prints a line of JSON of each for each state of the server.
loop_cost.py measures a whole loop.

    python3 clients/python/bench/emit_cost.py [--url http://127.0.0.1:4000] [--rate 1000]

The result is the time of one call in this thread, less the cost of reading the clock twice. At 1,000 calls a second and
more the emitter's thread is at work too. The limit, measured in the same run, is a bare `deque.append` of a tuple.

The server is up (`--url`, or one in this process that accepts everything), hung (accepts connections and never
answers), or dead (nothing listens).
"""

import argparse
import collections
import http.server
import json
import logging
import os
import socket
import statistics
import sys
import tempfile
import time
from multiprocessing import get_context

sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.abspath(__file__))))

import runlog  # noqa: E402


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


def accept(sock):
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), _Accepting, bind_and_activate=False)
    server.socket.close()
    server.socket = sock
    server.serve_forever()


def percentiles(times):
    times = sorted(times)
    return {f"p{p}_us": round(times[min(len(times) - 1, len(times) * p // 100)] / 1000, 2) for p in (50, 90, 99)}


def emit_once(run, index):
    run.emit("EPOCH_COMPLETED", env_id=0, val_accuracy=71.5, val_loss=0.25, inner_epoch=index)


def log_once(run, index):
    run.log({"train/loss": 0.25, "train/lr": 1e-4, "accuracy": 71.5}, step=index)


def call_cost(run, once, rate, calls=20_000):
    each = max(1, rate // 100)
    clock = time.perf_counter_ns
    times, empty, bare = [], [], []
    queue = collections.deque(maxlen=1000)
    for index in range(calls):
        a = clock()
        b = clock()
        once(run, index)
        c = clock()
        queue.append((index, 71.5, 0.25))
        d = clock()
        empty.append(b - a)
        times.append(c - b)
        bare.append(d - c)
        if index % each == each - 1:
            time.sleep(0.01)
    idle = statistics.median(empty)
    return percentiles([t - idle for t in times]), percentiles([t - idle for t in bare])


def start_servers(url):
    """
    Returns the URLs of a server that is up (or the one given), of one that accepts and never answers, and of none, and
    what must be ended afterwards.
    """
    listener = socket.create_server(("127.0.0.1", 0))
    server = get_context("spawn").Process(target=accept, args=(listener,), daemon=True)
    server.start()
    hung = socket.create_server(("127.0.0.1", 0), backlog=128)
    with socket.create_server(("127.0.0.1", 0)) as probe:
        dead_port = probe.getsockname()[1]
    urls = {
        "up": url or f"http://127.0.0.1:{listener.getsockname()[1]}",
        "hung": f"http://127.0.0.1:{hung.getsockname()[1]}",
        "dead": f"http://127.0.0.1:{dead_port}",
    }
    return urls, server, (listener, hung)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--url", help="a real ingest; without it one in a process of its own")
    parser.add_argument("--rate", type=int, default=1000, help="calls a second (default: %(default)s)")
    parser.add_argument("--only", choices=("up", "hung", "dead"))
    given = parser.parse_args()
    logging.getLogger("runlog").setLevel(logging.CRITICAL)

    urls, server, listening = start_servers(given.url)
    try:
        with tempfile.TemporaryDirectory() as spool:
            for state in ("up", "hung", "dead"):
                if given.only not in (None, state):
                    continue
                for name, once in (("emit", emit_once), ("log", log_once)):
                    run = runlog.start(f"bench-{state}", url=urls[state], spool=spool, options=runlog.Options())
                    cost, bare = call_cost(run, once, given.rate)
                    ratio = round(cost["p50_us"] / max(0.01, bare["p50_us"]), 1)
                    lost = sum(run.stats()["lost"].values())
                    said = {"bench": name, "server": state, "rate": given.rate, **cost, "append": bare}
                    print(json.dumps({**said, "ratio_p50": ratio, "lost": lost}))
                    run.close(1.0)
    finally:
        server.kill()
        server.join()
        for each in listening:
            each.close()


if __name__ == "__main__":
    main()

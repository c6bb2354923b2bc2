"""The spool takes events while the server is unreachable, and gives them back afterwards."""

import io
import json
import os
import threading
import time
import unittest
from contextlib import redirect_stdout
from unittest import mock

from support import (
    WAIT_MAX_S,
    EmitterTest,
    at_most,
    first_of_each,
    free_port,
    hang,
    missing_of,
    refuse,
    runlog,
    take,
    take_and_reset,
    wait_until,
)


class SpoolTest(EmitterTest):
    def away(self, count=200, port=None, **overrides):
        """Starts a run whose server is away, and waits until `count` events are in its spool."""
        run = self.start(f"http://127.0.0.1:{port or free_port()}", **overrides)
        for index in range(count):
            run.emit("X", index=index)
        wait_until(lambda: len(self.spooled_lines()) == count, "the spool to have all events")
        return run

    def drain_by_command(self, *arguments, timeout=WAIT_MAX_S):
        out = io.StringIO()
        with redirect_stdout(out):
            code = runlog._main(["drain", self.spool, "--timeout", str(timeout), *arguments])
        return code, out.getvalue()

    def test_events_wait_in_the_spool_and_arrive_oldest_first_when_the_server_comes(self):
        port = free_port()
        run = self.away(port=port)
        server = self.server(port=port)
        for index in range(200, 400):
            run.emit("X", index=index)
        self.assertTrue(run.flush(WAIT_MAX_S))
        self.assertEqual([event["data"]["index"] for event in server.of_type("X")], list(range(400)))
        self.assertEqual(missing_of(server.events), 0)
        self.assertEqual(self.spooled_lines(), [])
        run.finish()
        self.assertEqual(os.listdir(self.spool), [])

    def test_spooled_events_keep_their_numbers(self):
        self.away(50)
        self.assertEqual([event["emitter_seq"] for event in self.spooled_lines()], list(range(1, 51)))

    def test_segments_are_bounded_in_size(self):
        port = free_port()
        run = self.start(f"http://127.0.0.1:{port}")
        for index in range(300):
            run.emit("X", index=index, blob="x" * 10_000)
        wait_until(lambda: len(self.spooled_lines()) == 300)
        (folder,) = os.listdir(self.spool)
        sizes = [
            os.stat(os.path.join(self.spool, folder, name)).st_size
            for name in os.listdir(os.path.join(self.spool, folder))
            if name.endswith(".ndjson")
        ]
        self.assertGreaterEqual(len(sizes), 3)
        self.assertLessEqual(max(sizes), 1024 * 1024)
        server = self.server(port=port)
        self.assertTrue(run.flush(WAIT_MAX_S))
        self.assertEqual([event["data"]["index"] for event in server.of_type("X")], list(range(300)))

    def test_the_spool_is_private(self):
        self.away(10)
        (folder,) = os.listdir(self.spool)
        for path in [os.path.join(self.spool, folder)] + [
            os.path.join(self.spool, folder, name) for name in os.listdir(os.path.join(self.spool, folder))
        ]:
            self.assertEqual(os.stat(path).st_mode & 0o077, 0, path)

    def test_a_full_spool_takes_only_lifecycle_events_and_lost_events_leave_no_gap(self):
        port = free_port()
        run = self.start(
            f"http://127.0.0.1:{port}", spool_bytes_max=100_000, memory_bytes_max=20_000, queue_events_max=100
        )
        for index in range(5_000):
            run.emit("X", index=index)
            if index % 50 == 0:
                run.emit("SEED_PRUNED", slot_id="r0c0", env_id=0, reason="x")
                wait_until(lambda: not run._emitter.queue.lifecycle.queue)
        size = sum(len(json.dumps(event, separators=(",", ":"))) + 1 for event in self.spooled_lines())
        self.assertLessEqual(size, 100_000)
        server = self.server(port=port)
        self.assertTrue(run.flush(WAIT_MAX_S))
        run.finish()
        self.assertEqual(len(server.of_type("SEED_PRUNED")), 100)
        lost = server.of_type("EMITTER_EVENTS_LOST")[-1]["data"]["lost_total"]
        self.assertGreater(lost, 0)
        self.assertEqual(len(server.of_type("X")) + lost, 5_000)
        self.assertEqual(missing_of(server.events), 0)

    def test_a_spool_that_cannot_be_written_leaves_events_in_memory(self):
        with open(self.spool, "w", encoding="utf-8"):
            pass
        port = free_port()
        run = self.start(f"http://127.0.0.1:{port}")
        for index in range(100):
            run.emit("X", index=index)
        wait_until(lambda: run._emitter.notices.given("spool"))
        server = self.server(port=port)
        self.assertTrue(run.flush(WAIT_MAX_S))
        self.assertEqual(len(server.of_type("X")), 100)

    def test_a_disk_that_fills_up_in_the_middle_of_a_line_doubles_and_tears_nothing(self):
        full = threading.Event()

        class Disk(io.FileIO):
            def write(self, data):
                if full.is_set():
                    super().write(data[:30])
                    raise OSError(28, "No space left on device")
                return super().write(data)

        port = free_port()
        with mock.patch("runlog.io.FileIO", Disk):
            run = self.away(50, port=port)
            full.set()
            for index in range(50, 100):
                run.emit("X", index=index)
            wait_until(lambda: run._emitter.notices.given("spool"))
            full.clear()
            server = self.server(port=port)
            self.assertTrue(run.flush(WAIT_MAX_S))
        self.assertEqual([event["data"]["index"] for event in server.of_type("X")], list(range(100)))

    def test_events_left_at_the_exit_are_drained_by_the_command_once(self):
        run = self.away(100)
        run.finish(timeout=2)
        self.assertEqual(len(self.spooled_lines()), 101)
        server = self.server(refuse(503))
        code, said = self.drain_by_command("--url", server.url)
        self.assertEqual((code, said.split(",")[0]), (0, "101 events accepted"))
        self.assertEqual([event["emitter_seq"] for event in server.events], list(range(1, 102)))
        self.assertEqual(os.listdir(self.spool), [])
        self.assertEqual(self.drain_by_command("--url", server.url)[0], 0)
        self.assertEqual(len(server.events), 101)

    def test_a_closed_run_says_whether_all_was_acknowledged(self):
        server = self.server()
        sent, spooled, lost = (
            self.start(server.url),
            self.start(f"http://127.0.0.1:{free_port()}"),
            self.start(f"http://127.0.0.1:{free_port()}", spool=False),
        )
        for run in (sent, spooled, lost):
            run.emit("X")
            run.close(WAIT_MAX_S if run is sent else 0.2)
        self.assertEqual([run.flush(WAIT_MAX_S) for run in (sent, spooled, lost)], [True, False, False])

    def test_a_torn_last_line_is_left_out(self):
        run = self.away(10)
        run.close(1)
        (folder,) = os.listdir(self.spool)
        segment = os.path.join(self.spool, folder, "00000001.ndjson")
        with open(segment, "ab") as file:
            file.write(b'{"event_id":"torn')
        server = self.server()
        self.assertEqual(self.drain_by_command("--url", server.url)[0], 0)
        self.assertEqual(len(server.events), 10)

    def test_draining_resends_what_was_cut_off_and_halves_what_is_too_large(self):
        run = self.away(100, cluster="c7")
        run.close(1)
        server = self.server(take_and_reset, otherwise=at_most(30))
        self.assertEqual(self.drain_by_command("--url", server.url)[0], 0)
        self.assertEqual({event["emitter_seq"] for event in server.events}, set(range(1, 101)))
        self.assertEqual(server.requests[0]["X-Cluster-Id"], "c7")

    def test_draining_gives_up_without_deleting_anything(self):
        run = self.away(10)
        run.close(1)
        server = self.server(otherwise=refuse(401))
        self.assertEqual(self.drain_by_command("--url", server.url, timeout=2)[0], 1)
        self.assertEqual(len(self.spooled_lines()), 10)

    def test_the_command_leaves_a_living_process_alone(self):
        self.away(10)
        server = self.server()
        code, said = self.drain_by_command("--url", server.url)
        self.assertIn("1 folders in use", said)
        self.assertEqual((code, server.requests), (1, []))

    def test_the_next_emitter_for_the_same_server_takes_over_what_a_dead_one_left(self):
        port = free_port()
        self.away(100, port=port).close(1)
        server = self.server(port=port)
        other_key = self.start(server.url, "r2", key="another")
        other_key.emit("Y")
        self.assertTrue(other_key.flush(WAIT_MAX_S))
        run = self.start(server.url, "r3")
        run.emit("Y")
        wait_until(lambda: len(server.of_type("X")) == 100)
        self.assertEqual({event["run_id"] for event in server.of_type("X")}, {"r1"})
        run.finish()
        other_key.finish()
        self.assertEqual(os.listdir(self.spool), [])

    def test_without_a_spool_folder_nothing_is_written(self):
        with mock.patch.dict(os.environ, {"RUNLOG_SPOOL_DIR": self.spool}):
            server = self.server()
            run = self.start(server.url)
            run.emit("X")
            run.finish()
        self.assertFalse(os.path.exists(self.spool))

    def test_a_server_that_accepts_nothing_for_long_does_not_stop_the_spool_from_growing_in_order(self):
        server = self.server(otherwise=hang)
        run = self.start(server.url, request_timeout=1)
        for index in range(3_000):
            run.emit("X", index=index)
        wait_until(lambda: len(self.spooled_lines()) == 3_000)
        server.otherwise = take
        server.closing.set()
        self.assertTrue(run.flush(WAIT_MAX_S))
        came = first_of_each(server.of_type("X"))
        self.assertEqual([event["data"]["index"] for event in came], list(range(3_000)))

    def test_a_disk_that_stalls_while_the_process_ends_loses_nothing(self):
        append = runlog._Spool.append

        def slow(spool, lines, size):
            time.sleep(0.6)
            append(spool, lines, size)

        server = self.server(otherwise=hang)
        run = self.start(server.url, away_after=60)
        for index in range(100):
            run.emit("X", index=index)
        with mock.patch.object(runlog._Spool, "append", slow):
            run.finish(timeout=0.5)
        self.assertEqual(len(self.spooled_lines()), 101)


if __name__ == "__main__":
    unittest.main()

"""Real processes: their ends, their children, and a server that must not hold them up."""

import os
import signal
import unittest

from own_time import OwnTime
from support import WAIT_MAX_S, EmitterTest, free_port, hang, missing_of, runlog, trickle, wait_until

HEAD = """
import os, sys, time
import runlog
QUICK = runlog.Options(batch_interval=0.05, backoff_min=0.02, backoff_max=0.1, away_after=0.2, heartbeat_interval=0)
"""


class ProcessesTest(EmitterTest):
    def ended(self, process, timeout=4 * WAIT_MAX_S):
        out, errors = process.communicate(timeout=timeout)
        return process.returncode, out, errors

    def test_what_was_emitted_last_is_flushed_when_the_process_ends_by_itself(self):
        server = self.server()
        source = HEAD + f"run = runlog.start('r1', url={server.url!r})\nfor i in range(1000): run.emit('X', i=i)\n"
        code, _, errors = self.ended(self.script(source))
        self.assertEqual((code, errors), (0, ""))
        self.assertEqual([event["data"]["i"] for event in server.of_type("X")], list(range(1000)))

    def test_an_error_that_ends_the_process_is_not_hidden_and_its_events_arrive(self):
        server = self.server()
        source = (
            HEAD + f"with runlog.start('r1', url={server.url!r}) as run:\n    run.emit('X')\n    raise SystemExit(3)\n"
        )
        code, _, _ = self.ended(self.script(source))
        self.assertEqual(code, 3)
        self.assertEqual(server.events[-1]["event_type"], "RUN_FAILED")

    def exits_in_time(self, url, seconds_max):
        # A function that is registered before runlog is imported is called after runlog has ended.
        source = "import atexit, own_time\n"
        source += "atexit.register(lambda: print(own.seconds() - began, flush=True))\n"
        source += HEAD + f"run = runlog.start('r1', url={url!r})\nfor i in range(1000): run.emit('X', i=i)\n"
        source += "time.sleep(0.3)\nown = own_time.OwnTime()\nbegan = own.seconds()\n"
        process = self.script(source)
        code, took, errors = self.ended(process)
        self.assertEqual(code, 0)
        self.assertLess(float(took), seconds_max)
        self.assertEqual([event["data"]["i"] for event in self.spooled_lines()], list(range(1000)))
        self.assertIn("python -m runlog drain", errors)

    def test_a_server_that_hangs_delays_the_exit_by_five_seconds_at_most_and_nothing_is_lost(self):
        self.exits_in_time(self.server(otherwise=hang).url, 5.5)

    def test_a_server_that_trickles_delays_the_exit_by_five_seconds_at_most_and_nothing_is_lost(self):
        self.exits_in_time(self.server(otherwise=trickle).url, 5.5)

    def test_a_dead_server_delays_the_exit_by_five_seconds_at_most_and_nothing_is_lost(self):
        self.exits_in_time(f"http://127.0.0.1:{free_port()}", 5.5)

    def test_an_address_that_never_answers_does_not_delay_the_exit_and_nothing_is_lost(self):
        # TEST-NET-1: nothing answers there.
        self.exits_in_time("http://192.0.2.1:4000", 5.5)

    def test_finish_returns_in_time_whatever_the_server_does(self):
        for step in (hang, trickle):
            server = self.server(otherwise=step)
            run = self.start(server.url, run=step.__name__)
            run.emit("X")
            own = OwnTime()
            run.finish(timeout=1.0)
            self.assertLess(own.seconds(), 1.5)
        self.assertEqual(
            sorted(event["event_type"] for event in self.spooled_lines()), ["RUN_FINISHED"] * 2 + ["X"] * 2
        )

    def test_a_process_killed_by_sigkill_leaves_its_spool_to_drain(self):
        source = HEAD + f"run = runlog.start('r1', url='http://127.0.0.1:{free_port()}', options=QUICK)\n"
        source += "for i in range(500): run.emit('X', i=i)\ntime.sleep(60)\n"
        process = self.script(source)
        wait_until(lambda: process.poll() is None and len(self.spooled_lines()) == 500)
        process.kill()
        process.communicate()
        server = self.server()
        self.assertEqual(runlog.drain(self.spool, url=server.url).segments_left, 0)
        self.assertEqual([event["emitter_seq"] for event in server.events], list(range(1, 501)))

    def test_sigterm_flushes_if_that_was_asked_for_and_still_ends_by_the_signal(self):
        server = self.server()
        source = HEAD + f"run = runlog.start('r1', url={server.url!r}, flush_on_sigterm=True)\n"
        source += "for i in range(500): run.emit('X', i=i)\nprint('ready', flush=True)\ntime.sleep(60)\n"
        process = self.script(source)
        process.stdout.readline()
        process.terminate()
        code, _, _ = self.ended(process)
        self.assertEqual(code, -signal.SIGTERM)
        self.assertEqual(len(server.of_type("X")), 500)

    @unittest.skipUnless(hasattr(os, "fork"), "needs fork")
    def test_a_forked_child_is_an_emitter_of_its_own_and_neither_repeats_nor_loses_its_parents_events(self):
        server = self.server()
        source = (
            HEAD
            + f"""
run = runlog.start('r1', url={server.url!r}, options=QUICK)
for i in range(2000): run.emit('P', i=i)
children = []
for child in range(3):
    pid = os.fork()
    if pid == 0:
        for i in range(100): run.emit('C', child=child, i=i)
        sys.exit(0)
    children.append(pid)
    run.emit('P', i=2000 + child)
for pid in children: assert os.waitpid(pid, 0)[1] == 0
run.finish()
"""
        )
        code, _, errors = self.ended(self.script(source))
        self.assertEqual((code, errors), (0, ""))
        self.assertEqual([event["data"]["i"] for event in server.of_type("P")], list(range(2003)))
        self.assertEqual(len(server.of_type("C")), 300)
        self.assertEqual(len({event["emitter_id"] for event in server.events}), 4)
        self.assertEqual(len({event["event_id"] for event in server.events}), len(server.events))
        self.assertEqual(missing_of(server.events), 0)

    @unittest.skipUnless(hasattr(os, "fork"), "needs fork")
    def test_a_child_forked_in_the_middle_of_a_request_neither_disturbs_it_nor_hangs(self):
        server = self.server(hang)
        source = (
            HEAD
            + f"""
run = runlog.start('r1', url={server.url!r}, options=QUICK)
run.emit('P')
sys.stdin.readline()
pid = os.fork()
run.emit('P' if pid else 'C')
if pid == 0:
    assert run.flush(60)
    os._exit(0)
assert os.waitpid(pid, 0)[1] == 0
print('forked', flush=True)
run.finish(timeout=60)
"""
        )
        process = self.script(source)
        wait_until(lambda: server.requests)
        process.stdin.write("\n")
        process.stdin.flush()
        self.assertEqual(process.stdout.readline(), "forked\n")
        server.closing.set()
        self.assertEqual(self.ended(process)[0], 0)
        self.assertEqual(len(server.of_type("C")), 1)
        self.assertEqual(len({event["event_id"] for event in server.of_type("P")}), 2)
        self.assertEqual(missing_of(server.events), 0)

    @unittest.skipUnless(hasattr(os, "fork"), "needs fork")
    def test_a_child_that_outlives_its_parent_does_not_keep_the_parents_spool_locked(self):
        source = (
            HEAD
            + f"""
run = runlog.start('r1', url='http://127.0.0.1:{free_port()}', options=QUICK)
for i in range(50): run.emit('X', i=i)
def spooled():
    with run._emitter._state:
        stats = run.stats()
        return stats['segments'] and not stats['queued'] and not stats['in_memory']
while not spooled(): time.sleep(0.01)
if os.fork() == 0:
    print('forked', flush=True)
    sys.stdin.read()
os._exit(0)
"""
        )
        process = self.script(source)
        self.assertEqual(process.stdout.readline(), "forked\n")
        process.wait(WAIT_MAX_S)
        server = self.server()
        self.assertEqual(runlog.drain(self.spool, url=server.url).segments_left, 0)
        self.assertEqual(len(server.events), 50)
        self.ended(process)

    def multiprocessing_children(self, method):
        server = self.server()
        source = (
            HEAD
            + f"""
import multiprocessing
def work(run, rank):
    for i in range(200): run.emit('C', rank=rank, i=i)
if __name__ == '__main__':
    context = multiprocessing.get_context({method!r})
    run = runlog.start('r1', url={server.url!r}, options=QUICK)
    run.emit('P')
    workers = [context.Process(target=work, args=(run, rank)) for rank in range(2)]
    for worker in workers: worker.start()
    for worker in workers: worker.join()
    assert [worker.exitcode for worker in workers] == [0, 0]
    run.finish()
"""
        )
        code, _, errors = self.ended(self.script(source))
        self.assertEqual((code, errors), (0, ""))
        self.assertEqual(len(server.of_type("C")), 400)
        self.assertEqual(len({event["emitter_id"] for event in server.events}), 3)
        self.assertEqual(missing_of(server.events), 0)

    def test_a_run_may_be_passed_to_spawned_processes_and_their_last_events_arrive(self):
        self.multiprocessing_children("spawn")

    @unittest.skipUnless(hasattr(os, "fork"), "needs fork")
    def test_the_last_events_of_children_of_a_fork_server_arrive(self):
        self.multiprocessing_children("forkserver")

    @unittest.skipUnless(hasattr(os, "fork"), "needs fork")
    def test_the_last_events_of_forked_multiprocessing_children_arrive(self):
        self.multiprocessing_children("fork")

    def test_many_threads_may_emit_at_once(self):
        import threading

        server = self.server()
        run = self.start(server.url)
        threads = [
            threading.Thread(target=lambda: [run.emit("X", i=i) for i in range(2_000)], daemon=True) for _ in range(4)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        self.assertTrue(run.flush(WAIT_MAX_S))
        self.assertEqual(len(server.of_type("X")), 8_000)
        self.assertEqual(missing_of(server.events), 0)


if __name__ == "__main__":
    unittest.main()

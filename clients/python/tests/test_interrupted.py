"""Whatever interrupts the end of a run, what was in memory is spooled, and said."""

import os
import signal
import threading
import time
import unittest

from support import WAIT_MAX_S, EmitterTest, free_port, hang, missing_of, take

HEAD = """
import atexit, ctypes, logging, os, signal, sys, threading, time
logging.basicConfig(level=logging.WARNING, format="%(message)s")
import runlog
QUICK = dict(batch_interval=0.05, backoff_min=0.02, backoff_max=0.1, away_after=60, heartbeat_interval=0)
def start(url, **more):
    return runlog.start('r1', url=url, options=runlog.Options(**{**QUICK, 'exit_timeout': 60, **more}))
def tell_of_the_close():
    # The signal may come before, in or after the close that this announces. Each must be right.
    close = runlog._Emitter.close
    def told(emitter, timeout):
        print('closing', flush=True)
        close(emitter, timeout)
    runlog._Emitter.close = told
"""

TWICE = """
tell_of_the_close()
steps = os.open(os.environ['STEPS'], os.O_WRONLY | os.O_CREAT)
with start(URL) as run:
    for step in range(1_000_000):
        os.pwrite(steps, b'%9d' % step, 0)
        run.emit('X', index=step)
        if step == 200: print('ready', flush=True)
        time.sleep(0.001)
"""


class InterruptedTest(EmitterTest):
    def run_script(self, source, url):
        self.steps = os.path.join(self.folder, "steps")
        return self.script(HEAD + f"URL = {url!r}\n" + source, STEPS=self.steps)

    def hung(self):
        return self.server(otherwise=hang).url

    def ended(self, process):
        out, errors = process.communicate(timeout=4 * WAIT_MAX_S)
        return process.returncode, out, errors

    def all_are_spooled(self, count, errors, last):
        lines = self.spooled_lines()
        self.assertEqual([line["data"]["index"] for line in lines if line["event_type"] == "X"], list(range(count)))
        self.assertEqual(lines[-1]["event_type"], last)
        self.assertEqual(missing_of(lines), 0)
        self.assertIn("python -m runlog drain", errors)
        self.assertNotIn("internal fault", errors)

    def interrupted_twice(self, url, signals):
        process = self.run_script(TWICE, url)
        self.assertEqual(process.stdout.readline(), "ready\n")
        process.send_signal(signal.SIGINT)
        self.assertEqual(process.stdout.readline(), "closing\n")
        for _ in range(signals):
            time.sleep(0.01)
            process.send_signal(signal.SIGINT)
        code, _, errors = self.ended(process)
        self.assertNotEqual(code, 0)
        self.assertIn("KeyboardInterrupt", errors)
        with open(self.steps, encoding="ascii") as file:
            last = int(file.read())
        # The first signal may have interrupted the emit of the last step.
        emitted = len([line for line in self.spooled_lines() if line["event_type"] == "X"])
        self.assertIn(emitted, (last, last + 1))
        self.all_are_spooled(emitted, errors, "RUN_FAILED")

    def test_a_second_ctrl_c_while_the_server_hangs_loses_nothing(self):
        self.interrupted_twice(self.hung(), 1)

    def test_a_second_ctrl_c_while_the_server_is_dead_loses_nothing(self):
        self.interrupted_twice(f"http://127.0.0.1:{free_port()}", 1)

    def test_ten_more_in_steps_of_ten_milliseconds_lose_nothing(self):
        self.interrupted_twice(self.hung(), 10)

    def test_an_interrupted_end_goes_on_sending_for_a_moment_so_that_a_server_that_is_well_has_everything(self):
        server = self.server()
        process = self.run_script(TWICE, server.url)
        self.assertEqual(process.stdout.readline(), "ready\n")
        for _ in range(5):
            process.send_signal(signal.SIGINT)
            time.sleep(0.01)
        self.ended(process)
        sent = [*server.events, *self.spooled_lines()]
        self.assertEqual(sent[-1]["event_type"], "RUN_FAILED")
        self.assertEqual(missing_of(sent), 0)

    def when_closing(self, source, *signals):
        """Runs a script, and sends it signals when it says that it closes."""
        process = self.run_script("tell_of_the_close()\n" + source, self.hung())
        self.assertEqual(process.stdout.readline(), "closing\n")
        for number in signals:
            process.send_signal(number)
        return self.ended(process)

    def test_ctrl_c_at_the_end_of_the_process_loses_nothing(self):
        source = "run = start(URL)\nfor index in range(500): run.emit('X', index=index)\n"
        code, _, errors = self.when_closing(source, signal.SIGINT)
        self.assertEqual(code, 0)
        self.assertNotIn("Traceback", errors)
        self.all_are_spooled(500, errors, "X")

    def test_a_handler_of_sigterm_that_finishes_again_and_leaves_loses_nothing(self):
        for leave in ("sys.exit(3)", "os._exit(3)", "raise RuntimeError", "signal.raise_signal(signal.SIGKILL)"):
            with self.subTest(leave):
                self.spool = os.path.join(self.folder, f"spool-{len(os.listdir(self.folder))}")
                source = f"""
run = start(URL, exit_timeout=0.8)
def handler(*_):
    run.finish()
    {leave}
signal.signal(signal.SIGTERM, handler)
for index in range(500): run.emit('X', index=index)
run.finish()
"""
                code, _, errors = self.when_closing(source, signal.SIGTERM)
                self.assertNotEqual(code, 0)
                self.all_are_spooled(500, errors, "RUN_FINISHED")

    def test_an_alarm_that_raises_as_that_of_a_test_runner_comes_through_and_nothing_is_lost(self):
        for end in ("run.finish()", "run.fail('x')", "run.close()", "run.flush(60)"):
            with self.subTest(end):
                self.spool = os.path.join(self.folder, f"spool-{len(os.listdir(self.folder))}")
                source = f"""
class Failed(BaseException): pass
def handler(*_): raise Failed('timeout')
signal.signal(signal.SIGALRM, handler)
run = start(URL)
for index in range(500): run.emit('X', index=index)
signal.setitimer(signal.ITIMER_REAL, 0.05)
try:
    {end}
except Failed as failed:
    print(failed, signal.getsignal(signal.SIGALRM) is handler, flush=True)
    run.close(0.5)
"""
                code, out, errors = self.ended(self.run_script(source, self.hung()))
                self.assertEqual((code, out), (0, "timeout True\n"))
                last = {"run.finish()": "RUN_FINISHED", "run.fail('x')": "RUN_FAILED"}.get(end, "X")
                self.all_are_spooled(500, errors, last)

    def test_exceptions_that_another_thread_throws_into_the_end_lose_nothing(self):
        source = """
run = start(URL)
for index in range(500): run.emit('X', index=index)
main = threading.main_thread().ident
def throw():
    for _ in range(5):
        ctypes.pythonapi.PyThreadState_SetAsyncExc(ctypes.c_ulong(main), ctypes.py_object(TimeoutError))
        time.sleep(0.02)
emit = run.emit
def told(*args, **fields):
    emit(*args, **fields)
    threading.Thread(target=throw, daemon=True).start()
run.emit = told
run.finish()
"""
        code, _, errors = self.ended(self.run_script(source, self.hung()))
        self.assertNotEqual(code, 0)
        self.assertIn("TimeoutError", errors)
        self.all_are_spooled(500, errors, "RUN_FINISHED")

    def test_the_emitter_goes_on_when_somebody_throws_an_exception_into_its_thread(self):
        import ctypes

        server = self.server()
        before = set(threading.enumerate())
        run = self.start(server.url)
        (thread,) = [each for each in set(threading.enumerate()) - before if each.name == "runlog"]
        ctypes.pythonapi.PyThreadState_SetAsyncExc(ctypes.c_ulong(thread.ident), ctypes.py_object(SystemExit))
        thread.join(WAIT_MAX_S)
        self.assertFalse(thread.is_alive())
        run.emit("X")
        self.assertTrue(run.flush(WAIT_MAX_S))
        self.assertEqual(len(server.of_type("X")), 1)

    def test_a_process_whose_thread_cannot_start_is_not_interrupted_while_it_spools(self):
        source = """
def refuse(self): raise RuntimeError("can't start new thread")
threading.Thread.start = refuse
run = start(URL)
for index in range(500): run.emit('X', index=index)
run.finish()
"""
        code, _, errors = self.when_closing(source, signal.SIGINT, signal.SIGINT)
        self.assertNotEqual(code, 0)
        self.assertIn("cannot start a thread", errors)
        self.all_are_spooled(500, errors, "RUN_FINISHED")

    def test_signals_whose_handlers_do_not_raise_change_nothing(self):
        def slow(exchange):
            exchange.server.closing.wait(1.0)
            take(exchange)

        server = self.server(slow)
        source = """
ticks = []
signal.signal(signal.SIGALRM, lambda *_: ticks.append(1))
signal.setitimer(signal.ITIMER_REAL, 0.01, 0.01)
run = start(URL)
for index in range(500): run.emit('X', index=index)
run.finish()
signal.setitimer(signal.ITIMER_REAL, 0)
print(len(ticks) > 10)
"""
        code, out, errors = self.ended(self.run_script(source, server.url))
        self.assertEqual((code, out, errors), (0, "True\n", ""))
        self.assertEqual(len(server.of_type("X")), 500)
        self.assertEqual(self.spooled_lines(), [])

    def test_an_interruption_before_anything_is_held_back_loses_nothing_and_leaves_signals_as_they_were(self):
        source = """
run = start(URL, exit_timeout=1)
for index in range(500): run.emit('X', index=index)
plain = signal.signal
def interrupted(number, handler):
    before = plain(number, handler)
    if handler is not signal.default_int_handler:
        signal.signal = plain
        raise KeyboardInterrupt
    return before
signal.signal = interrupted
for end in (run.finish, lambda: signal.raise_signal(signal.SIGINT)):
    try:
        end()
    except KeyboardInterrupt:
        print('interrupted', signal.getsignal(signal.SIGINT) is signal.default_int_handler, flush=True)
"""
        code, out, errors = self.ended(self.run_script(source, self.hung()))
        self.assertEqual((code, out), (0, "interrupted True\n" * 2))
        self.all_are_spooled(500, errors, "X")

    def test_whoever_insists_gets_through_when_the_disk_hangs(self):
        source = """
runlog._HELD_MAX_S = 0.2
run = start(URL, exit_timeout=60)
run.emit('X', index=0)
def hang(self): time.sleep(60)
runlog._Backlog.put_away = hang
def press():
    while True:
        time.sleep(0.05)
        os.kill(os.getpid(), signal.SIGINT)
try:
    threading.Thread(target=press, daemon=True).start()
    run.finish()
except KeyboardInterrupt:
    os._exit(7)
"""
        self.assertEqual(self.ended(self.run_script(source, self.hung()))[0], 7)

    def test_what_is_emitted_when_the_exit_has_closed_the_emitter_is_spooled(self):
        source = """
class Trainer:
    def __del__(self):
        run.emit('X', index=2)
        run.finish()
trainer = Trainer()
run = start(URL, exit_timeout=0.2)
run.emit('X', index=0)
"""
        # What is registered before runlog is imported is called when runlog has closed.
        early = "import atexit\natexit.register(lambda: run.emit('X', index=1))\n"
        process = self.script(early + HEAD + f"URL = {self.hung()!r}\n" + source)
        code, _, errors = self.ended(process)
        self.assertEqual((code, errors.count("python -m runlog drain")), (0, 1))
        self.all_are_spooled(3, errors, "RUN_FINISHED")

    def test_what_is_emitted_when_a_thread_has_stopped_for_ever_with_the_lock_is_spooled(self):
        # The interpreter stops its other threads where they are, also one that had just got the lock.
        source = """
class Trainer:
    def __del__(self):
        run.emit('X', index=1)
        run.finish()
trainer = Trainer()
run = start(URL, exit_timeout=0.2)
run.emit('X', index=0)
go, held = threading.Event(), threading.Event()
# It has names of its own, because a stopped thread keeps the names that it uses, and the destructor is not called.
own = dict(go=go, held=held, lock=run._emitter._state, sleep=time.sleep)
exec('def hold():\\n go.wait(); lock.acquire(); held.set(); sleep(600)', own)
threading.Thread(target=own['hold'], daemon=True).start()
def stop():
    go.set()
    held.wait()
"""
        early = "import atexit\natexit.register(lambda: stop())\n"
        process = self.script(early + HEAD + f"URL = {self.hung()!r}\n" + source)
        code, _, errors = self.ended(process)
        self.assertEqual(code, 0, errors)
        self.all_are_spooled(2, errors, "RUN_FINISHED")

    @unittest.skipUnless(hasattr(os, "fork"), "needs fork")
    def test_a_child_that_is_forked_while_its_parent_closes_can_be_interrupted(self):
        source = """
run = start(URL, exit_timeout=0.5)
run.emit('X', index=0)
def fork():
    if os.fork() == 0:
        try:
            os.kill(os.getpid(), signal.SIGINT)
            time.sleep(60)
        except KeyboardInterrupt:
            os.write(1, b'interrupted\\n')
        os._exit(0)
    os.wait()
put_away = run._emitter._put_away
def forked():
    fork()
    put_away()
run._emitter._put_away = forked
run._emitter.running = True
threading.Thread.start = lambda self: None
run.finish()
"""
        code, out, _ = self.ended(self.run_script(source, self.hung()))
        self.assertEqual((code, out), (0, "interrupted\n"))


class ExitCodeTest(EmitterTest):
    def test_leaving_with_a_code_that_is_a_success_to_the_shell_finishes_the_run(self):
        for code in (None, 0, False):
            server = self.server()
            with self.subTest(code), self.assertRaises(SystemExit):
                with self.start(server.url):
                    raise SystemExit(code)
            self.assertEqual([event["event_type"] for event in server.events], ["RUN_FINISHED"])

    def test_leaving_with_any_other_code_fails_it_with_the_reason(self):
        for code, said in ((3, "SystemExit: 3"), ("no data", "SystemExit: no data"), ("", "SystemExit")):
            server = self.server()
            with self.subTest(code), self.assertRaises(SystemExit):
                with self.start(server.url):
                    raise SystemExit(code)
            self.assertEqual(
                [(event["event_type"], event["message"]) for event in server.events], [("RUN_FAILED", said)]
            )

    def test_an_error_that_cannot_be_written_fails_the_run_all_the_same(self):
        class Odd(Exception):
            def __str__(self):
                raise RuntimeError("no")

        server = self.server()
        with self.assertRaises(Odd), self.start(server.url):
            raise Odd
        self.assertEqual([event["message"] for event in server.of_type("RUN_FAILED")], ["Odd"])


if __name__ == "__main__":
    unittest.main()

"""A spool that fails in every way: nothing of it counts as sent, and what is lost is counted and said."""

import contextlib
import errno
import io
import json
import os
import shutil
import subprocess
import sys
import unittest
from unittest import mock

from support import (
    FOLDER,
    WAIT_MAX_S,
    EmitterTest,
    accepted,
    free_port,
    refuse,
    runlog,
    take,
    wait_until,
)

no_flock = "import errno, fcntl, os\ndef flock(*_): raise OSError({0}, os.strerror({0}))\nfcntl.flock = flock\n"


class SpoolFaultsTest(EmitterTest):
    def away(self, count=200, port=None, **overrides):
        run = self.start(f"http://127.0.0.1:{port or free_port()}", **overrides)
        before = len(self.spooled_lines())
        for index in range(count):
            run.emit("X", index=index, pad="x" * 10_000)
        wait_until(lambda: len(self.spooled_lines()) == before + count, "the spool to have all events")
        return run

    def away_with_three_segments(self, port, **overrides):
        """The run, its second segment, and how many events that has. The first one is in memory already."""
        run = self.away(300, port, **overrides)
        wait_until(lambda: run._emitter.backlog._loaded)
        segment = self.segments()[1]
        with open(segment, "rb") as file:
            return run, segment, len(file.readlines())

    def test_a_folder_that_another_drain_has_sent_meanwhile_is_none_that_cannot_be_read(self):
        self.away(3).close()
        lock_folder = runlog._lock_folder

        def lock_too_late(path, **how):
            shutil.rmtree(path)
            return lock_folder(path, **how)

        with mock.patch.object(runlog, "_lock_folder", lock_too_late):
            done = runlog.drain(self.spool)
        self.assertEqual((done.unreadable, done.segments_left), (0, 0))

    def test_a_folder_that_another_drain_removes_just_before_it_is_locked_does_not_stop_the_others(self):
        self.away(3).close()
        self.away(3).close()
        lock_folder = runlog._lock_folder
        gone = []

        def lock_what_is_gone(path, **how):
            lock = lock_folder(path, **how)
            if not gone:
                gone.append(path)
                shutil.rmtree(path)
            return lock

        with mock.patch.object(runlog, "_lock_folder", lock_what_is_gone):
            done = runlog.drain(self.spool, url=self.server().url)
        self.assertEqual((done.accepted > 0, done.unreadable, done.segments_left), (True, 0, 0))

    def test_a_full_disk_takes_how_the_run_ended_before_it_takes_metrics(self):
        source = f"""
import resource, signal, runlog
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (300_000, 300_000))
run = runlog.start("r1", url="http://127.0.0.1:{free_port()}", spool={self.spool!r})
for index in range(2_000): run.emit("STEP", index=index, pad="x" * 500)
run.alert("the end is near")
run.finish()
print(run.stats()["lost"])
"""
        child = subprocess.run(
            [sys.executable, "-c", source],
            capture_output=True,
            text=True,
            timeout=WAIT_MAX_S,
            env={**os.environ, "PYTHONPATH": FOLDER},
        )
        self.assertEqual(child.returncode, 0, child.stderr)
        types = [event["event_type"] for event in self.spooled_lines()]
        self.assertEqual((types.count("ALERT_RAISED"), types.count("RUN_FINISHED")), (1, 1))
        # The last number is there, so the server sees that others are missing.
        self.assertIn("STEP", types)
        self.assertLess(types.count("STEP"), 2_000)

    def segments(self):
        return sorted(
            os.path.join(folder, name)
            for folder, _, names in os.walk(self.spool)
            for name in names
            if name.endswith(".ndjson")
        )

    def drain(self, url, *arguments, timeout=WAIT_MAX_S, folder=None):
        """Runs the command and returns its code, what it said on standard output, and on standard error."""
        child = subprocess.run(
            [sys.executable, os.path.join(FOLDER, "runlog.py"), "drain", folder or self.spool]
            + ["--timeout", str(timeout), *(["--url", url] if url else []), *arguments],
            capture_output=True,
            text=True,
            timeout=4 * WAIT_MAX_S,
        )
        return child.returncode, child.stdout, child.stderr

    def lost(self, run, server, count):
        """Whether a flush is false and `count` events are counted as unreadable and reported."""
        self.assertFalse(run.flush(WAIT_MAX_S))
        self.assertEqual(run.stats()["lost"]["unreadable"], count)
        run.finish()
        reported = server.of_type("EMITTER_EVENTS_LOST")[-1]["data"]
        self.assertEqual((reported["lost_total"], reported["reasons"]), (count, {"unreadable": count}))

    # --- where it is ---

    def test_a_relative_folder_is_the_one_that_was_meant_at_the_start(self):
        source = """
import os, runlog
run = runlog.start('r1', url='http://127.0.0.1:9', options=runlog.Options(away_after=0.05, exit_timeout=0.5))
for i in range(500): run.emit('X', index=i)
while not run.stats()['segments']: pass
os.makedirs('outputs'); os.chdir('outputs')
for i in range(500, 1000): run.emit('X', index=i)
run.finish()
"""
        process = self.script(f"import os; os.chdir({self.folder!r})\n" + source, RUNLOG_SPOOL_DIR="spool")
        _, errors = process.communicate(timeout=4 * WAIT_MAX_S)
        lines = self.spooled_lines()
        self.assertEqual([line["data"].get("index") for line in lines], [*range(1000), None])
        self.assertIn(f"python -m runlog drain {self.spool}", errors)

    def test_a_relative_folder_is_sent_from_wherever_the_process_has_gone(self):
        port = free_port()
        source = f"""
import os, runlog
options = runlog.Options(away_after=0.05, backoff_min=0.01, backoff_max=0.1)
run = runlog.start('r1', url='http://127.0.0.1:{port}', options=options)
for i in range(300): run.emit('X', index=i, pad='x' * 10_000)
while run.stats()['segments'] < 3: pass
os.makedirs('outputs'); os.chdir('outputs')
print('moved', flush=True)
input()
run.emit('X', index=300)
print(run.flush({WAIT_MAX_S}), sum(run.stats()['lost'].values()))
"""
        process = self.script(f"import os; os.chdir({self.folder!r})\n" + source, RUNLOG_SPOOL_DIR="spool")
        self.assertEqual(process.stdout.readline(), "moved\n")
        server = self.server(port=port)
        out, _ = process.communicate("\n", timeout=4 * WAIT_MAX_S)
        self.assertEqual(out, "True 0\n")
        self.assertEqual([event["data"]["index"] for event in server.of_type("X")], list(range(301)))

    def test_a_tilde_is_the_home_of_the_user(self):
        with mock.patch.dict(os.environ, {"HOME": self.folder, "RUNLOG_SPOOL_DIR": "~/spool"}):
            runs = [runlog.start("r1", options=self.quick(), spool=spool) for spool in (None, True, "~/spool")]
            self.assertEqual({run._emitter.spool_root for run in runs}, {self.spool})
            for run in runs:
                run.close(0.1)

    def quick(self):
        return runlog.Options(exit_timeout=0.1)

    def test_without_a_home_it_is_in_the_folder_of_temporary_files(self):
        environment = {name: value for name, value in os.environ.items() if name not in ("HOME", "XDG_CACHE_HOME")}
        environment = {**environment, "TMPDIR": self.folder}
        environment.pop("RUNLOG_SPOOL_DIR", None)
        source = f"""
import os, pwd, sys
sys.path.insert(0, {FOLDER!r})
def nobody(_): raise KeyError('no such user')
pwd.getpwuid = nobody
import runlog
run = runlog.start('r1', url='http://127.0.0.1:9', options=runlog.Options(away_after=0.05, exit_timeout=0.5))
run.emit('X')
run.finish()
"""
        child = subprocess.run(
            [sys.executable, "-c", source], env=environment, cwd=self.folder, capture_output=True, text=True
        )
        self.spool = os.path.join(self.folder, f"runlog-{os.getuid()}")
        self.assertEqual([line["event_type"] for line in self.spooled_lines()], ["X", "RUN_FINISHED"])
        self.assertIn(self.spool, child.stderr)
        self.assertEqual(os.stat(self.spool).st_mode & 0o777, 0o700)

    def test_a_relative_folder_in_a_folder_that_is_gone_is_refused_at_the_start(self):
        source = f"""
import os, runlog
os.makedirs({self.folder + "/gone"!r}); os.chdir({self.folder + "/gone"!r}); os.rmdir({self.folder + "/gone"!r})
try:
    runlog.start('r1', spool='spool')
except ValueError as error:
    print(error)
"""
        out, _ = self.script(source).communicate(timeout=4 * WAIT_MAX_S)
        self.assertIn("the spool 'spool' is relative to a folder that is gone", out)

    # --- what was written and cannot be read ---

    def test_a_segment_that_vanished_is_counted_and_the_others_are_sent(self):
        port = free_port()
        run, segment, count = self.away_with_three_segments(port)
        os.unlink(segment)
        server = self.server(port=port)
        self.lost(run, server, count)
        self.assertEqual(len(server.of_type("X")), 300 - count)

    def test_a_segment_that_was_cut_is_sent_as_far_as_it_is_whole_and_the_rest_is_counted(self):
        port = free_port()
        run, segment, _ = self.away_with_three_segments(port)
        os.truncate(segment, os.stat(segment).st_size - 15_000)
        server = self.server(port=port)
        self.lost(run, server, 2)
        self.assertEqual(len(server.of_type("X")), 298)

    def test_a_segment_that_a_folder_has_replaced_is_counted_and_left(self):
        port = free_port()
        run, segment, count = self.away_with_three_segments(port)
        os.unlink(segment)
        os.mkdir(segment)
        server = self.server(port=port)
        self.lost(run, server, count)
        code, said, errors = self.drain(server.url)
        self.assertEqual(code, 1)
        self.assertIn("1 unreadable", said)
        self.assertIn("cannot read " + segment, errors)

    def test_a_segment_that_the_disk_cannot_read_is_counted_and_left_for_drain(self):
        port = free_port()
        run, segment, count = self.away_with_three_segments(port)
        read = runlog._read_segment

        def broken(path):
            if path == segment:
                raise OSError(errno.EIO, "Input/output error", path)
            return read(path)

        with mock.patch("runlog._read_segment", broken):
            server = self.server(port=port)
            self.lost(run, server, count)
        self.assertEqual(self.segments(), [segment])
        self.assertEqual(self.drain(server.url)[0], 0)
        self.assertEqual(len(server.of_type("X")), 300)

    def test_a_spool_that_is_deleted_is_counted_and_begun_anew_for_what_follows(self):
        port = free_port()
        run, _, _ = self.away_with_three_segments(port)
        in_memory = len(run._emitter.backlog._loaded)
        shutil.rmtree(self.spool)
        for index in range(300, 320):
            run.emit("X", index=index)
        wait_until(lambda: len(self.spooled_lines()) == 20)
        (folder,) = os.listdir(self.spool)
        self.assertEqual(sorted(os.listdir(os.path.join(self.spool, folder)))[-2:], ["emitter.json", "lock"])
        server = self.server(port=port)
        self.lost(run, server, 300 - in_memory)
        indexes = [event["data"]["index"] for event in server.of_type("X")]
        self.assertEqual(indexes, [*range(in_memory), *range(300, 320)])

    def test_a_spool_that_is_deleted_before_the_end_is_counted_and_what_is_still_in_memory_is_spooled_again(self):
        source = """
import logging, os, shutil, sys, runlog
logging.basicConfig(format="%(message)s")
run = runlog.start('r1', url='http://127.0.0.1:9', options=runlog.Options(away_after=0.05, exit_timeout=0.5))
for i in range(300): run.emit('X', index=i, pad='x' * 10_000)
def spooled():
    with run._emitter._state:
        stats = run.stats()
        return run._emitter.backlog._loaded and not stats['queued'] and not stats['in_memory']
while not spooled(): pass
shutil.rmtree(os.environ['RUNLOG_SPOOL_DIR'])
run.close()
print(run.stats()['lost']['unreadable'])
"""
        out, errors = self.script(source).communicate(timeout=4 * WAIT_MAX_S)
        lines = self.spooled_lines()
        self.assertEqual([line["data"]["index"] for line in lines], list(range(len(lines))))
        self.assertGreater(len(lines), 50)
        self.assertEqual(int(out), 300 - len(lines))
        self.assertIn("cannot be read again (it is gone)", errors)
        self.assertIn("send them later", errors)

    def test_a_folder_that_a_file_has_replaced_leaves_events_in_memory(self):
        port = free_port()
        run, _, _ = self.away_with_three_segments(port)
        in_memory = len(run._emitter.backlog._loaded)
        shutil.rmtree(self.spool)
        with open(self.spool, "w", encoding="utf-8"):
            pass
        for index in range(300, 320):
            run.emit("X", index=index)
        wait_until(lambda: run._emitter.notices.given("spool"))
        server = self.server(port=port)
        self.lost(run, server, 300 - in_memory)
        indexes = [event["data"]["index"] for event in server.of_type("X")]
        self.assertEqual(indexes, [*range(in_memory), *range(300, 320)])

    def test_what_can_neither_be_sent_nor_spooled_is_counted_and_said(self):
        source = """
import errno, io, logging, os, runlog
logging.basicConfig(format="%(message)s")
class Full(io.FileIO):
    def write(self, data): raise OSError({0}, os.strerror({0}))
io.FileIO = Full
run = runlog.start('r1', url='http://127.0.0.1:9', options=runlog.Options(exit_timeout=0.3))
for i in range(50): run.emit('X', index=i)
run.finish()
print(run.stats()['lost']['not_spooled'])
"""
        for number in (errno.ENOSPC, errno.EIO, errno.EDQUOT):
            out, errors = self.script(source.format(number)).communicate(timeout=4 * WAIT_MAX_S)
            self.assertEqual(out, "51\n")
            self.assertIn(os.strerror(number), errors)
            self.assertIn("51 events could neither be sent nor spooled and are lost", errors)

    def test_a_folder_that_cannot_be_made_is_said_with_what_to_do(self):
        for number in (errno.EROFS, errno.EACCES):
            source = f"""
import logging, os, runlog
logging.basicConfig(format="%(message)s")
def refuse(path, *_, **__): raise OSError({number}, os.strerror({number}), path)
os.makedirs = refuse
run = runlog.start('r1', url='http://127.0.0.1:9', options=runlog.Options(away_after=0.05, exit_timeout=0.3))
run.emit('X')
run.finish()
print(run.stats()['lost']['not_spooled'])
"""
            out, errors = self.script(source).communicate(timeout=4 * WAIT_MAX_S)
            self.assertEqual(out, "2\n")
            self.assertIn(os.strerror(number), errors)
            self.assertIn("RUNLOG_SPOOL_DIR names another folder", errors)

    # --- locks ---

    def test_without_locks_the_spool_of_an_ended_process_is_sent_and_it_is_said_once(self):
        for number in (errno.ENOLCK, errno.ENOSYS, errno.EOPNOTSUPP):
            head = no_flock.format(number)
            with self.subTest(number):
                emit = head + (
                    "import runlog\nfor run in [runlog.start(f'r{i}', url='http://127.0.0.1:9', options="
                    "runlog.Options(away_after=0.05, exit_timeout=0.3)) for i in range(2)]:\n"
                    "    for i in range(10): run.emit('X', index=i)\n"
                )
                _, errors = self.script(emit).communicate(timeout=4 * WAIT_MAX_S)
                self.assertEqual(errors.count("nothing can be locked"), 1)
                self.assertEqual(len(self.spooled_lines()), 20)
                server = self.server()
                drain = head + f"import runlog, sys\nsys.exit(runlog._main(['drain', '--url', {server.url!r}]))"
                process = self.script(drain)
                out, errors = process.communicate(timeout=4 * WAIT_MAX_S)
                self.assertEqual((process.returncode, out.split(",")[0]), (0, "20 events accepted"))
                self.assertEqual(errors.count("nothing can be locked"), 1)
                self.assertEqual(os.listdir(self.spool), [])

    def test_without_locks_a_process_that_runs_on_this_machine_keeps_its_folder(self):
        with mock.patch("runlog.fcntl.flock", side_effect=OSError(errno.ENOLCK, "No locks available")):
            run = self.away(20)
            server = self.server()
            self.assertEqual(runlog.drain(self.spool, url=server.url).folders_in_use, 1)
            other = self.start(run._emitter.url, "r2")
            self.assertFalse(other._emitter.backlog._spool.adopt())
            run.close(0.5)
            self.assertEqual(runlog.drain(self.spool, url=server.url), (20, 0, 0, 0, 0))

    def test_a_process_that_nobody_can_look_up_keeps_its_folder_until_somebody_asks_for_it(self):
        here = runlog._process(os.getpid())
        for meta, lives in (
            (here, True),
            ({**here, "began": "1"}, False),
            ({**here, "boot": "another"}, False),
            ({**here, "ended": True}, False),
            ({**here, "host": "another"}, None),
            ({**here, "pids": "pid:[1]"}, None),
            ({"pid": here["pid"]}, None),
        ):
            self.assertIs(runlog._lives(meta), lives, meta)

    @unittest.skipUnless(sys.platform == "linux", "needs /proc")
    def test_a_process_that_has_ended_and_that_its_parent_has_not_noticed_runs_no_more(self):
        child = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
        self.addCleanup(child.communicate)
        meta = runlog._process(child.pid)
        self.assertIs(runlog._lives(meta), True)
        child.kill()
        wait_until(lambda: runlog._lives(meta) is False)
        self.assertEqual(os.waitid(os.P_PID, child.pid, os.WEXITED | os.WNOWAIT).si_pid, child.pid)

    def test_a_folder_of_somebody_else_does_not_stop_the_others_from_being_taken_over(self):
        port = free_port()
        self.away(20, port).close(0.5)
        (folder,) = os.listdir(self.spool)
        odd = os.path.join(self.spool, "0" * 16)
        shutil.copytree(os.path.join(self.spool, folder), odd)
        os.unlink(os.path.join(odd, "lock"))
        os.mkdir(os.path.join(odd, "lock"))
        server = self.server(port=port)
        run = self.start(server.url, "r2")
        run.emit("Y")
        wait_until(lambda: len(server.of_type("X")) == 20)

    # --- drain ---

    def test_a_folder_that_is_refused_or_unreadable_is_left_and_said_and_the_others_are_sent(self):
        for name in ("a", "b", "c", "d"):
            self.away(5, cluster=name).close(0.2)
        folders = {}
        for folder in os.listdir(self.spool):
            with open(os.path.join(self.spool, folder, "emitter.json"), encoding="utf-8") as file:
                folders[json.load(file)["cluster"]] = os.path.join(self.spool, folder)
        with open(os.path.join(folders["d"], "emitter.json"), "w", encoding="utf-8") as file:
            json.dump({"cluster": 5}, file)
        os.unlink(os.path.join(folders["c"], "00000001.ndjson"))
        os.mkdir(os.path.join(folders["c"], "00000001.ndjson"))

        def judge(exchange):
            (refuse(403) if exchange.headers["X-Cluster-Id"] == "a" else take)(exchange)

        server = self.server(otherwise=judge)
        code, said, errors = self.drain(server.url)
        self.assertEqual(code, 1)
        self.assertTrue(said.startswith("10 events accepted, 0 rejected, 1 segments left, 1 unreadable"), said)
        self.assertIn(f"{folders['a']} is left: HTTP 403", errors)
        self.assertEqual(len(server.of_type("X")), 10)

    def test_servers_are_given_up_one_by_one(self):
        server = self.server()
        self.away(5).close(0.2)
        self.away(5).close(0.2)
        (first, second) = sorted(os.listdir(self.spool))
        with open(os.path.join(self.spool, second, "emitter.json"), encoding="utf-8") as file:
            meta = json.load(file)
        with open(os.path.join(self.spool, second, "emitter.json"), "w", encoding="utf-8") as file:
            json.dump({**meta, "url": server.url}, file)
        code, said, _ = self.drain(None, timeout=0.2)
        self.assertEqual(code, 1)
        self.assertTrue(said.startswith("5 events accepted, 0 rejected, 1 segments left"), said)

    def test_what_is_rejected_is_not_a_success(self):
        self.away(5).close(0.2)
        server = self.server(lambda exchange: exchange.answer(422, accepted(4, rejected=1)))
        code, said, errors = self.drain(server.url)
        self.assertEqual((code, said.split(",")[:2]), (1, ["4 events accepted", " 1 rejected"]))
        self.assertIn("1 events were rejected", errors)

    def test_a_folder_that_is_none_is_said(self):
        code, _, errors = self.drain(None, folder=os.path.join(self.folder, "none"))
        self.assertEqual(code, 2)
        self.assertIn("is not a folder", errors)

    def test_ctrl_c_ends_it_without_a_trace_and_deletes_nothing(self):
        self.away(5).close(0.2)
        out = io.StringIO()
        with mock.patch("runlog._Wire.send", side_effect=KeyboardInterrupt), contextlib.redirect_stderr(out):
            self.assertEqual(runlog._main(["drain", self.spool]), 130)
        self.assertIn("interrupted", out.getvalue())
        self.assertEqual(len(self.spooled_lines()), 5)


if __name__ == "__main__":
    unittest.main()

"""What the launcher says: the rank, the name of the run, the attempt, and which rank speaks for the run."""

import os
import pickle
import subprocess
import sys
import unittest
from unittest import mock

from support import TESTS, WAIT_MAX_S, EmitterTest, options, runlog, wait_until

TORCHRUN = {
    **{"RANK": "3", "WORLD_SIZE": "8", "LOCAL_RANK": "1", "LOCAL_WORLD_SIZE": "2", "GROUP_RANK": "1"},
    **{"TORCHELASTIC_RUN_ID": "none", "TORCHELASTIC_RESTART_COUNT": "0"},
}
SLURM = {"SLURM_JOB_ID": "4711", "SLURM_JOB_NAME": "train", "SLURM_PROCID": "0", "SLURM_NTASKS": "1"}
ARRAY = {**SLURM, "SLURM_JOB_ID": "4720", "SLURM_ARRAY_JOB_ID": "4711", "SLURM_ARRAY_TASK_ID": "7"}
LAUNCHERS = (
    "RANK",
    "WORLD_SIZE",
    "LOCAL_",
    "GROUP_RANK",
    "TORCHELASTIC_",
    "SLURM_",
    "OMPI_",
    "JOB_COMPLETION_",
    "RUNLOG_",
)


def environment(**said):
    """This process's environment, in which nothing but `said` speaks of a job."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(LAUNCHERS)}
    return {**kept, **said}


class JobTest(EmitterTest):
    def job(self, url, given=None, run="r1", **said):
        with mock.patch.dict(os.environ, environment(**said), clear=True):
            started = runlog.start(run, url=url, spool=self.spool, options=options(), **(given or {}))
        self.addCleanup(started.close, 0.5)
        return started

    def name(self, **said):
        return self.job("http://127.0.0.1:1", run=None, **said).run_id

    def events(self, say, given=None, **said):
        server = self.server()
        run = self.job(server.url, given, **said)
        say(run)
        self.assertTrue(run.flush(WAIT_MAX_S))
        return server.events

    # --- facts ---

    def test_training_started_has_the_facts_of_the_job(self):
        said = {**TORCHRUN, "RANK": "0", "SLURM_JOB_ID": "4711", "SLURM_NODELIST": "n[1-4]"}
        (event,) = self.events(lambda run: run.emit("TRAINING_STARTED", lr=0.1), **said)
        data = event["data"]
        self.assertEqual((data["rank"], data["world_size"], data["local_rank"], data["attempt"]), (0, 8, 1, 1))
        self.assertEqual((data["slurm_job_id"], data["slurm_nodelist"], data["lr"]), ("4711", "n[1-4]", 0.1))
        self.assertTrue(data["hostname"])

    def test_what_the_caller_says_stands(self):
        (event,) = self.events(
            lambda run: run.training_started(task="t", world_size=99, hostname="mine"), **{**TORCHRUN, "RANK": "0"}
        )
        self.assertEqual((event["data"]["world_size"], event["data"]["hostname"]), (99, "mine"))

    def test_a_process_that_is_alone_has_no_rank(self):
        for said in ({}, {"RANK": "0", "WORLD_SIZE": "1"}, SLURM, {"RANK": "x"}, {"JOB_COMPLETION_INDEX": "5"}):
            (event,) = self.events(lambda run: run.training_started(task="t"), **said)
            self.assertEqual(event["event_type"], "TRAINING_STARTED")
            self.assertRegex(event["emitter_id"], r"^[0-9a-f]{16}$")

    def test_a_start_goes_out_at_once(self):
        # A launcher may kill this rank within a second, because another one has failed.
        server = self.server()
        run = self.start(server.url, batch_interval=WAIT_MAX_S)
        self.assertTrue(run.flush(WAIT_MAX_S))
        run.training_started(task="t")
        wait_until(lambda: server.of_type("TRAINING_STARTED"))

    def test_other_events_have_no_facts(self):
        (event,) = self.events(lambda run: run.log({"loss": 1}), **TORCHRUN)
        self.assertEqual(event["data"], {"loss": 1})

    # --- rank ---

    def test_the_name_of_the_emitter_tells_the_rank(self):
        ranks = {
            "r3": TORCHRUN,
            "r2": {"OMPI_COMM_WORLD_RANK": "2", "OMPI_COMM_WORLD_SIZE": "4"},
            "r5": {**SLURM, "SLURM_PROCID": "5", "SLURM_NTASKS": "6"},
        }
        for prefix, said in ranks.items():
            (event,) = self.events(lambda run: run.log({"loss": 1}), **said)
            self.assertRegex(event["emitter_id"], f"^{prefix}-[0-9a-f]{{16}}$")
            self.assertTrue(event["event_id"].startswith(event["emitter_id"]))

    def test_the_rank_may_be_given(self):
        (event,) = self.events(lambda run: run.training_started(task="t"), {"rank": 0}, **TORCHRUN)
        self.assertEqual((event["event_type"], event["data"]["rank"]), ("TRAINING_STARTED", 0))
        for bad in (-1, 1.5, True, 2**31, "0"):
            with self.assertRaisesRegex(ValueError, "rank must be"):
                self.job("http://127.0.0.1:1", {"rank": bad})

    def test_only_the_first_rank_starts_and_ends_the_run(self):
        def say(run):
            run.training_started(task="t")
            run.finish(timeout=WAIT_MAX_S)

        first = self.events(say, **{**TORCHRUN, "RANK": "0"})
        self.assertEqual([event["event_type"] for event in first], ["TRAINING_STARTED", "RUN_FINISHED"])
        other = self.events(say, **TORCHRUN)
        self.assertEqual([event["event_type"] for event in other], ["RANK_STARTED", "RANK_FINISHED"])
        # A number at the top level would be a figure of a type that the server does not know.
        self.assertEqual(set(other[0]["data"]), {"hostname", "started"})
        self.assertEqual((other[0]["data"]["started"]["rank"], other[0]["data"]["started"]["task"]), (3, "t"))

    def test_any_rank_may_fail_the_run_and_says_which_it_is(self):
        (event,) = self.events(lambda run: run.fail("out of memory", WAIT_MAX_S), **TORCHRUN)
        self.assertEqual(event["event_type"], "RUN_FAILED")
        self.assertEqual((event["message"], event["data"]), ("rank 3: out of memory", {"rank": 3}))

    def test_a_handle_that_is_passed_to_another_process_keeps_its_rank(self):
        run = self.job("http://127.0.0.1:1", {"rank": 2, "attempt": 4})
        other = pickle.loads(pickle.dumps(run))
        self.addCleanup(other.close, 0.5)
        self.assertEqual((other._emitter.job.rank, other._emitter.job.facts["attempt"]), (2, 4))
        self.assertNotEqual(other.stats()["emitter_id"], run.stats()["emitter_id"])

    # --- attempt ---

    def test_the_attempt_counts_restarts(self):
        attempts = {
            1: {},
            2: {"SLURM_RESTART_COUNT": "1"},
            3: {**TORCHRUN, "RANK": "0", "TORCHELASTIC_RESTART_COUNT": "2"},
            4: {"SLURM_RESTART_COUNT": "2", "TORCHELASTIC_RESTART_COUNT": "1"},
        }
        for attempt, said in attempts.items():
            (event,) = self.events(lambda run: run.training_started(task="t"), **said)
            self.assertEqual(event["data"]["attempt"], attempt)
        (event,) = self.events(lambda run: run.training_started(task="t"), {"attempt": 9}, SLURM_RESTART_COUNT="1")
        self.assertEqual(event["data"]["attempt"], 9)
        with self.assertRaisesRegex(ValueError, "attempt must be"):
            self.job("http://127.0.0.1:1", {"attempt": 0})

    # --- the name of the run ---

    def test_a_run_without_a_name_has_that_of_its_job(self):
        requeued = {**SLURM, "SLURM_RESTART_COUNT": "1", "SLURM_PROCID": "0"}
        standalone = "0a1b2c3d-0000-4000-8000-0123456789ab"
        self.assertEqual(self.name(RUNLOG_RUN="mine", **SLURM), "mine")
        self.assertEqual(self.name(**{**TORCHRUN, "TORCHELASTIC_RUN_ID": "job-17"}), "job-17")
        self.assertEqual(self.name(**SLURM), "4711")
        self.assertEqual(self.name(**requeued), "4711")
        self.assertEqual(self.name(**ARRAY), "4711_7")
        self.assertEqual(self.name(**SLURM, TORCHELASTIC_RUN_ID="chosen"), "chosen")
        self.assertEqual(self.name(TORCHELASTIC_RUN_ID=standalone), standalone)
        # torchrun makes such an id anew after each requeue.
        self.assertEqual(self.name(**SLURM, TORCHELASTIC_RUN_ID=standalone), "4711")
        self.assertEqual(self.name(**SLURM, TORCHELASTIC_RUN_ID="none"), "4711")

    def test_work_by_hand_in_an_allocation_is_no_job(self):
        self.assertRegex(self.name(**{**SLURM, "SLURM_JOB_NAME": "interactive"}), r"^run-\d{8}-\d{6}-[0-9a-f]{4}$")

    def test_an_id_that_cannot_be_a_name_is_made_to_fit_and_stays_unique(self):
        names = {
            self.name(TORCHELASTIC_RUN_ID=text) for text in ("team/a job", "team/a-job", "x" * 100, "x" * 101, "ä")
        }
        self.assertEqual(len(names), 5)
        for name in names:
            self.assertRegex(name, r"^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$")

    def test_a_name_in_the_environment_that_cannot_be_one_is_refused(self):
        with self.assertRaisesRegex(ValueError, "RUNLOG_RUN must be"):
            self.name(RUNLOG_RUN="a b")

    @unittest.skipUnless(sys.platform == "linux", "the parent's start is read from /proc")
    def test_ranks_without_an_id_share_the_name_of_their_launcher(self):
        launcher = (
            "import subprocess, sys\nfor rank in '01':\n    subprocess.run([sys.executable, sys.argv[1], rank])\n"
        )
        rank = os.path.join(self.folder, "rank.py")
        with open(rank, "w", encoding="utf-8") as file:
            file.write(
                "import os, sys\nos.environ.update(RANK=sys.argv[1], WORLD_SIZE='2', LOCAL_WORLD_SIZE='2')\n"
                "from support import runlog\nprint(runlog.start(url='http://127.0.0.1:1', spool=False).run_id)\n"
            )
        names = [
            subprocess.run(
                [sys.executable, "-c", launcher, rank],
                env=environment(PYTHONPATH=TESTS),
                capture_output=True,
                text=True,
                timeout=WAIT_MAX_S,
            ).stdout.split()
            for _ in range(2)
        ]
        self.assertEqual([len(set(ranks)) for ranks in names], [1, 1], names)
        self.assertEqual([len(ranks) for ranks in names], [2, 2])
        self.assertNotEqual(names[0], names[1])

    def test_ranks_of_several_machines_without_an_id_are_warned(self):
        # A launcher that says no local size, as on Kubernetes, has one process on each machine.
        for said in (TORCHRUN, {"RANK": "1", "WORLD_SIZE": "4"}):
            with self.assertLogs("runlog", "WARNING") as logs:
                self.name(**said)
            self.assertIn("RUNLOG_RUN", logs.output[0])

    def test_a_disabled_run_reads_no_name(self):
        self.assertFalse(self.job("http://127.0.0.1:1", run=None, RUNLOG_DISABLED="1", RUNLOG_RUN="a b")._open)


class AlertTest(EmitterTest):
    def alerted(self, *arguments, **more):
        server = self.server()
        run = self.start(server.url, batch_interval=WAIT_MAX_S)
        self.assertTrue(run.flush(WAIT_MAX_S))
        run.alert(*arguments, **more)
        # Nobody flushes, and the interval is a minute: an alert goes out by itself.
        wait_until(lambda: server.of_type("ALERT_RAISED"))
        return server.of_type("ALERT_RAISED")[0]

    def test_an_alert_goes_out_at_once_with_its_severity(self):
        event = self.alerted("loss is NaN", "at step 4", severity="error", step=4)
        self.assertEqual((event["message"], event["severity"]), ("loss is NaN: at step 4", "error"))
        self.assertEqual(event["data"], {"title": "loss is NaN", "text": "at step 4", "step": 4})

    def test_an_alert_is_a_warning_unless_it_says_more(self):
        event = self.alerted("slow")
        self.assertEqual((event["message"], event["severity"], event["data"]), ("slow", "warning", {"title": "slow"}))

    def test_metrics_never_push_an_alert_out(self):
        server = self.server()
        run = self.start(server.url, queue_events_max=10)
        with run._emitter._state:
            run.alert("first")
            for _ in range(1000):
                run.log({"loss": 1})
        self.assertTrue(run.flush(WAIT_MAX_S))
        self.assertEqual(len(server.of_type("ALERT_RAISED")), 1)

    def test_an_alert_never_raises(self):
        class Unreadable:
            def __str__(self):
                raise RuntimeError("no")

        self.assertIn("cannot be read", self.alerted(Unreadable())["message"])


class FailureTest(EmitterTest):
    def failed(self, fail):
        server = self.server()
        fail(self.start(server.url))
        return server.of_type("RUN_FAILED")[0]

    def test_the_end_of_a_with_block_sends_the_traceback(self):
        def fail(run):
            def divide():
                return 1 / 0

            with self.assertRaises(ZeroDivisionError), run:
                divide()

        event = self.failed(fail)
        self.assertEqual((event["message"], event["severity"]), ("ZeroDivisionError: division by zero", "error"))
        self.assertIn("in divide", event["data"]["traceback"])
        self.assertTrue(event["data"]["traceback"].rstrip().endswith("ZeroDivisionError: division by zero"))

    def test_fail_takes_the_exception_that_is_being_handled(self):
        def fail(run):
            try:
                raise ValueError("odd")
            except ValueError:
                run.fail("step 4 went wrong", WAIT_MAX_S)

        event = self.failed(fail)
        self.assertEqual((event["message"], event["data"]["error"]), ("step 4 went wrong", "ValueError: odd"))

    def test_an_exception_may_be_given_and_a_long_traceback_keeps_its_end(self):
        error = ValueError("x" * 1_000_000 + " the end")
        event = self.failed(lambda run: run.fail(timeout=WAIT_MAX_S, error=error))
        self.assertLess(len(event["data"]["traceback"]), 20_000)
        self.assertTrue(event["data"]["traceback"].rstrip().endswith("the end"))

    def test_without_an_exception_there_is_no_traceback(self):
        event = self.failed(lambda run: run.fail("enough", WAIT_MAX_S))
        self.assertEqual((event["message"], event["data"]), ("enough", {}))


if __name__ == "__main__":
    unittest.main()

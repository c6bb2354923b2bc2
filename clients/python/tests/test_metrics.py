"""`run.log`: numbers under names of any characters, and the modules beside runlog.py."""

import dataclasses
import datetime
import decimal
import math
import os
import shutil
import subprocess
import sys
import unittest

from support import FOLDER, WAIT_MAX_S, EmitterTest, runlog


class Scalar:
    """Behaves like a scalar of numpy, torch or jax: it has one element and is no number of Python's own."""

    size = 1

    def __init__(self, value):
        self.value = value

    def item(self):
        return self.value


class GraphScalar:
    """Behaves like a scalar of TensorFlow: `__float__` works, `__index__` is there and raises, and it has no `item`."""

    def __float__(self):
        return 0.5

    def __index__(self):
        raise TypeError("only integer tensors can be an index")


class Histogram:
    size = 1000

    def tolist(self):
        raise AssertionError("nobody asks for a thousand numbers")


@dataclasses.dataclass
class Losses:
    policy: float
    value: float


class MetricsTest(EmitterTest):
    def logged(self, *calls):
        server = self.server()
        run = self.start(server.url)
        for metrics, more in calls:
            run.log(metrics, **more)
        self.assertTrue(run.flush(WAIT_MAX_S))
        self.assertEqual(run.stats()["lost"]["invalid"], 0)
        return server.events

    def data_of(self, metrics, **more):
        return self.logged((metrics, more))[0]["data"]

    def test_log_sends_numbers_under_their_names_with_the_step(self):
        (event,) = self.logged(({"loss": 0.3, "lr": 1e-4}, {"step": 10}))
        self.assertEqual((event["event_type"], event["emitter_seq"]), ("METRICS", 1))
        self.assertEqual(event["data"], {"loss": 0.3, "lr": 1e-4, "step": 10})

    def test_a_step_and_names_may_be_left_out(self):
        self.assertEqual(self.data_of({"loss": 1}), {"loss": 1})
        self.assertEqual(self.data_of(None, loss=1, epoch=2), {"loss": 1, "epoch": 2})
        self.assertEqual(self.data_of({"loss": 1}, step=Scalar(7), note="warm"), {"loss": 1, "note": "warm", "step": 7})

    def test_names_may_have_any_characters(self):
        names = ["train/loss", "val loss", "größe", 'quo"te', "a\nb", "", "LOSS", "1", "x" * 500, 3, ("t", 1)]
        self.assertEqual(self.data_of(dict.fromkeys(names, 1.5)), {str(name): 1.5 for name in names})

    def test_nested_names_are_joined_by_dots(self):
        data = self.data_of({"train": {"loss": 0.1, "grad": {"norm": 2}}, "of": Losses(0.5, 0.25), "none": {}})
        expected = {"train.loss": 0.1, "train.grad.norm": 2, "of.policy": 0.5, "of.value": 0.25}
        self.assertEqual(data, expected)

    def test_whatever_is_a_scalar_becomes_a_number(self):
        data = self.data_of(
            {"a": Scalar(0.25), "b": Scalar(math.nan), "c": GraphScalar(), "d": decimal.Decimal("0.5"), "e": True}
        )
        self.assertEqual(data, {"a": 0.25, "b": "NaN", "c": 0.5, "d": 0.5, "e": True})

    def test_texts_and_short_lists_stay_in_data(self):
        data = self.data_of({"phase": "warm-up", "day": datetime.date(2026, 1, 3), "betas": (0.9, 0.99), "none": None})
        self.assertEqual(data, {"phase": "warm-up", "day": "2026-01-03", "betas": [0.9, 0.99], "none": None})

    def test_what_is_no_metric_is_left_out_and_said_once(self):
        odd = {"loss": 1.0, "weights": Histogram(), "image": b"png", "many": list(range(1000)), "thing": object()}
        with self.assertLogs("runlog", "WARNING") as logs:
            events = self.logged(*[({**odd, "loss": index}, {}) for index in range(3)])
        self.assertEqual([event["data"] for event in events], [{"loss": 0}, {"loss": 1}, {"loss": 2}])
        (line,) = logs.output
        for name in ("weights (Histogram)", "image (bytes)", "many (list)", "thing (object)"):
            self.assertIn(name, line)

    def test_metrics_that_contain_themselves_end(self):
        knot = {"loss": 1}
        knot.update(a=knot, b=knot)
        data = self.data_of(knot)
        self.assertEqual(data["loss"], 1)
        self.assertLessEqual(len(data), 4096)

    def test_what_is_no_mapping_is_counted_and_does_not_raise(self):
        server = self.server()
        run = self.start(server.url)
        with self.assertLogs("runlog", "WARNING") as logs:
            run.log(0.5)
            run.log({"loss": 1})
            self.assertTrue(run.flush(WAIT_MAX_S))
        self.assertIn("run.log takes a mapping", logs.output[0])
        self.assertEqual([event["data"] for event in server.of_type("METRICS")], [{"loss": 1}])
        self.assertEqual(run.stats()["lost"]["queue_full"], 1)

    def test_a_mapping_may_change_after_the_call(self):
        server = self.server()
        run = self.start(server.url)
        metrics = {"loss": 1}
        run.log(metrics)
        metrics["loss"] = 2
        self.assertTrue(run.flush(WAIT_MAX_S))
        self.assertEqual(server.events[0]["data"], {"loss": 1})

    def test_a_closed_run_logs_nothing(self):
        server = self.server()
        run = self.start(server.url)
        run.close(WAIT_MAX_S)
        run.log({"loss": 1})
        self.assertEqual(server.of_type("METRICS"), [])


class ModulesTest(EmitterTest):
    def python(self, *arguments, path):
        return subprocess.run(
            [sys.executable, *arguments],
            env={**os.environ, "PYTHONPATH": path, "PYTHONDONTWRITEBYTECODE": "1"},
            cwd=self.folder,
            capture_output=True,
            text=True,
            timeout=WAIT_MAX_S,
        )

    def test_a_file_in_the_folder_of_integrations_is_a_submodule(self):
        shutil.copy(os.path.join(FOLDER, "runlog.py"), self.folder)
        os.mkdir(os.path.join(self.folder, "runlog_integrations"))
        with open(os.path.join(self.folder, "runlog_integrations", "made.py"), "w", encoding="utf-8") as file:
            file.write("import runlog\nfrom runlog import Run\nNAME = __name__\n")
        done = self.python("-c", "import runlog.made; print(runlog.made.NAME)", path=self.folder)
        self.assertEqual((done.stdout, done.stderr), ("runlog.made\n", ""))

    def test_the_file_alone_says_which_module_it_has_not(self):
        shutil.copy(os.path.join(FOLDER, "runlog.py"), self.folder)
        done = self.python("-c", "import runlog; print(runlog.__version__)\nimport runlog.nothing", path=self.folder)
        self.assertEqual(done.stdout, f"{runlog.__version__}\n")
        self.assertIn("No module named 'runlog.nothing'", done.stderr)

    def test_the_command_is_reached_by_module_and_by_file(self):
        for how in (["-m", "runlog"], [os.path.join(FOLDER, "runlog.py")]):
            done = self.python(*how, "drain", self.folder, path=FOLDER)
            self.assertEqual((done.returncode, done.stderr), (0, ""), how)
            self.assertIn("0 events accepted", done.stdout)


if __name__ == "__main__":
    unittest.main()

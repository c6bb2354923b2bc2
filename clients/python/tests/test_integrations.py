"""
The modules in runlog_integrations, without the libraries. Their hooks are called as the real libraries called them: the
recordings are made by `npm run integrations -- --record`, and name the library and its version.
"""

import contextlib
import copy
import importlib
import json
import os
import pickle
import sys
import time
import types
import unittest

from support import FOLDER, TESTS, WAIT_MAX_S, EmitterTest, first_of_each, free_port, missing_of, options, runlog, wait_until

RECORDINGS = os.path.join(TESTS, "recordings")


class Base:
    """Stands in for the class that a library wants to be derived from."""

    def __init__(self, *_args, **_kwargs):
        pass


def plain(function):
    return function


plain.rank = 0


class PartialState:
    is_main_process = True


# The names that each module imports from its library.
LIBRARIES = {
    "transformers": {"transformers": {"TrainerCallback": Base}},
    "accelerate": {
        "accelerate": {"PartialState": PartialState},
        "accelerate.tracking": {
            "GeneralTracker": Base,
            "LOGGER_TYPE_TO_CLASS": {},
            "register_tracker_class": lambda kind: LIBRARIES["accelerate"]["accelerate.tracking"][
                "LOGGER_TYPE_TO_CLASS"
            ].update({kind.name: kind}),
        },
    },
    "lightning": {
        "lightning": {},
        "lightning.pytorch": {},
        "lightning.pytorch.loggers": {},
        "lightning.pytorch.loggers.logger": {"Logger": Base},
        "lightning.pytorch.utilities": {"rank_zero_only": plain},
    },
    "stable_baselines3": {
        "stable_baselines3": {},
        "stable_baselines3.common": {},
        "stable_baselines3.common.callbacks": {"BaseCallback": Base},
        "stable_baselines3.common.logger": {"KVWriter": Base},
    },
    "keras": {"keras": {}, "keras.callbacks": {"Callback": Base}},
    "ray_tune": {"ray": {}, "ray.tune": {}, "ray.tune.logger": {"LoggerCallback": Base}},
}
PACKAGES = {"stable_baselines3": "stable-baselines3", "ray_tune": "ray[tune]"}
CLASSES = {
    **dict.fromkeys(("transformers", "stable_baselines3", "keras"), "RunlogCallback"),
    **{"accelerate": "RunlogTracker", "lightning": "RunlogLogger", "ray_tune": "RunlogLoggerCallback"},
}


@contextlib.contextmanager
def modules(replaced):
    """These modules, or None for one that cannot be imported, in place of whatever is installed."""
    tops = {name.partition(".")[0] for name in replaced} | {"pytorch_lightning"}
    before = {
        name: module
        for name, module in list(sys.modules.items())
        if name.partition(".")[0] in tops or (name.startswith("runlog.") and name != "runlog._session")
    }
    for name in before:
        del sys.modules[name]
    sys.modules.update(replaced)
    try:
        yield
    finally:
        for name in list(sys.modules):
            if name.partition(".")[0] in tops or (name.startswith("runlog.") and name != "runlog._session"):
                del sys.modules[name]
        sys.modules.update(before)


def imported(library):
    stands = {}
    for name, members in LIBRARIES[library].items():
        stands[name] = types.ModuleType(name)
        stands[name].__path__ = []
        stands[name].__dict__.update(members)
        if "." in name:
            parent, _, child = name.rpartition(".")
            setattr(stands[parent], child, stands[name])
    with modules({**stands, "pytorch_lightning": None}):
        return importlib.import_module(f"runlog.{library}")


def rebuilt(value, shared):
    """The objects of a recording, as `described` in scripts/integrations/recording.py wrote them."""
    if isinstance(value, list):
        return [rebuilt(inner, shared) for inner in value]
    if not isinstance(value, dict):
        return value
    if set(value) == {"shared"}:
        return rebuilt(shared[value["shared"]], shared)
    if "object" not in value:
        return {name: rebuilt(inner, shared) for name, inner in value.items()}
    members = {"__str__": lambda _self, text=value.get("text", ""): text}
    for name, inner in value["has"].items():
        member = rebuilt(inner, shared)
        members[name.rstrip("()")] = (
            (lambda *_args, member=member, **_kwargs: member) if name.endswith("()") else member
        )
    return type(value["object"], (), members)()


class RecordingsTest(EmitterTest):
    maxDiff = 4_000

    def replay(self, library):
        with open(os.path.join(RECORDINGS, f"{library}.json"), encoding="utf-8") as file:
            recording = json.load(file)
        self.assertEqual(recording["library"], library)
        module = imported(library)
        server = self.server()
        made = {}
        for call in recording["calls"]:
            number = call["number"]
            if number not in made:
                made[number] = self.made(module, call, recording["calls"], made, server.url)
            target = made[number]
            for name, value in call["self"].items():
                setattr(target, name, rebuilt(value, recording["objects"]))
            if "logger" in call["self"]:
                target.logger.output_formats = [target._writer]
            arguments = rebuilt(call["args"], recording["objects"])
            more = rebuilt(call["kwargs"], recording["objects"])
            error = call.get("while")
            try:
                if error is not None:
                    raise type(error["error"], (Exception,), {})(error["text"])
            except Exception:
                getattr(target, call["method"])(*arguments, **more)
            else:
                getattr(target, call["method"])(*arguments, **more)
        for target in made.values():
            target.session.close()
        return recording, server

    def made(self, module, call, calls, made, url):
        if call["of"] == "RunlogWriter":
            return next(target for target in reversed(list(made.values())) if getattr(target, "_writer", None))._writer
        events = [event for other in calls if other["number"] == call["number"] for event in other["events"]]
        more = {"log_every_batches": 4} if call["of"] == "RunlogCallback" and module.__name__.endswith("keras") else {}
        kind = getattr(module, call["of"])
        return kind(events[0]["run"], url=url, spool=self.spool, options=options(), **more)

    def check(self, library):
        with self.assertNoLogs("runlog") if hasattr(self, "assertNoLogs") else contextlib.nullcontext():
            recording, server = self.replay(library)
        expected = [event for call in recording["calls"] for event in call["events"]]
        for key in {(event["run"], event["group"]) for event in expected}:
            for metrics in (True, False):
                told, due = self.told(server.events, key, metrics), self.told(expected, key, metrics)
                for (_, data, *_more), (_, due_data, *_more) in zip(told, due):
                    # The emitter adds where the training runs, and a replay has another traceback.
                    for name in set(data) - set(due_data) | {"traceback"}:
                        data.pop(name, None)
                        due_data.pop(name, None)
                self.assertEqual(told, due, (library, *key))
        self.assertEqual(missing_of(first_of_each(server.events)), 0)
        self.assertRegex(recording["version"], r"^\d+\.\d+")
        kinds = {event["type"] for event in expected}
        self.assertLessEqual({"TRAINING_STARTED", "METRICS", "RUN_FINISHED"}, kinds)

    def told(self, events, key, metrics):
        told = []
        for event in events:
            kind = event.get("type") or event["event_type"]
            if (event.get("run") or event["run_id"], event.get("group") or event["group_id"]) == key:
                if (kind == "METRICS") == metrics:
                    told.append((kind, dict(event["data"]), event.get("message", ""), event["severity"]))
        return told

    def test_transformers(self):
        self.check("transformers")

    def test_accelerate(self):
        self.check("accelerate")

    def test_lightning(self):
        self.check("lightning")

    def test_stable_baselines3(self):
        self.check("stable_baselines3")

    def test_keras(self):
        self.check("keras")

    def test_ray_tune(self):
        self.check("ray_tune")


class ModulesTest(EmitterTest):
    def test_a_library_that_is_not_there_is_named_with_how_to_install_it(self):
        for library, stands in LIBRARIES.items():
            with modules({**dict.fromkeys(stands), "pytorch_lightning": None}):
                with self.assertRaises(ImportError) as raised:
                    importlib.import_module(f"runlog.{library}")
            package = PACKAGES.get(library, library)
            self.assertIn(f"runlog.{library} needs {package}", str(raised.exception))
            self.assertIn(f"pip install {package}", str(raised.exception))

    def test_the_tracker_is_registered_once_where_accelerate_can(self):
        imported("accelerate")
        module = imported("accelerate")
        registered = LIBRARIES["accelerate"]["accelerate.tracking"]["LOGGER_TYPE_TO_CLASS"]
        self.assertEqual(registered["runlog"].__name__, module.RunlogTracker.__name__)

    def test_what_cannot_work_is_said_before_the_training(self):
        for library in LIBRARIES:
            kind = getattr(imported(library), CLASSES[library])
            for settings in ({"run": "r1", "url": "ftp://x"}, {"run": "r1", "url": "http://x", "group": "a b"}):
                with self.assertRaises(ValueError):
                    kind(**{("run_name" if library == "accelerate" else "run"): settings.pop("run"), **settings})
            with self.assertRaises(TypeError):
                kind("r1", urll="http://x")

    def test_a_run_that_was_started_stays_open(self):
        server = self.server()
        run = self.start(server.url)
        callback = imported("keras").RunlogCallback(run)
        callback.session.begin()
        callback.on_epoch_end(0, {"loss": 1.0})
        callback.on_train_end()
        run.emit("AFTERWARDS")
        self.assertTrue(run.flush(WAIT_MAX_S))
        kinds = [event["event_type"] for event in server.events]
        self.assertEqual(sorted(kinds), ["AFTERWARDS", "METRICS", "RUN_FINISHED", "TRAINING_STARTED"])
        with self.assertRaises(TypeError):
            imported("keras").RunlogCallback(run, url=server.url)

    def test_other_ranks_say_nothing_and_open_nothing(self):
        server = self.server()
        callback = imported("transformers").RunlogCallback("r1", url=server.url, spool=self.spool, options=options())
        state = types.SimpleNamespace(is_world_process_zero=False, global_step=1, epoch=0.5)
        callback.on_train_begin(None, state, None)
        callback.on_log(None, state, None, logs={"loss": 1})
        callback.on_save(None, state, None)
        callback.on_train_end(None, state, None)
        self.assertIsNone(callback.session._run)
        self.assertEqual(server.requests, [])

    def test_a_model_says_what_it_saves_to_the_callback_that_trains_it(self):
        server = self.server()
        module = imported("keras")

        class Model:
            name, built, optimizer = "made", False, None

            def save(self, path):
                return f"saved {path}"

        model = Model()
        callbacks = []
        for run in ("left", "trained"):
            # The first training is left by an exception.
            callback = module.RunlogCallback(run, url=server.url, spool=self.spool, options=options())
            callback.model, callback.params = model, {"epochs": 1}
            callback.on_epoch_begin(0)
            self.assertEqual(model.save("a.keras"), "saved a.keras")
            callbacks.append(callback)
        left, trained = callbacks
        trained.on_train_end()
        self.assertNotIn("save", vars(model))
        # The two runs have senders of their own, so neither's events are known to arrive first.
        self.assertTrue(left.session.run.flush(WAIT_MAX_S))
        self.assertEqual(sorted(event["run_id"] for event in server.of_type("CHECKPOINT_SAVED")), ["left", "trained"])

    def test_a_pickled_callback_of_ray_holds_no_key(self):
        module = imported("ray_tune")
        callback = module.RunlogLoggerCallback("r1", url="http://127.0.0.1:9", key="a-secret")
        state = callback.__getstate__()
        self.assertNotIn("a-secret", repr(state))
        again = module.RunlogLoggerCallback.__new__(module.RunlogLoggerCallback)
        again.__setstate__(state)
        self.assertEqual(again.session.run_id, "r1")

    def test_trials_are_groups_of_a_run_that_was_started(self):
        server = self.server()
        run = self.start(server.url)
        callback = imported("ray_tune").RunlogLoggerCallback(run)
        trials = [types.SimpleNamespace(trial_id=name, config={"rate": 1}, status="RUNNING") for name in ("a_0", "a_1")]
        for trial in trials:
            callback.log_trial_start(trial)
            callback.log_trial_result(1, trial, {"loss": 1.0, "pid": 7, "training_iteration": 3})
        callback.log_trial_end(trials[0])
        callback.on_experiment_end(trials)
        self.assertTrue(run.flush(WAIT_MAX_S))
        self.assertEqual({event["group_id"] for event in server.events}, {"a_0", "a_1"})
        self.assertEqual(
            [event["data"] for event in server.of_type("METRICS")],
            [{"loss": 1.0, "training_iteration": 3, "step": 3}] * 2,
        )
        (failed,) = server.of_type("RUN_FAILED")
        self.assertEqual(
            (failed["group_id"], failed["message"]), ("a_1", "the experiment ended while the trial was RUNNING")
        )


class SessionTest(EmitterTest):
    def session(self, url, run="r1", **settings):
        session = importlib.import_module("runlog._session").Session
        return session("made", run, {"url": url, "spool": self.spool, "options": options(), **settings})

    def kinds(self, server):
        return [event["event_type"] for event in server.events]

    def test_metrics_after_the_end_leave_the_run_ended(self):
        server = self.server()
        session = self.session(server.url)
        session.begin({"lr": 0.1})
        session.metrics({"loss": 1}, 1)
        session.end()
        self.assertIsNone(session._run)
        session.metrics({"eval_loss": 2}, 1)
        session.close()
        self.assertEqual(self.kinds(server)[-1], "RUN_FINISHED")
        self.assertEqual(len(server.of_type("RUN_FINISHED")), 2)
        self.assertEqual([event["data"]["step"] for event in server.of_type("METRICS")], [1, 1])
        self.assertEqual({event["run_id"] for event in server.events}, {"r1"})

    def test_metrics_after_a_failure_leave_the_run_failed(self):
        server = self.server()
        session = self.session(server.url)
        session.begin()
        session.fail("out of memory")
        session.metrics({"eval_loss": 2}, 1)
        session.close()
        self.assertEqual([event["message"] for event in server.of_type("RUN_FAILED")], ["out of memory"] * 2)
        self.assertEqual(server.of_type("RUN_FINISHED"), [])

    def test_a_second_training_is_another_attempt(self):
        server = self.server()
        session = self.session(server.url)
        session.begin()
        session.end()
        session.begin(resumed_from_step=40)
        session.end()
        session.end()
        first, second = server.of_type("TRAINING_STARTED")
        self.assertNotIn("resumed", first["data"])
        self.assertEqual((second["data"]["resumed"], second["data"]["resumed_from_step"]), (True, 40))
        self.assertEqual(len(server.of_type("RUN_FINISHED")), 2)

    def test_a_failure_has_its_traceback(self):
        server = self.server()
        session = self.session(server.url)
        session.begin()
        try:
            raise KeyError("weights")
        except KeyError as error:
            session.fail(error)
        session.fail("again")
        (failed,) = server.of_type("RUN_FAILED")
        self.assertEqual((failed["message"], failed["severity"]), ("KeyError: 'weights'", "error"))
        self.assertIn("test_integrations.py", failed["data"]["traceback"])

    def test_an_exception_that_nobody_catches_fails_the_run(self):
        server = self.server()
        process = self.script(
            f"from runlog._session import Session\n"
            f"from support import options\n"
            f"session = Session('made', 'r1', {{'url': '{server.url}', 'options': options()}})\n"
            f"session.begin()\n"
            f"session.metrics({{'loss': 1}}, 1)\n"
            f"raise RuntimeError('out of memory')\n"
        )
        _, errors = process.communicate(timeout=WAIT_MAX_S)
        self.assertEqual(process.returncode, 1)
        self.assertIn("RuntimeError: out of memory", errors)
        (failed,) = server.of_type("RUN_FAILED")
        self.assertEqual(failed["message"], "RuntimeError: out of memory")
        self.assertIn("line 6", failed["data"]["traceback"])

    def test_a_hook_never_raises_and_says_so_once(self):
        module = imported("keras")
        callback = module.RunlogCallback("r1", url=self.server().url, spool=self.spool, options=options())
        with self.assertLogs("runlog", "WARNING") as logs:
            callback.on_epoch_begin(0)
            callback.on_epoch_end(0, {"loss": 1.0, "bad": object()})
            callback.on_epoch_end(0, 5)
            callback.on_epoch_begin(1)
        self.assertEqual(len([line for line in logs.output if "the training goes on" in line]), 1)
        callback.session.close()

    def test_the_end_waits_for_a_dead_server_no_longer_than_the_exit_timeout(self):
        session = self.session(f"http://127.0.0.1:{free_port()}", options=options(exit_timeout=0.2))
        session.begin()
        session.metrics({"loss": 1}, 1)
        begun = time.monotonic()
        session.end()
        self.assertLess(time.monotonic() - begun, WAIT_MAX_S / 2)
        wait_until(lambda: len(self.spooled_lines()) == 3, "the three events in the spool")

    def test_secrets_are_hidden_and_bounds_are_kept(self):
        server = self.server()
        session = self.session(server.url)
        hyperparameters = {
            **{
                "hub_token": "hf_abc",
                "password": "x",
                "nested": {"api_key": "y"},
                "max_tokens": 5,
                "pad_token": "[PAD]",
            },
            **{"text": "x" * 10_000, "many": list(range(1_000)), "knot": {}},
        }
        hyperparameters["knot"]["again"] = hyperparameters
        session.begin(hyperparameters)
        session.end()
        (started,) = server.of_type("TRAINING_STARTED")
        shown = started["data"]["hyperparameters"]
        for hidden in (shown["hub_token"], shown["password"], shown["nested"]["api_key"]):
            self.assertEqual(hidden, "<hidden>")
        self.assertEqual((shown["max_tokens"], shown["pad_token"]), (5, "[PAD]"))
        self.assertEqual((len(shown["text"]), len(shown["many"])), (256, 64))
        self.assertNotIn("hf_abc", json.dumps(started))

    def test_a_tensor_is_sent_as_it_was(self):
        class Tensor:
            def __init__(self, value):
                self.value = value

            def detach(self):
                return self

            def clone(self):
                return Tensor(self.value)

            def numel(self):
                return 1

            def item(self):
                return self.value

        server = self.server()
        session = self.session(server.url)
        loss = Tensor(0.5)
        session.metrics({"loss": loss}, 1)
        loss.value = 9.0
        session.end()
        self.assertEqual(server.of_type("METRICS")[0]["data"], {"loss": 0.5, "step": 1})

    def test_copies_and_pickles(self):
        server = self.server()
        session = self.session(server.url)
        session.begin()
        self.assertIs(copy.deepcopy(session), session)
        again = pickle.loads(pickle.dumps(session))
        self.assertIsNone(again._run)
        again.metrics({"loss": 1}, 1)
        again.close()
        session.end()
        self.assertEqual({event["run_id"] for event in server.events}, {"r1"})
        self.assertEqual(len({event["emitter_id"] for event in server.events}), 2)

    def test_a_run_that_has_ended_sends_no_heartbeats(self):
        server = self.server()
        run = self.start(server.url, heartbeat_interval=0.02)
        other = run.for_group("B")
        run.emit("RUN_FINISHED")
        ended = wait_until(lambda: server.of_type("RUN_FINISHED"))[0]

        def beats_of(group):
            return [event for event in server.of_type("RUN_HEARTBEAT") if event["group_id"] == group]

        # The other group's heartbeats show that the thread has looked at both.
        before = len(beats_of("B"))
        wait_until(lambda: len(beats_of("B")) >= before + 3)
        beats = beats_of(run.group_id)
        self.assertEqual([event for event in beats if event["emitter_seq"] > ended["emitter_seq"]], [])
        run.emit("TRAINING_STARTED")
        count = len(beats)
        wait_until(lambda: sum(event["group_id"] == run.group_id for event in server.of_type("RUN_HEARTBEAT")) > count)
        other.close()


if __name__ == "__main__":
    unittest.main()

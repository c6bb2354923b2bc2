"""The form of an event on the wire, whatever the training loop put into it."""

import dataclasses
import datetime
import enum
import logging
import math
import os
import pathlib
import unittest
from unittest import mock

from support import WAIT_MAX_S, EmitterTest, accepted, runlog, wait_until


class FakeTensor:
    """Behaves like a tensor of torch: `numel()`, `item()`, `tolist()`, never a float."""

    def __init__(self, *values):
        self.values = list(values)

    def numel(self):
        return len(self.values)

    def item(self):
        if len(self.values) != 1:
            raise ValueError("only one element tensors can be converted")
        return self.values[0]

    def tolist(self):
        return self.values

    def __float__(self):
        return float(self.item())


class FakeScalar:
    """Behaves like a scalar of numpy: `size` is a number, `item()` gives Python's own."""

    size = 1

    def __init__(self, value):
        self.value = value

    def item(self):
        return self.value

    def tolist(self):
        return self.value


class Raises:
    def __str__(self):
        raise RuntimeError("no")

    __repr__ = __str__


class Colour(enum.Enum):
    RED = "red"


@dataclasses.dataclass
class Point:
    x: float
    y: float


class EventsTest(EmitterTest):
    def sent(self, *emits):
        server = self.server()
        run = self.start(server.url)
        for emit in emits:
            emit(run)
        self.assertTrue(run.flush(WAIT_MAX_S))
        return server.events

    def data_of(self, **fields):
        return self.sent(lambda run: run.emit("X", fields))[0]["data"]

    def test_the_envelope_has_the_names_and_forms_of_the_contract(self):
        (event,) = self.sent(
            lambda run: run.emit(
                "SEED_PRUNED", env_id=3, slot_id="r0c1", seed_id="s9", epoch=7, message="bye", severity="warning"
            )
        )
        self.assertEqual(event["event_type"], "SEED_PRUNED")
        self.assertEqual((event["run_id"], event["group_id"]), ("r1", "default"))
        self.assertEqual((event["slot_id"], event["seed_id"], event["epoch"]), ("r0c1", "s9", 7))
        self.assertEqual((event["message"], event["severity"]), ("bye", "warning"))
        self.assertEqual(event["emitter_seq"], 1)
        self.assertEqual(event["data"], {"slot_id": "r0c1", "env_id": 3})
        self.assertRegex(event["timestamp"], r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}\+00:00$")
        moment = datetime.datetime.fromisoformat(event["timestamp"])
        self.assertLess(abs((datetime.datetime.now(datetime.timezone.utc) - moment).total_seconds()), 60)

    def test_numbers_count_from_one_without_a_gap_and_ids_are_unique(self):
        events = self.sent(*[lambda run: run.emit("X")] * 1200)
        self.assertEqual([event["emitter_seq"] for event in events], list(range(1, 1201)))
        self.assertEqual(len({event["event_id"] for event in events}), 1200)

    def test_each_group_of_a_run_has_numbers_of_its_own_and_ids_never_collide(self):
        def emit(run):
            other = run.for_group("B")
            self.assertIs(other, run.for_group("B"))
            for _ in range(3):
                run.emit("X")
                other.emit("X")

        events = self.sent(emit)
        for group in ("default", "B"):
            self.assertEqual([e["emitter_seq"] for e in events if e["group_id"] == group], [1, 2, 3])
        self.assertEqual(len({event["event_id"] for event in events}), 6)
        self.assertEqual(len({event["emitter_id"] for event in events}), 1)

    def test_non_finite_numbers_become_the_strings_of_the_contract(self):
        data = self.data_of(a=math.nan, b=math.inf, c=-math.inf, d=1.5, nested={"list": [math.nan, 1]})
        self.assertEqual(
            data, {"a": "NaN", "b": "Infinity", "c": "-Infinity", "d": 1.5, "nested": {"list": ["NaN", 1]}}
        )

    def test_tensors_and_numpy_scalars_become_numbers(self):
        data = self.data_of(
            loss=FakeTensor(0.25), nan=FakeTensor(math.nan), many=FakeTensor(1, 2, 3), scalar=FakeScalar(7)
        )
        self.assertEqual(data, {"loss": 0.25, "nan": "NaN", "many": [1, 2, 3], "scalar": 7})

    def test_a_huge_tensor_is_named_and_not_sent(self):
        self.assertEqual(self.data_of(w=FakeTensor(*range(5000))), {"w": "<FakeTensor of 5000 elements>"})

    def test_other_values_become_what_json_has(self):
        cycle = {}
        cycle["self"] = cycle
        data = self.data_of(
            colour=Colour.RED,
            point=Point(1.0, math.inf),
            when=datetime.date(2026, 1, 3),
            path=pathlib.PurePosixPath("/a/b"),
            some={1},
            odd={1: "a", (2, 3): "b"},
            raises=Raises(),
            cycle=cycle,
            text="\ud800 \u2028 é \x00",
        )
        self.assertEqual(data["colour"], "red")
        self.assertEqual(data["point"], {"x": 1.0, "y": "Infinity"})
        self.assertEqual((data["when"], data["path"], data["some"]), ("2026-01-03", "/a/b", [1]))
        self.assertEqual(data["odd"], {"1": "a", "(2, 3)": "b"})
        self.assertEqual(data["raises"], "<Raises: RuntimeError>")
        self.assertEqual(data["text"], "\ud800 \u2028 é \x00")
        self.assertIn("nested too deep", str(data["cycle"]))

    def test_an_epoch_that_is_not_a_number_is_null(self):
        events = self.sent(lambda run: run.emit("X", epoch=math.nan), lambda run: run.emit("X", epoch=FakeTensor(3)))
        self.assertEqual([event["epoch"] for event in events], [None, 3])

    def test_a_mapping_carries_fields_whose_names_clash_with_a_parameter(self):
        (event,) = self.sent(lambda run: run.emit("X", {"message": "inner", "epoch": 1}, message="outer", data=2))
        self.assertEqual(event["data"], {"message": "inner", "epoch": 1, "data": 2})
        self.assertEqual(event["message"], "outer")

    def test_helpers_of_the_ten_types_send_the_payloads_of_the_contract(self):
        def emit(run):
            run.training_started(
                n_envs=2, max_epochs=3, max_batches=4, task="t", host_params=5, slot_ids=("r0c0",), seed=1,
                n_episodes=9, lr=0.1, clip_ratio=0.2, entropy_coef=0.3, param_budget=7, policy_device="cpu",
                env_devices=["cpu"], reward_mode="shaped", start_episode=3,
            )  # fmt: skip
            run.seed_germinated(slot_id="r0c0", env_id=0, blueprint_id="conv", params=10)
            run.seed_stage_changed(slot_id="r0c0", env_id=0, from_stage="A", to_stage="B")
            run.seed_gate_evaluated(slot_id="r0c0", env_id=0, gate="G1", passed=True, target_stage="B", detail="ok")
            run.seed_fossilized(slot_id="r0c0", env_id=0, blueprint_id="conv", improvement=1.5, params_added=10)
            run.seed_pruned(slot_id="r0c0", env_id=0, reason="weak")
            run.ppo_update_completed(
                policy_loss=1, value_loss=2, entropy=3, grad_norm=4, kl_divergence=5, clip_fraction=6,
                nan_grad_count=0, skipped=True,
            )  # fmt: skip
            run.batch_epoch_completed(
                episodes_completed=1, batch_idx=2, avg_accuracy=3, avg_reward=4, total_episodes=5, n_envs=6
            )
            run.epoch_completed(env_id=0, val_accuracy=1, val_loss=2, inner_epoch=3, train_loss=4)
            run.reward_computed(env_id=0, total_reward=1.5)

        events = {event["event_type"]: event["data"] for event in self.sent(emit)}
        self.assertEqual(len(events), 10)
        self.assertEqual(events["TRAINING_STARTED"]["slot_ids"], ["r0c0"])
        self.assertEqual(events["TRAINING_STARTED"]["start_episode"], 3)
        self.assertEqual(events["SEED_GATE_EVALUATED"]["checks_failed"], [])
        self.assertEqual(events["SEED_GATE_EVALUATED"]["message"], "ok")
        self.assertEqual(events["SEED_PRUNED"], {"slot_id": "r0c0", "env_id": 0, "reason": "weak"})
        self.assertIsNone(events["BATCH_EPOCH_COMPLETED"]["rolling_accuracy"])
        self.assertEqual(events["EPOCH_COMPLETED"]["train_loss"], 4)

    def test_finish_and_fail_say_how_the_run_ended_and_nothing_follows(self):
        server = self.server()
        finished, failed = self.start(server.url, "a"), self.start(server.url, "b")
        finished.finish()
        finished.emit("LATE")
        finished.finish()
        failed.fail("out of memory")
        self.assertEqual([event["event_type"] for event in server.events], ["RUN_FINISHED", "RUN_FAILED"])
        self.assertEqual((server.events[1]["message"], server.events[1]["severity"]), ("out of memory", "error"))

    def test_as_a_context_manager_a_run_finishes_or_fails_with_the_error(self):
        server = self.server()
        with self.start(server.url, "a") as run:
            run.emit("X")
        with self.assertRaises(ZeroDivisionError), self.start(server.url, "b"):
            1 / 0  # noqa: B018
        self.assertEqual([event["event_type"] for event in server.events], ["X", "RUN_FINISHED", "RUN_FAILED"])
        self.assertEqual(server.events[2]["message"], "ZeroDivisionError: division by zero")

    def test_a_silent_run_sends_heartbeats_and_stops_when_it_has_ended(self):
        server = self.server()
        run = self.start(server.url, heartbeat_interval=0.05)
        wait_until(lambda: len(server.of_type("RUN_HEARTBEAT")) >= 3)
        run.finish()
        self.assertEqual(server.events[-1]["event_type"], "RUN_FINISHED")

    def test_requests_carry_the_key_the_cluster_and_the_encoding(self):
        server = self.server()
        run = self.start(server.url, key="secret", cluster="c1")
        run.emit("X")
        self.assertTrue(run.flush(WAIT_MAX_S))
        sent = server.requests[0]
        self.assertEqual((sent["Authorization"], sent["X-Cluster-Id"]), ("Bearer secret", "c1"))
        self.assertEqual((sent["Content-Type"], sent["Content-Encoding"]), ("application/x-ndjson", "gzip"))
        self.assertEqual(sent["path"], "/v1/events")

    def test_the_environment_gives_address_and_key_and_can_switch_everything_off(self):
        server = self.server()
        with mock.patch.dict(os.environ, {"RUNLOG_INGEST_URL": server.url, "RUNLOG_KEY": "k"}):
            with runlog.start("e", spool=self.spool):
                pass
            self.assertEqual(server.requests[0]["Authorization"], "Bearer k")
            with mock.patch.dict(os.environ, {"RUNLOG_DISABLED": "1"}):
                run = runlog.start("not a legal name", spool=self.spool)
                run.emit("X")
                run.for_group("B").emit("X")
                self.assertTrue(run.flush())
                run.finish()
        self.assertEqual(len(server.requests), 1)

    def test_the_key_may_be_in_a_file(self):
        server = self.server()
        path = os.path.join(self.spool, "key")
        os.makedirs(self.spool, exist_ok=True)
        with open(path, "w", encoding="utf-8") as file:
            file.write("from-file\n")
        with mock.patch.dict(os.environ, {"RUNLOG_INGEST_URL": server.url, "RUNLOG_KEY_FILE": path}):
            with runlog.start("e", spool=False):
                pass
            self.assertEqual(server.requests[0]["Authorization"], "Bearer from-file")
            with mock.patch.dict(os.environ, {"RUNLOG_KEY": "k"}), self.assertRaisesRegex(ValueError, "both set"):
                runlog.start("e", spool=False)
        with mock.patch.dict(os.environ, {"RUNLOG_KEY_FILE": path + "-missing"}):
            with self.assertRaisesRegex(ValueError, "cannot be read"):
                runlog.start("e", spool=False)

    def test_an_invalid_name_or_address_is_refused_at_the_start(self):
        for wrong in ({"run": "a/b"}, {"run": ""}, {"group": "-x"}, {"cluster": "é"}, {"url": "ftp://x"}, {"url": "x"}):
            with self.subTest(wrong), self.assertRaises(ValueError):
                runlog.start(**{"run": "ok", "spool": False, **wrong})

    def test_a_severity_is_one_of_the_five_in_any_spelling(self):
        class Level(enum.IntEnum):
            HIGH = 40

        class Name(enum.Enum):
            BAD = "ERROR"

        cases = {
            "debug": ["debug", "DEBUG", "trace", "Verbose", 10, 0, -1, "10", logging.NOTSET],
            "info": [
                "info",
                " INFO ",
                "notice",
                "Information",
                20,
                25,
                29.9,
                FakeScalar(20),
                math.nan,
                "",
                None,
                "odd",
            ],
            "warning": ["WARNING", "Warn", "warn", logging.WARNING, 30.0, "30"],
            "error": ["ERROR", "Error", "err", 40, 40.0, "40", FakeTensor(40), Level.HIGH, Name.BAD],
            "critical": ["FATAL", "critical", "CRIT", "panic", "emerg", "alert", 50, 99, math.inf],
        }
        cases["info"].extend((["odd"], {"odd": 1}, Raises(), object()))
        server = self.server()
        run = self.start(server.url)
        for severities in cases.values():
            for severity in severities:
                run.emit("SAID", severity=severity)
        self.assertTrue(run.flush(WAIT_MAX_S))
        run.finish()
        self.assertEqual(
            [event["severity"] for event in server.of_type("SAID")],
            [name for name, severities in cases.items() for _ in severities],
        )
        self.assertEqual(sum(run.stats()["lost"].values()), 0)

    def test_data_is_cut_where_the_server_would_refuse_its_depth(self):
        def nested(depth, inner):
            for _ in range(depth):
                inner = {"a": inner} if depth % 2 else [inner]
            return inner

        def depth_of(value):
            inner = value.values() if isinstance(value, dict) else value if isinstance(value, list) else None
            return 0 if inner is None else 1 + max(map(depth_of, inner), default=0)

        @dataclasses.dataclass
        class Node:
            child: object

        def nodes(depth):
            node = None
            for _ in range(depth):
                node = Node(node)
            return node

        server = self.server()
        run = self.start(server.url)
        depths = (1, 2, 40, 62, 63, 64, 70, 2000)
        for depth in depths:
            run.emit("X", value=nested(depth, "end"))
            run.emit("X", value=nodes(depth))
        run.emit("X", text="[{" * 500, many=[[index] for index in range(100)])
        self.assertTrue(run.flush(WAIT_MAX_S))
        *events, last = server.of_type("X")
        self.assertEqual(len(events), 2 * len(depths))
        self.assertEqual(sum(run.stats()["lost"].values()), 0)
        for event, depth in zip(events, [depth for depth in depths for _ in range(2)]):
            # The event itself is one level, and so is `data`.
            self.assertLessEqual(depth_of(event), 64)
            if depth <= 62:
                self.assertEqual(depth_of(event["data"]["value"]), depth)
            else:
                self.assertIn("nested too deep", str(event["data"]))
        self.assertEqual(last["data"], {"text": "[{" * 500, "many": [[index] for index in range(100)]})

    def test_text_that_is_not_english_counts_by_its_bytes_in_utf_8(self):
        server = self.server()
        run = self.start(server.url)
        run.emit("X", text="é" * 100_000)
        run.emit("X", text="漢" * 80_000, half="\ud800" * 3, quoted='"\\\n\u2028')
        run.emit("X", message="é" * 100_000)
        run.emit("X", text="é" * 140_000)
        self.assertTrue(run.flush(WAIT_MAX_S))
        first, second, third = server.of_type("X")
        self.assertEqual(first["data"], {"text": "é" * 100_000})
        self.assertEqual(second["data"], {"text": "漢" * 80_000, "half": "\ud800" * 3, "quoted": '"\\\n\u2028'})
        self.assertEqual(third["message"], "é" * 100_000)
        self.assertEqual(run.stats()["lost"]["oversize"], 1)

    def test_a_number_that_python_does_not_write_is_named(self):
        self.assertEqual(self.data_of(a=1, huge=10**5000), {"a": 1, "huge": "<int of 16610 bits>"})

    def test_the_address_may_be_that_of_the_events(self):
        server = self.server()
        for path in ("", "/", "/v1/events", "/v1/events/", "/below", "/below/v1/events"):
            run = self.start(server.url + path)
            run.emit("X")
            self.assertTrue(run.flush(WAIT_MAX_S))
        paths = [request["path"] for request in server.requests]
        self.assertEqual(paths, ["/v1/events"] * 4 + ["/below/v1/events"] * 2)

    def test_emit_never_raises_and_what_cannot_be_sent_is_counted_and_reported(self):
        server = self.server()
        run = self.start(server.url)
        run.emit(None)
        run.emit("lower case")
        run.emit("X", 5)
        run.emit("BIG", blob="x" * 300_000)
        run.emit("GOOD", severity=["odd"])
        run.emit("GOOD", severity="unheard of", message=3, slot_id=4)
        self.assertTrue(run.flush(WAIT_MAX_S))
        run.finish()
        odd, good = server.of_type("GOOD")
        self.assertEqual(odd["severity"], "info")
        self.assertEqual((good["severity"], good["message"], good["slot_id"]), ("info", "3", "4"))
        last = server.of_type("EMITTER_EVENTS_LOST")[-1]
        self.assertEqual(last["data"]["lost_total"], 4)
        self.assertEqual(last["data"]["reasons"]["oversize"], 1)
        # Nothing that was lost before it was numbered leaves a gap.
        self.assertEqual([event["emitter_seq"] for event in server.events], list(range(1, len(server.events) + 1)))
        self.assertEqual(server.events[-1]["event_type"], "RUN_FINISHED")

    def test_log_records_become_events(self):
        server = self.server()
        run = self.start(server.url)
        logger = logging.getLogger("trainer")
        handler = runlog.LogHandler(run, logging.WARNING)
        logger.addHandler(handler)
        logger.propagate = False
        self.addCleanup(logger.removeHandler, handler)
        logger.info("unheard")
        logger.warning("loss is %s", math.nan)
        try:
            raise KeyError("k")
        except KeyError:
            logger.exception("broken")
        self.assertTrue(run.flush(WAIT_MAX_S))
        first, second = server.of_type("LOG_RECORD")
        self.assertEqual((first["message"], first["severity"]), ("loss is nan", "warning"))
        self.assertEqual(first["data"]["logger"], "trainer")
        self.assertEqual((second["severity"], second["data"]["exception"]), ("error", "KeyError('k')"))

    def test_a_rejected_event_is_counted_and_the_others_pass(self):
        server = self.server(lambda exchange: exchange.answer(422, accepted(0, rejected=len(exchange.lines()))))
        run = self.start(server.url)
        run.emit("BAD")
        self.assertTrue(run.flush(WAIT_MAX_S))
        wait_until(lambda: server.of_type("EMITTER_EVENTS_LOST"))
        run.emit("GOOD")
        run.finish()
        self.assertEqual(run.stats()["lost"]["rejected"], 1)
        self.assertEqual(
            [event["event_type"] for event in server.events], ["EMITTER_EVENTS_LOST", "GOOD", "RUN_FINISHED"]
        )


if __name__ == "__main__":
    unittest.main()

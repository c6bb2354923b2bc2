"""
The output backend for esper's hub, fed by stand-ins that have the fields and habits of its events: an enum for the type, frozen
dataclasses with slots as payloads, some of them with `to_dict`, and fields that its emitters put on the event itself.
examples/esper_training.py is the same with esper.
"""

import dataclasses
import datetime
import enum
import os
import typing
import uuid
from unittest import mock

from support import WAIT_MAX_S, EmitterTest, options, runlog, wait_until
from test_job import TORCHRUN, environment

import runlog.esper  # isort: skip

Kind = enum.Enum(
    "Kind", "TRAINING_STARTED EPOCH_COMPLETED SEED_GERMINATED SEED_PRUNED PPO_UPDATE_COMPLETED TAMIYO_INITIATED"
)


@dataclasses.dataclass
class Event:
    event_type: Kind
    data: typing.Any = None
    event_id: str = dataclasses.field(default_factory=lambda: str(uuid.uuid4()))
    timestamp: datetime.datetime = datetime.datetime(2026, 1, 3, 23, 59, 47, 900001, datetime.timezone.utc)
    seed_id: typing.Optional[str] = None
    slot_id: typing.Optional[str] = None
    epoch: typing.Optional[int] = None
    group_id: str = "default"
    message: str = ""
    severity: str = "info"


@dataclasses.dataclass(frozen=True)
class Started:
    n_envs: int = 2
    task: str = "cifar_minimal"
    slot_ids: tuple = ("r0c0", "r0c1")
    lr: float = 3e-4
    world_size: int = 1
    rank: int = 0
    local_rank: int = 0


@dataclasses.dataclass(frozen=True)
class Germinated:
    __slots__ = ("slot_id", "env_id", "blueprint_id", "params")
    slot_id: str
    env_id: int
    blueprint_id: str
    params: int


@dataclasses.dataclass(frozen=True)
class Epoch:
    env_id: int
    val_accuracy: float
    val_loss: float
    inner_epoch: int
    observation: typing.Any = None

    def to_dict(self):
        return {**vars(self), "observation": None if self.observation is None else {"dead": 0}}


class Unreadable:
    @property
    def event_type(self):
        raise RuntimeError("no")


class EsperTest(EmitterTest):
    def output(self, server, *arguments, **settings):
        chosen = {"url": server.url, "spool": self.spool, "options": options(), **settings}
        output = runlog.esper.RunlogOutput(*(arguments or ("e1",)), **chosen)
        self.addCleanup(output.close)
        output.start()
        return output

    def sent(self, *events, **settings):
        server = self.server()
        output = self.output(server, **settings)
        for event in events:
            output.emit(event)
        output.close()
        return server.events

    def test_an_event_keeps_its_id_and_its_time(self):
        event = Event(Kind.SEED_GERMINATED, Germinated("r0c1", 3, "conv_small", 128), slot_id="r0c1", seed_id="s1")
        sent = self.sent(event)[0]
        self.assertEqual(sent["event_id"], event.event_id)
        self.assertEqual(sent["timestamp"], "2026-01-03T23:59:47.900001+00:00")
        self.assertEqual((sent["event_type"], sent["slot_id"], sent["seed_id"]), ("SEED_GERMINATED", "r0c1", "s1"))
        self.assertEqual(sent["data"], {"slot_id": "r0c1", "env_id": 3, "blueprint_id": "conv_small", "params": 128})
        self.assertEqual(sent["emitter_seq"], 1)

    def test_the_envelope_passes(self):
        sent = self.sent(Event(Kind.TAMIYO_INITIATED, epoch=4, message="stable", severity="warning"))[0]
        self.assertEqual((sent["epoch"], sent["message"], sent["severity"]), (4, "stable", "warning"))

    def test_a_payload_with_to_dict_is_asked_for_it(self):
        sent = self.sent(Event(Kind.EPOCH_COMPLETED, Epoch(0, 71.5, float("nan"), 2, observation=object())))[0]
        expected = {"env_id": 0, "val_accuracy": 71.5, "val_loss": "NaN", "inner_epoch": 2, "observation": {"dead": 0}}
        self.assertEqual(sent["data"], expected)

    def test_mappings_and_nothing_are_payloads_too(self):
        first, second = self.sent(Event(Kind.SEED_PRUNED, {"reason": "x"}), Event(Kind.TAMIYO_INITIATED))[:2]
        self.assertEqual((first["data"], second["data"]), ({"reason": "x"}, {}))

    def test_what_an_emitter_puts_on_the_event_is_in_the_data(self):
        event = Event(Kind.TAMIYO_INITIATED)
        event.env_id, event.device = 3, "cpu"
        self.assertEqual(self.sent(event)[0]["data"], {"env_id": 3, "device": "cpu"})

    def test_each_policy_group_is_a_group_of_the_run_and_ends_with_it(self):
        events = self.sent(
            Event(Kind.TRAINING_STARTED, Started(), group_id="A"),
            Event(Kind.TRAINING_STARTED, Started(), group_id="B"),
            Event(Kind.TAMIYO_INITIATED, group_id="A"),
        )
        by_group = {
            group: [event["event_type"] for event in events if event["group_id"] == group] for group in ("A", "B")
        }
        self.assertEqual(by_group["A"], ["TRAINING_STARTED", "TAMIYO_INITIATED", "RUN_FINISHED"])
        self.assertEqual(by_group["B"], ["TRAINING_STARTED", "RUN_FINISHED"])
        # A group that no event named has no heartbeats and no end.
        self.assertEqual(len(events), 5)

    def test_the_hubs_default_group_is_the_one_that_the_output_was_opened_with(self):
        events = self.sent(Event(Kind.TAMIYO_INITIATED), Event(Kind.TAMIYO_INITIATED, group_id="A"), group="A")
        self.assertEqual({event["group_id"] for event in events}, {"A"})
        self.assertEqual([event["emitter_seq"] for event in events], [1, 2, 3])

    def test_no_heartbeat_begins_a_run_that_has_no_events(self):
        server = self.server()
        output = self.output(server, options=options(heartbeat_interval=0.01))
        output.emit(Event(Kind.TAMIYO_INITIATED, group_id="A"))
        wait_until(lambda: server.of_type("RUN_HEARTBEAT"))
        output.close()
        self.assertEqual({event["group_id"] for event in server.events}, {"A"})

    def test_an_event_that_cannot_be_read_is_counted_and_does_not_raise(self):
        server = self.server()
        output = self.output(server)
        with self.assertLogs("runlog", "WARNING") as logs:
            output.emit(Unreadable())
            output.emit(Unreadable())
            output.emit(Event(Kind.TAMIYO_INITIATED))
            output.close()
        self.assertIn("cannot be sent: RuntimeError: no", logs.output[0])
        self.assertEqual(output.stats()["lost"]["queue_full"], 2)
        (report,) = server.of_type("EMITTER_EVENTS_LOST")
        self.assertEqual(report["data"]["lost"], 2)

    def test_an_exception_on_its_way_out_fails_the_run(self):
        server = self.server()
        output = self.output(server)
        output.emit(Event(Kind.TRAINING_STARTED, Started()))
        with self.assertRaises(ZeroDivisionError):
            try:
                1 / 0  # noqa: B018
            finally:
                output.close()
        (failed,) = server.of_type("RUN_FAILED")
        self.assertIn("ZeroDivisionError", failed["data"]["traceback"])

    def test_close_may_leave_the_end_to_others(self):
        events = self.sent(Event(Kind.TRAINING_STARTED, Started()), ends_run=False)
        self.assertEqual([event["event_type"] for event in events], ["TRAINING_STARTED"])
        server = self.server()
        run = self.start(server.url)
        output = runlog.esper.RunlogOutput(run)
        output.emit(Event(Kind.TAMIYO_INITIATED))
        output.close()
        self.assertEqual(len(server.events), 1)
        run.log({"loss": 1})
        self.assertTrue(run.flush(WAIT_MAX_S))
        self.assertEqual(len(server.events), 2)

    def test_it_can_be_closed_twice_and_started_again(self):
        server = self.server()
        output = self.output(server)
        output.emit(Event(Kind.TAMIYO_INITIATED))
        output.close()
        output.close()
        output.start()
        output.emit(Event(Kind.TAMIYO_INITIATED))
        output.close()
        self.assertEqual({event["run_id"] for event in server.events}, {"e1"})
        self.assertEqual(len({event["emitter_id"] for event in server.events}), 2)

    def test_a_name_that_cannot_work_is_refused_when_the_hub_starts_it(self):
        with self.assertRaisesRegex(ValueError, "run must be"):
            runlog.esper.RunlogOutput("a b").start()

    def test_the_launcher_knows_the_ranks_that_the_payload_does_not(self):
        server = self.server()
        with mock.patch.dict(os.environ, environment(**TORCHRUN), clear=True):
            output = self.output(server)
        output.emit(Event(Kind.TRAINING_STARTED, Started()))
        output.close()
        self.assertEqual([event["event_type"] for event in server.events], ["RANK_STARTED", "RANK_FINISHED"])
        data = server.events[0]["data"]["started"]
        self.assertEqual((data["rank"], data["world_size"], data["local_rank"]), (3, 8, 1))

    def test_a_server_that_is_away_holds_up_nothing_and_the_rest_is_spooled(self):
        output = runlog.esper.RunlogOutput(
            "e1", url="http://127.0.0.1:1", spool=self.spool, options=options(exit_timeout=0.2)
        )
        output.start()
        events = [Event(Kind.TAMIYO_INITIATED) for _ in range(300)]
        for event in events:
            output.emit(event)
        output.close()
        self.assertEqual(
            [line["event_id"] for line in self.spooled_lines()[:300]], [event.event_id for event in events]
        )

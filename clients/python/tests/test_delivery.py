"""Delivery of events to a server that does not simply accept them."""

import json
import unittest

from support import (
    WAIT_MAX_S,
    EmitterTest,
    accepted,
    at_most,
    first_of_each,
    free_port,
    hang,
    missing_of,
    refuse,
    reset,
    take_and_reset,
    take_but_retry,
    taken_together,
    trickle,
    wait_until,
)


class DeliveryTest(EmitterTest):
    def emitted(self, server, count=300, **overrides):
        run = self.start(server.url, **overrides)
        for index in range(count):
            run.emit("X", index=index)
        return run

    def indexes(self, server):
        return [event["data"]["index"] for event in server.of_type("X")]

    def first_indexes(self, server):
        """Requests may time out and be sent again here, although they arrive."""
        return [event["data"]["index"] for event in first_of_each(server.of_type("X"))]

    def test_events_arrive_once_and_in_order(self):
        server = self.server()
        run = self.emitted(server, 3000)
        self.assertTrue(run.flush(WAIT_MAX_S))
        self.assertEqual(self.indexes(server), list(range(3000)))
        self.assertTrue(all(request["Content-Encoding"] == "gzip" for request in server.requests))

    def test_a_batch_has_a_bounded_number_of_events(self):
        server = self.server(otherwise=at_most(50))
        run = self.emitted(server, 300, batch_events_max=50)
        self.assertTrue(run.flush(WAIT_MAX_S))
        self.assertEqual(len(self.indexes(server)), 300)

    def test_events_that_are_refused_for_now_are_sent_again(self):
        server = self.server(refuse(503), refuse(429), refuse(408), refuse(500), reset)
        run = self.emitted(server)
        self.assertTrue(run.flush(WAIT_MAX_S))
        self.assertEqual(self.indexes(server), list(range(300)))

    def test_retry_after_is_waited_for(self):
        server = self.server(refuse(503, Retry_After="0.4"))
        run = self.emitted(server, 10)
        self.assertTrue(run.flush(WAIT_MAX_S))
        first, second = server.came_at[:2]
        self.assertGreaterEqual(second - first, 0.4)
        self.assertEqual(self.indexes(server), list(range(10)))

    def test_only_the_events_named_by_retry_indexes_are_sent_again(self):
        server = self.server(take_but_retry((2, 4), (7, 7)))
        run = self.start(server.url)
        with taken_together(run):
            for index in range(10):
                run.emit("X", index=index)
        self.assertTrue(run.flush(WAIT_MAX_S))
        self.assertEqual(self.indexes(server), [0, 1, 5, 6, 8, 9, 2, 3, 4, 7])
        self.assertEqual(len({event["event_id"] for event in server.events}), 10)

    def test_an_event_of_unknown_fate_is_sent_again_unchanged(self):
        server = self.server(take_and_reset)
        run = self.emitted(server, 5)
        self.assertTrue(run.flush(WAIT_MAX_S))
        by_number = {}
        for event in server.events:
            self.assertEqual(by_number.setdefault(event["emitter_seq"], event), event)
        self.assertEqual(sorted(by_number), [1, 2, 3, 4, 5])
        self.assertGreater(len(server.events), 5)

    def test_a_body_that_is_too_large_is_halved_until_it_passes(self):
        server = self.server(otherwise=at_most(7))
        run = self.emitted(server, 100)
        self.assertTrue(run.flush(WAIT_MAX_S))
        self.assertEqual(self.indexes(server), list(range(100)))

    def test_an_event_too_large_for_the_server_alone_is_counted_and_the_rest_passes(self):
        def step(exchange):
            if any(b'"index":3}' in line for line in exchange.lines()):
                exchange.answer(413)
            else:
                at_most(1000)(exchange)

        server = self.server(otherwise=step)
        run = self.emitted(server, 10)
        self.assertTrue(run.flush(WAIT_MAX_S))
        self.assertEqual(self.indexes(server), [0, 1, 2, 4, 5, 6, 7, 8, 9])
        self.assertEqual(run.stats()["lost"]["oversize"], 1)

    def test_a_413_sent_before_the_body_was_read_is_understood(self):
        def early(exchange):
            exchange.handler.wfile.write(b"HTTP/1.1 413 X\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")
            exchange.handler.close_connection = True
            exchange.handler.rfile.read(int(exchange.headers["Content-Length"]))

        server = self.server(early, early)
        run = self.start(server.url)
        with taken_together(run):
            for index in range(100):
                run.emit("X", index=index)
        self.assertTrue(run.flush(WAIT_MAX_S))
        self.assertEqual(self.indexes(server), list(range(100)))

    def test_a_kept_connection_that_the_server_closed_is_not_a_failure(self):
        def close_after(exchange):
            at_most(1000)(exchange)
            exchange.handler.close_connection = True

        server = self.server(otherwise=close_after)
        run = self.start(server.url, backoff_min=60, backoff_max=60)
        for index in range(5):
            run.emit("X", index=index)
            wait_until(lambda index=index: len(self.indexes(server)) == index + 1)
        self.assertTrue(run.flush(WAIT_MAX_S))

    def test_answers_in_other_forms_of_http_are_understood(self):
        def chunked(exchange):
            exchange.keep(list(range(len(exchange.lines()))))
            body = json.dumps(accepted(len(exchange.lines()))).encode()
            parts = b"".join(b"%x;x=y\r\n%s\r\n" % (len(part), part) for part in (body[:7], body[7:]))
            head = b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
            exchange.handler.wfile.write(head + parts + b"0\r\nTrailer: t\r\n\r\n")

        def until_closed(exchange):
            exchange.keep(list(range(len(exchange.lines()))))
            exchange.handler.wfile.write(b"HTTP/1.0 200 OK\r\n\r\n" + json.dumps(accepted(1)).encode())
            exchange.handler.close_connection = True

        def garbage(exchange):
            exchange.lines()
            exchange.handler.wfile.write(b"SSH-2.0-OpenSSH_9.6\r\n\r\n")
            exchange.handler.close_connection = True

        server = self.server(chunked, until_closed, garbage)
        run = self.start(server.url)
        for index in range(4):
            run.emit("X", index=index)
            self.assertTrue(run.flush(WAIT_MAX_S))
        self.assertEqual(self.indexes(server), [0, 1, 2, 3])
        self.assertEqual(len(server.requests), 5)

    def test_a_server_that_hangs_costs_one_request_timeout(self):
        server = self.server(hang)
        run = self.emitted(server, 10, request_timeout=1)
        self.assertTrue(run.flush(WAIT_MAX_S))
        self.assertEqual(self.first_indexes(server), list(range(10)))

    def test_an_answer_that_trickles_ends_with_the_request_timeout(self):
        server = self.server(trickle)
        run = self.emitted(server, 10, request_timeout=1)
        self.assertTrue(run.flush(WAIT_MAX_S))
        self.assertEqual(self.first_indexes(server), list(range(10)))

    def test_an_answer_that_is_not_runlogs_loses_nothing(self):
        server = self.server(
            lambda exchange: exchange.answer(200, {"ok": True}),
            lambda exchange: exchange.answer(200, []),
            refuse(401),
            refuse(404),
            refuse(302, Location="http://127.0.0.1:9/"),
        )
        run = self.emitted(server, 10)
        self.assertTrue(run.flush(WAIT_MAX_S))
        self.assertEqual(self.indexes(server), list(range(10)))

    def test_a_full_queue_drops_the_oldest_metrics_never_a_lifecycle_event_and_says_how_many(self):
        server = self.server(otherwise=hang)
        run = self.start(
            server.url, spool=False, queue_events_max=100, memory_bytes_max=2000, request_timeout=1, away_after=60
        )
        run.emit("FIRST")
        wait_until(lambda: server.requests)
        for index in range(1000):
            run.emit("X", index=index)
            if index % 100 == 0:
                run.emit("SEED_PRUNED", slot_id="r0c0", env_id=0, reason="x")
        server.closing.set()
        server.otherwise = at_most(1000)
        self.assertTrue(run.flush(WAIT_MAX_S))
        run.finish()
        self.assertEqual(len(first_of_each(server.of_type("SEED_PRUNED"))), 10)
        kept = self.first_indexes(server)
        self.assertEqual(kept[-100:], list(range(900, 1000)))
        lost = server.of_type("EMITTER_EVENTS_LOST")[-1]["data"]
        self.assertEqual(lost["lost_total"], 1000 - len(kept))
        self.assertEqual(lost["reasons"], {"queue_full": 1000 - len(kept)})
        self.assertEqual(missing_of(server.events), 0)

    def test_memory_stays_bounded_while_nothing_can_be_sent_or_spooled(self):
        run = self.start(f"http://127.0.0.1:{free_port()}", spool=False, queue_events_max=500, memory_bytes_max=50_000)
        for index in range(20_000):
            run.emit("X", index=index)
        wait_until(lambda: run.stats()["in_memory"] > 0)
        self.assertLessEqual(run.stats()["queued"], 500)
        self.assertLess(run._emitter.memory.bytes, 50_000 + 200 * 400)


if __name__ == "__main__":
    unittest.main()

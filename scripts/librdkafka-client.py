"""Writes or reads the records of one topic with librdkafka, as scripts/record-batches.ts asks.

librdkafka-client.py produce BROKERS TOPIC CODEC   records as JSON on stdin, written as one batch
librdkafka-client.py consume BROKERS TOPIC COUNT   the first COUNT records as JSON on stdout
"""

import json
import sys

from confluent_kafka import Consumer, Producer


def produce(brokers: str, topic: str, codec: str) -> None:
    records = json.load(sys.stdin)
    producer = Producer({
        "bootstrap.servers": brokers,
        "compression.type": codec,
        "linger.ms": 2000,
        "message.max.bytes": 1000000,
        "batch.size": 1000000,
        "enable.idempotence": True,
    })
    failed = []
    for record in records:
        producer.produce(
            topic,
            key=record["key"],
            value=record["value"],
            headers=list(record["headers"].items()),
            timestamp=record["timestampMs"],
            partition=0,
            on_delivery=lambda error, _: failed.append(error) if error else None,
        )
    if producer.flush(30) or failed:
        sys.exit(f"not written: {failed}")


def consume(brokers: str, topic: str, count: int) -> None:
    consumer = Consumer({
        "bootstrap.servers": brokers,
        "group.id": f"{topic}-reader",
        "auto.offset.reset": "earliest",
        "check.crcs": True,
    })
    consumer.subscribe([topic])
    records = []
    while len(records) < count:
        message = consumer.poll(30)
        if message is None or message.error():
            sys.exit(f"not read: {message and message.error()}")
        records.append({
            "key": message.key().decode(),
            "value": message.value().decode(),
            "headers": {name: value.decode() for name, value in message.headers() or []},
            "timestampMs": message.timestamp()[1],
        })
    consumer.close()
    json.dump(records, sys.stdout)


if sys.argv[1] == "produce":
    produce(*sys.argv[2:])
else:
    consume(sys.argv[2], sys.argv[3], int(sys.argv[4]))

"""Sends log records by the OpenTelemetry SDK, unmodified: URL, RUN, EVENTS and PER_SECOND are in the environment."""

import os
import sys
import time

from opentelemetry._logs import SeverityNumber
from opentelemetry.exporter.otlp.proto.http import Compression
from opentelemetry.exporter.otlp.proto.http._log_exporter import OTLPLogExporter
from opentelemetry.sdk._logs import LoggerProvider
from opentelemetry.sdk._logs.export import BatchLogRecordProcessor
from opentelemetry.sdk.resources import Resource

events = int(os.environ["EVENTS"])
per_second = float(os.environ["PER_SECOND"])

exporter = OTLPLogExporter(
    endpoint=os.environ["URL"] + "/v1/logs",
    compression=Compression.Gzip,
    # With the 10 s that it has by itself a batch is given up when an outage takes longer.
    timeout=300,
)
provider = LoggerProvider(resource=Resource.create({"service.name": "train", "runlog.run": os.environ["RUN"]}))
# By itself the queue holds 2,048 records and drops what does not fit.
provider.add_log_record_processor(
    BatchLogRecordProcessor(exporter, max_queue_size=events, schedule_delay_millis=500)
)
logger = provider.get_logger("train")

began = time.monotonic()
for n in range(events):
    logger.emit(
        timestamp=time.time_ns(),
        severity_number=SeverityNumber.INFO,
        severity_text="INFO",
        body=f"step {n} done",
        attributes={"n": n, "loss": 1 / (n + 1)},
        event_name="step.done",
    )
    if n % 100 == 99:
        time.sleep(max(0.0, began + n / per_second - time.monotonic()))
sys.stdout.write("made\n")
sys.stdout.flush()
ok = provider.force_flush(300_000)
provider.shutdown()
sys.exit(0 if ok else 1)

/**
 * Sends log records by the OpenTelemetry SDK for JavaScript, unmodified: URL, RUN, EVENTS, PER_SECOND and ENCODING are in the
 * environment.
 */
import { setTimeout as delay } from 'node:timers/promises';
import { SeverityNumber } from '@opentelemetry/api-logs';
import { OTLPLogExporter as JsonExporter } from '@opentelemetry/exporter-logs-otlp-http';
import { OTLPLogExporter as ProtoExporter } from '@opentelemetry/exporter-logs-otlp-proto';
import { resourceFromAttributes } from '@opentelemetry/resources';
import { BatchLogRecordProcessor, LoggerProvider } from '@opentelemetry/sdk-logs';

const { URL: url, RUN: run, EVENTS: events, PER_SECOND: perSecond, ENCODING: encoding } = process.env;
const count = Number(events);
/** With the 10 s that it has by itself a batch is given up when an outage takes longer. */
const timeoutMillis = 300_000;

const settings = {
  url: `${url}/v1/logs`,
  timeoutMillis,
  ...(encoding === 'proto' && { compression: 'gzip' as never }),
};
const exporter = encoding === 'proto' ? new ProtoExporter(settings) : new JsonExporter(settings);
const processor = new BatchLogRecordProcessor({
  exporter,
  // By itself the queue holds 2,048 records and drops what does not fit.
  maxQueueSize: count,
  scheduledDelayMillis: 500,
  exportTimeoutMillis: timeoutMillis,
});
const provider = new LoggerProvider({
  resource: resourceFromAttributes({ 'service.name': 'train', 'runlog.run': run! }),
  processors: [processor],
});
const logger = provider.getLogger('train');

const startMs = performance.now();
for (let n = 0; n < count; ) {
  const due = Math.min(count, ((performance.now() - startMs) / 1_000) * Number(perSecond));
  for (; n < due; n += 1) {
    logger.emit({
      eventName: 'step.done',
      timestamp: Date.now(),
      severityNumber: SeverityNumber.INFO,
      severityText: 'INFO',
      body: `step ${n} done`,
      attributes: { n, loss: 1 / (n + 1) },
    });
  }
  await delay(100);
}
await provider.forceFlush({ timeoutMillis });
await provider.shutdown();

import { decodeRejected } from '@runlog/records/rejected-record';
import { type ReplayOptions, replay } from '@runlog/run-feed/replay';
import { cutLetters } from '@runlog/schema/run/cut-text';
import { compileGlob } from '@runlog/schema/run/run-glob';
import { printable } from '@runlog/service-kit/printable';
import type { LogRecord, TopicIo } from '@runlog/topic-io/topic-io';
import {
  type Command,
  CommandError,
  exitCodes,
  parseCommandLine,
  UsageError,
  wholeNumber,
} from '../command.ts';
import { logAccessVariables, withLog } from '../log/log-access.ts';
import { unreadableLine } from '../log/unreadable-line.ts';
import { stopSignal } from '../stop-signal.ts';

const SHOWN_LETTERS_MAX = 200;

const options = {
  cluster: { type: 'string', value: 'NAME', help: 'only those of this cluster' },
  run: { type: 'string', value: 'GLOB', help: 'only those whose cluster/run/group matches, such as "c1/*"' },
  code: {
    type: 'string',
    value: 'CODE',
    help: 'only those rejected for this reason: schema, invalid_json, unfoldable, unreadable_batch …',
  },
  key: { type: 'string', value: 'ID', help: 'only those sent with this key' },
  since: {
    type: 'string',
    value: 'TIME',
    help: 'only those received at or after this time, such as 2026-01-03T23:00:00Z',
  },
  limit: { type: 'string', value: 'N', help: 'the newest N (default: 50)' },
  json: { type: 'boolean', help: 'one JSON object per line, with everything that was kept of the event' },
} as const;

export const command: Command = {
  usage: '[options]',
  description:
    'Lists the events that ingest rejected, the records that no fold could read and the batches that nobody could, newest last. They come from the topic `run-events-rejected`, which keeps up to 64 KiB of each with the reason; values that look like secrets are redacted. Keeping them is best effort: the answer of ingest to the request is what counts.\nExit code: 0 listed, 1 the log refuses, 3 the log cannot be reached.',
  options,
  examples: [
    'runlog rejected',
    'runlog rejected --run "c1/*" --code schema --limit 500',
    'runlog rejected --json | jq .event',
  ],
  environment: logAccessVariables,
  run: async (args, env) => {
    const { values } = parseCommandLine(args, options);
    const limit = wholeNumber({ name: 'limit', text: values.limit, fallback: 50, min: 1, max: 1_000_000 });
    const sinceMs = timeOf(values.since);
    const matches = filterOf(values);
    return withLog(env, { command: 'rejected', readOnly: true }, async ({ io, config }) => {
      const topic = config.topics.rejected;
      if ((await io.describeTopic(topic, ['read'])) === null) {
        throw new CommandError(`there is no topic ${topic}; is RUNLOG_TOPIC_PREFIX right?`, exitCodes.failed);
      }
      const onUnreadable: ReplayOptions['onUnreadable'] = (batch, partition) =>
        void process.stderr.write(`${unreadableLine(batch, { topic, partition })}\n`);
      const ranges = await rangesSince(io, { topic, sinceMs });
      const newest: LogRecord[] = [];
      let more = 0;
      for await (const { record } of replay(io, { topic, ranges, signal: stopSignal(), onUnreadable })) {
        if (!matches(record)) continue;
        newest.push(record);
        // The list is cut in large steps: removing one item at a time from the front of a long array is slow.
        if (newest.length >= 2 * limit) more += newest.splice(0, newest.length - limit).length;
      }
      more += newest.splice(0, Math.max(0, newest.length - limit)).length;
      const lines = newest.map(values.json === true ? jsonLine : textLines);
      process.stdout.write(lines.join(''));
      if (values.json !== true && newest.length === 0) process.stdout.write('nothing was rejected\n');
      if (more > 0) process.stderr.write(`${more} older not shown; raise --limit to see more\n`);
      return exitCodes.ok;
    });
  },
};

async function rangesSince(io: TopicIo, { topic, sinceMs }: { topic: string; sinceMs: number | null }) {
  const bounds = await io.bounds(topic);
  return Promise.all(
    bounds.map(async ({ startOffset, stableEnd }, partition) => ({
      partition,
      from:
        sinceMs === null ? startOffset : await io.offsetAtTime({ topic, partition, timestampMs: sinceMs }),
      to: stableEnd,
    })),
  );
}

function filterOf(values: {
  cluster?: string | undefined;
  run?: string | undefined;
  code?: string | undefined;
  key?: string | undefined;
}): (record: LogRecord) => boolean {
  const { cluster, code, key } = values;
  const glob = values.run === undefined ? null : compileGlob(values.run);
  return (record) => {
    const rejected = decodeRejected(record);
    return (
      (cluster === undefined || record.key === cluster || record.key.startsWith(`${cluster}/`)) &&
      (code === undefined || rejected.code === code) &&
      (key === undefined || rejected.keyId === key) &&
      (glob === null || glob(record.key))
    );
  };
}

function jsonLine(record: LogRecord): string {
  const { key, receivedAt, code, path, message, keyId, origin, text } = decodeRejected(record);
  const line = {
    received_at: receivedAt,
    run: key,
    code,
    path: path ?? '',
    message: message ?? '',
    key_id: keyId,
    origin,
    event: text,
  };
  return `${JSON.stringify(line)}\n`;
}

function textLines(record: LogRecord): string {
  const { key, receivedAt, code, path, message, keyId, origin, text } = decodeRejected(record);
  const reason = `${path ? `${path} ` : ''}${message ?? ''}`;
  const shown = cutLetters(text ?? '', SHOWN_LETTERS_MAX);
  const by = keyId ?? origin ?? '-';
  const head = printable(`${receivedAt ?? '-'}  ${key}  ${code ?? '-'}: ${reason}  (${by})`);
  return `${head}\n    ${printable(shown)}\n`;
}

function timeOf(text: string | undefined): number | null {
  if (text === undefined) return null;
  const timestampMs = Date.parse(text);
  if (Number.isNaN(timestampMs)) throw new UsageError(`--since must be an ISO time (is "${text}")`);
  return timestampMs;
}

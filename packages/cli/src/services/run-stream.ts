import { formatPosition } from '@runlog/schema/run/position-text';
import { formatRunKey, type RunKey } from '@runlog/schema/run/run-key';
import type { Position } from '@runlog/schema/run/snapshot';
import { type GatewayTarget, openStream } from './gateway-client.ts';

/** The gateway sends a sign of life every 25 s; a stream that is silent for this long is dead. */
const SILENCE_MS_MAX = 40_000;
/** Bounds the length of one event of the stream. The largest frame holds a whole snapshot. */
const EVENT_CHARS_MAX = 4 * 1024 * 1024;

/**
 * Yields the data of each server-sent event of a run's stream until the connection ends. Rejects when the connection
 * breaks or is silent.
 */
export async function* openRunStream(
  target: GatewayTarget,
  run: { key: RunKey; since: Position | null; signal: AbortSignal },
): AsyncGenerator<string> {
  const silence = new AbortController();
  const timer = setTimeout(() => silence.abort(new Error('the gateway has fallen silent')), SILENCE_MS_MAX);
  try {
    const body = await openStream(target, {
      path: `/v1/runs/${formatRunKey(run.key)}/stream`,
      lastEventId: run.since === null ? null : formatPosition(run.since),
      signal: AbortSignal.any([run.signal, silence.signal]),
    });
    yield* eventData(body, () => timer.refresh());
  } finally {
    clearTimeout(timer);
  }
}

/** Splits a `text/event-stream` into the data of its events. Comments and ids are skipped. */
export async function* eventData(
  chunks: AsyncIterable<Uint8Array>,
  onChunk: () => void = () => {},
): AsyncGenerator<string> {
  const decoder = new TextDecoder();
  let rest = '';
  let data: string[] = [];
  for await (const chunk of chunks) {
    onChunk();
    rest += decoder.decode(chunk, { stream: true });
    if (rest.length > EVENT_CHARS_MAX) throw new Error('the gateway sends a line that does not end');
    const lines = rest.split('\n');
    rest = lines.pop()!;
    for (const ended of lines) {
      const line = ended.endsWith('\r') ? ended.slice(0, -1) : ended;
      if (line.startsWith('data:')) data.push(line.slice(line.startsWith('data: ') ? 6 : 5));
      else if (line === '' && data.length > 0) {
        yield data.join('\n');
        data = [];
      }
    }
  }
}

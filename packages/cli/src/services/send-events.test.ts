import { once } from 'node:events';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { IngestResponse } from '@runlog/schema/http/ingest-api';
import { afterEach, describe, expect, test } from 'vitest';
import { CommandError } from '../command.ts';
import { retryAfterMs, retryDelayMs } from '../retry.ts';
import { type SendOptions, sendEvents } from './send-events.ts';

interface Received {
  readonly lines: readonly string[];
  readonly headers: IncomingMessage['headers'];
}

const closing: (() => void)[] = [];

afterEach(() => {
  for (const close of closing.splice(0)) close();
});

/** Answers the first request with the first script, and so on; the last script answers all that follow. */
async function scripted(...answers: ((response: ServerResponse, received: Received) => void)[]) {
  const requests: Received[] = [];
  const server = createServer(async (request, response) => {
    const chunks: Buffer[] = [];
    for await (const chunk of request as AsyncIterable<Buffer>) chunks.push(chunk);
    const lines = Buffer.concat(chunks).toString('utf8').trimEnd().split('\n');
    const received = { lines, headers: request.headers };
    requests.push(received);
    answers[Math.min(requests.length, answers.length) - 1]!(response, received);
  }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  closing.push(() => {
    server.closeAllConnections();
    server.close();
  });
  const { port } = server.address() as { port: number };
  return { url: `http://127.0.0.1:${port}`, requests };
}

function judged(overrides: Partial<IngestResponse>) {
  return (response: ServerResponse) => {
    const body = {
      accepted: 0,
      rejected: 0,
      retry: 0,
      normalized: 0,
      errors: [],
      errors_unlisted: 0,
      retry_indexes: [],
      ...overrides,
    };
    response.writeHead(200, { 'content-type': 'application/json' }).end(JSON.stringify(body));
  };
}

function fault(status: number, message: string, headers: Record<string, string> = {}) {
  return (response: ServerResponse) => {
    response.writeHead(status, headers).end(JSON.stringify({ error: { code: 'x', message } }));
  };
}

const lines = ['a', 'b', 'c', 'd', 'e'].map((text) => Buffer.from(text));

function send(url: string, overrides: Partial<SendOptions> = {}) {
  return sendEvents(
    lines,
    { ingestUrl: url, key: () => 'secret', clusterId: 'c1' },
    { random: () => 0, now: () => performance.now(), patienceMs: 60_000, ...overrides },
  );
}

describe('sending events', () => {
  test('names cluster and key, and counts what ingest says', async () => {
    const ingest = await scripted(judged({ accepted: 5, normalized: 2 }));
    expect(await send(ingest.url)).toEqual({ accepted: 5, normalized: 2, rejected: 0, errors: [] });
    expect(ingest.requests).toHaveLength(1);
    expect(ingest.requests[0]).toMatchObject({
      lines: ['a', 'b', 'c', 'd', 'e'],
      headers: {
        authorization: 'Bearer secret',
        'x-cluster-id': 'c1',
        'content-type': 'application/x-ndjson',
      },
    });
  });

  test('sends again the events that are asked for, in order, and keeps the indexes of the rejected ones', async () => {
    const rejection = {
      index: 2,
      event_id: null,
      code: 'schema',
      path: 'run_id',
      message: 'is required',
    } as const;
    const ingest = await scripted(
      judged({
        accepted: 2,
        retry: 3,
        retry_indexes: [
          [1, 1],
          [3, 4],
        ],
      }),
      judged({ accepted: 2, rejected: 1, errors: [rejection] }),
    );
    const outcome = await send(ingest.url);
    expect(ingest.requests.map((request) => request.lines)).toEqual([
      ['a', 'b', 'c', 'd', 'e'],
      ['b', 'd', 'e'],
    ]);
    expect(outcome).toMatchObject({ accepted: 4, rejected: 1, errors: [{ ...rejection, index: 4 }] });
  });

  test.each([408, 429, 500, 502, 503, 504])('retries after %i, when the server says', async (status) => {
    const waits: number[] = [];
    const ingest = await scripted(
      fault(status, 'not now', { 'retry-after': '0' }),
      (response) => response.destroy(),
      judged({ accepted: 5 }),
    );
    const outcome = await send(ingest.url, { onRetry: ({ delayMs }) => waits.push(delayMs) });
    expect(outcome.accepted).toBe(5);
    expect(ingest.requests).toHaveLength(3);
    expect(waits).toHaveLength(2);
  });

  test.each([
    [401, 'RUNLOG_KEY'],
    [403, 'may not publish'],
    [404, "is it runlog's ingest"],
    [413, 'answered 413'],
  ])('does not retry after %i', async (status, message) => {
    const ingest = await scripted(fault(status, 'no'));
    await expect(send(ingest.url)).rejects.toThrow(message);
    expect(ingest.requests).toHaveLength(1);
  });

  test('gives up with exit code 3 when its patience runs out', async () => {
    const ingest = await scripted(fault(503, 'the log is away'));
    const error = await send(ingest.url, { patienceMs: 0 }).catch((thrown: unknown) => thrown);
    expect(error).toBeInstanceOf(CommandError);
    expect(error).toMatchObject({ exitCode: 3, message: expect.stringContaining('the log is away') });
  });

  test('stops waiting when it is told to', async () => {
    const ingest = await scripted(fault(503, 'the log is away', { 'retry-after': '60' }));
    const stop = new AbortController();
    const sending = send(ingest.url, { signal: stop.signal, onRetry: () => stop.abort() });
    await expect(sending).rejects.toThrow(/abort/i);
  });

  test('asks for the key before each request: its file may have been replaced', async () => {
    const { url, requests } = await scripted(fault(503, 'later'), judged({ accepted: 5 }));
    const keys = ['former', 'new'];
    await sendEvents(
      lines,
      { ingestUrl: url, key: () => keys.shift(), clusterId: undefined },
      { random: () => 0, now: () => performance.now(), patienceMs: 60_000 },
    );
    expect(requests.map(({ headers }) => headers.authorization)).toEqual(['Bearer former', 'Bearer new']);
  });
});

describe('waiting before another attempt', () => {
  test('reads Retry-After as seconds or as a date, and never waits longer than a minute for it', () => {
    const nowMs = Date.parse('2026-01-03T23:59:47Z');
    expect(retryAfterMs('3', nowMs)).toBe(3_000);
    expect(retryAfterMs('Sat, 03 Jan 2026 23:59:52 GMT', nowMs)).toBe(5_000);
    expect(retryAfterMs('86400', nowMs)).toBe(60_000);
    expect(retryAfterMs('soon', nowMs)).toBe(0);
    expect(retryAfterMs(null, nowMs)).toBe(0);
  });

  test('grows, is spread, is bounded, and is never shorter than what the server asked for', () => {
    const delay = (attempt: number, random: number, retryAfter = 0) =>
      retryDelayMs({ attempt, retryAfterMs: retryAfter, random: () => random });
    expect(delay(0, 0)).toBe(100);
    expect(delay(3, 0)).toBeGreaterThan(delay(1, 0.99));
    expect(delay(1_000, 0.999)).toBeLessThanOrEqual(5_000);
    expect(delay(0, 0, 3_000)).toBe(3_000);
    expect(delay(0, 0.5, 3_000)).toBeGreaterThan(3_000);
  });
});

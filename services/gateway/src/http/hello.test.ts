import { describe, expect, it } from 'vitest';
import { rawGet } from '../../../../test/support/raw-get.ts';
import { startMadeUpGateway } from '../made-up/made-up-gateway.ts';
import { ManualClock } from '../made-up/manual-clock.ts';

const NOW = '2026-11-28T03:00:00.042Z';

async function hello(of: { ingestUrl?: string; host?: string }): Promise<unknown> {
  const { ingestUrl, host } = of;
  await using gateway = await startMadeUpGateway({
    clock: new ManualClock(Date.parse(NOW)),
    answeredHosts: null,
    ...(ingestUrl === undefined ? {} : { ingestUrl }),
  });
  const answer = await rawGet(`${gateway.url}/v1/hello`, { headers: host === undefined ? {} : { host } });
  expect(answer).toMatchObject({ status: 200, headers: { 'cache-control': 'no-store' } });
  return JSON.parse(answer.body.toString());
}

describe('GET /v1/hello', () => {
  it('says the time here, and that nobody told it where ingest is', async () => {
    expect(await hello({})).toEqual({ server: 'runlog/0.1.0', now: NOW, ingest_url: null });
  });

  it.each([
    ['the configured address as it is', 'https://runs.example/ingest', 'board.example', undefined],
    ['a loopback address as it is', 'http://127.0.0.1:4000', 'board.example', undefined],
    [
      'the host of the request for every address',
      'http://0.0.0.0:4000',
      'board.example:8080',
      'http://board.example:4000',
    ],
    ['the same with IPv6', 'http://[::]:4000', '[fe80::1]:8080', 'http://[fe80::1]:4000'],
    ['no host that is none', 'http://0.0.0.0:4000', 'a b', undefined],
  ])('names %s', async (_, ingestUrl, host, told) => {
    expect(await hello({ ingestUrl, host })).toMatchObject({ ingest_url: told ?? ingestUrl });
  });
});

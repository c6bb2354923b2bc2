import { describe, expect, it } from 'vitest';
import type { LinkStatus } from './connection.ts';
import { describeLink } from './link-state.tsx';

const SERVER_MS = Date.UTC(2026, 10, 27, 7, 40);
type At = Parameters<typeof describeLink>[1];
const at = (overrides: Partial<At> = {}): At => ({
  ...{ feed: { state: 'live' }, silentMs: 0, behindMs: null, monotonicMs: 10_000, serverMs: SERVER_MS },
  ...overrides,
});
const open: LinkStatus = { state: 'open' };

describe('the connection', () => {
  it.each<[string, string, LinkStatus, At]>([
    ['connecting …', 'warn', { state: 'connecting' }, at()],
    ['connected', 'good', open, at()],
    ['connected · 0.03 s behind', 'good', open, at({ behindMs: 30 })],
    ['connected · 2.0 s behind', 'good', open, at({ behindMs: 2_000 })],
    ['no answer for 8.0 s', 'warn', open, at({ silentMs: 8_000, behindMs: 30 })],
    ['connected · 7.0 s behind', 'warn', open, at({ behindMs: 7_000 })],
    [
      'the log does not answer, nothing new since 07:32 UTC',
      'bad',
      open,
      at({ feed: { state: 'stalled', since: '2026-11-27T07:32:00.000Z' } }),
    ],
    ['connection lost, trying again in 8 s', 'warn', { state: 'waiting', retryAtMs: 17_001 }, at()],
    ['connection lost, trying again in 0 s', 'warn', { state: 'waiting', retryAtMs: 9_000 }, at()],
    ['refused (7 no more)', 'bad', { state: 'stopped', code: 7, reason: 'no more' }, at()],
    ['closed', 'bad', { state: 'closed' }, at()],
  ])('says: %s', (text, tone, status, moment) => {
    expect(describeLink(status, moment)).toEqual({ text, tone });
  });
});

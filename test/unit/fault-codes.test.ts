import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { eventFaultCodes, frameFaults, httpFaults } from '@runlog/schema/faults';
import { closeCodes } from '@runlog/schema/stream/close-codes';
import { describe, expect, it } from 'vitest';

const root = fileURLToPath(new URL('../..', import.meta.url));
const protocol = readFileSync(join(root, 'docs/protocol.md'), 'utf8');

/** The cells of the table that follows this text in docs/protocol.md, without the heading. */
function tableAfter(text: string): string[][] {
  const [, after] = protocol.split(text);
  if (after === undefined) throw new Error(`docs/protocol.md does not say "${text}"`);
  const rows = after.slice(after.indexOf('\n|')).trim().split('\n\n')[0]!.split('\n').slice(2);
  return rows.map((row) =>
    row
      .split('|')
      .slice(1, -1)
      .map((cell) => cell.trim()),
  );
}

const again = (retry: boolean) => (retry ? 'yes' : 'no');

describe('docs/protocol.md lists', () => {
  it('every code of an HTTP error, with its status and whether it may be sent again', () => {
    expect(tableAfter('Every HTTP error is').map((cells) => cells.slice(0, 3))).toEqual(
      Object.entries(httpFaults).map(([code, { status, retry }]) => [
        `\`${code}\``,
        String(status),
        again(retry),
      ]),
    );
  });

  it('every code of a rejected event', () => {
    expect(tableAfter('An event of a body is rejected with').map(([code]) => code)).toEqual(
      eventFaultCodes.map((code) => `\`${code}\``),
    );
  });

  it('every code of an error frame', () => {
    expect(tableAfter('An error frame of the stream has').map((cells) => cells.slice(0, 2))).toEqual(
      Object.entries(frameFaults).map(([code, { retry }]) => [`\`${code}\``, again(retry)]),
    );
  });

  it('every code that closes a stream', () => {
    expect(tableAfter('### Close codes').map(([code]) => Number(code))).toEqual(
      Object.values(closeCodes).map(({ close }) => close),
    );
  });
});

describe('every code is used by a service:', () => {
  const sources = ['packages', 'services'].flatMap((place) =>
    readdirSync(join(root, place), { recursive: true, encoding: 'utf8' })
      .filter((name) => /\.tsx?$/.test(name) && !name.includes('.test.') && !name.includes('node_modules'))
      .map((name) => join(place, name))
      .filter((path) => !path.startsWith('packages/schema/'))
      .map((path) => readFileSync(join(root, path), 'utf8')),
  );

  it.each([...new Set([...Object.keys(httpFaults), ...eventFaultCodes.filter((code) => code !== 'schema')])])(
    '%s',
    (code) => {
      expect(sources.length).toBeGreaterThan(100);
      expect(sources.some((text) => text.includes(`'${code}'`))).toBe(true);
    },
  );

  // Some codes are of HTTP too, so only the places that make error frames are searched.
  it.each(Object.keys(frameFaults))('%s is in an error frame', (code) => {
    const senders = [
      'services/gateway/src/fan-out/session.ts',
      'packages/schema/src/stream/subscriptions.ts',
    ];
    const text = senders.map((path) => readFileSync(join(root, path), 'utf8')).join();
    expect(text).toMatch(new RegExp(`fault\\([^;]*'${code}'`));
  });

  it.each(Object.keys(closeCodes).filter((reason) => reason !== 'message_too_big'))(
    '%s closes a stream',
    (reason) => {
      expect(
        sources.some((text) => text.includes(`closeCodes.${reason}`) || text.includes(`'${reason}'`)),
      ).toBe(true);
    },
  );
});

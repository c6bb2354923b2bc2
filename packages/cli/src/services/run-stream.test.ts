import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { eventData } from './run-stream.ts';

async function dataOf(chunks: readonly Uint8Array[]): Promise<string[]> {
  async function* source() {
    yield* chunks;
  }
  const data: string[] = [];
  for await (const each of eventData(source())) data.push(each);
  return data;
}

describe('server-sent events', () => {
  test('are the same however the bytes are cut', async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(fc.jsonValue()), fc.array(fc.nat()), async (values, places) => {
        const texts = values.map((value) => JSON.stringify(value));
        const bytes = Buffer.from(
          texts.map((text, at) => `id: e.${at}\ndata: ${text}\n\n: alive\n\n`).join(''),
        );
        const at = [
          0,
          ...places.map((place) => place % (bytes.length + 1)).sort((a, b) => a - b),
          bytes.length,
        ];
        expect(await dataOf(at.slice(1).map((end, index) => bytes.subarray(at[index], end)))).toEqual(texts);
      }),
    );
  });

  test('may have several lines of data and end with CR LF; one that is cut off is dropped', async () => {
    expect(await dataOf([Buffer.from('data: a\r\ndata:b\r\n\r\ndata: lost\n')])).toEqual(['a\nb']);
  });
});

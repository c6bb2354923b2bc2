import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { type FileLine, splitLines } from './read-lines.ts';

async function linesOf(chunks: readonly Buffer[], lineBytesMax = 1_000): Promise<FileLine[]> {
  async function* source() {
    yield* chunks;
  }
  const lines: FileLine[] = [];
  for await (const line of splitLines(source(), lineBytesMax)) lines.push(line);
  return lines;
}

function cutAt(bytes: Buffer, places: readonly number[]): Buffer[] {
  const at = [0, ...places.map((place) => place % (bytes.length + 1)).sort((a, b) => a - b), bytes.length];
  return at.slice(1).map((end, index) => bytes.subarray(at[index], end));
}

describe('lines of a file', () => {
  test('are the same however the file is cut into chunks', async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(fc.string()), fc.array(fc.nat()), async (texts, places) => {
        const lines = texts.map((text) => text.replace(/[\r\n]/g, ''));
        const bytes = Buffer.from(lines.map((line) => `${line}\n`).join(''));
        const read = await linesOf(cutAt(bytes, places));
        expect(read.map((line) => line.bytes.toString('utf8'))).toEqual(lines);
        expect(read.map((line) => line.number)).toEqual(lines.map((_, index) => index + 1));
      }),
    );
  });

  test('end with LF or CR LF, and the last one may have no line end', async () => {
    const read = await linesOf([Buffer.from('a\r\nb\nc')]);
    expect(read.map((line) => [line.bytes.toString('utf8'), line.unterminated])).toEqual([
      ['a', false],
      ['b', false],
      ['c', true],
    ]);
  });

  test('that exceed the bound are cut, and the next line is whole again', async () => {
    const read = await linesOf([Buffer.from('0123456789'), Buffer.from('0123\nnext\n')], 8);
    expect(read.map((line) => [line.bytes.toString('utf8'), line.cut, line.number])).toEqual([
      ['01234567', true, 1],
      ['next', false, 2],
    ]);
  });
});

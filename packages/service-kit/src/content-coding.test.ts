import { brotliDecompressSync, gunzipSync } from 'node:zlib';
import { describe, expect, it } from 'vitest';
import { codingFor, encodeContent } from './content-coding.ts';

describe('the content coding', () => {
  it.each([
    [undefined, null],
    ['', null],
    ['gzip', 'gzip'],
    ['GZIP', 'gzip'],
    ['br', 'br'],
    ['gzip, deflate, br, zstd', 'br'],
    ['deflate, zstd', null],
    ['*', 'br'],
    ['br;q=0, *', 'gzip'],
    ['br;q=0,*;q=0', null],
    ['gzip;q=0', null],
    ['gzip;q=0.0, br;q=0', null],
    ['br;q=0.5, gzip;q=0.8', 'gzip'],
    ['br;q=0.5 , gzip ; q=0.5', 'br'],
    ['gzip;q=0.001', 'gzip'],
    ['identity', null],
    ['identity, gzip', 'gzip'],
    ['identity;q=1, gzip;q=0.5', null],
    ['identity;q=0.5, gzip;q=0.9, br;q=0.1', 'gzip'],
    ['identity;q=0', null],
    ['gzip;q=many, br;q=-1', null],
    ['gzip;q=2', null],
    [',;,q=1', null],
  ])('for "%s" is %s', (accepted, coding) => {
    expect(codingFor(accepted)).toBe(coding);
  });

  it('keeps the content', async () => {
    const content = Buffer.from(JSON.stringify(Array.from({ length: 1_000 }, (_, at) => `line ${at} é`)));
    expect(gunzipSync(await encodeContent(content, 'gzip')).equals(content)).toBe(true);
    expect(brotliDecompressSync(await encodeContent(content, 'br')).equals(content)).toBe(true);
  });
});

import { gzipSync } from 'node:zlib';
import { expect, it } from 'vitest';
import { bundlePage } from './bundle-page.ts';

const BYTES_MAX = 90 * 1024;
/** Panes, charts with their library, and comparisons come when they are opened. */
const ALL_BYTES_MAX = 150 * 1024;

const bytesOf = (bodies: readonly string[]) => bodies.reduce((sum, body) => sum + gzipSync(body).length, 0);

it('is a page that loads at most 90 KiB, compressed, before it shows runs and their logs', async () => {
  const { html, assets } = await bundlePage();
  const loaded = [...assets].filter(([file]) => html.includes(`assets/${file}`));
  expect(loaded.map(([file]) => file)).toEqual(
    expect.arrayContaining([
      expect.stringMatching(/^main-[0-9a-f]{16}\.js$/),
      expect.stringMatching(/^style-[0-9a-f]{16}\.css$/),
    ]),
  );
  expect(bytesOf(loaded.map(([, body]) => body))).toBeLessThanOrEqual(BYTES_MAX);
});

it('names every part by its content, and is not much larger in all', async () => {
  const { assets } = await bundlePage();
  for (const file of assets.keys()) expect(file).toMatch(/^[\w-]+-(?:[0-9a-f]{16}|[0-9A-Z]{8})\.(?:js|css)$/);
  expect(bytesOf([...assets.values()])).toBeLessThanOrEqual(ALL_BYTES_MAX);
});

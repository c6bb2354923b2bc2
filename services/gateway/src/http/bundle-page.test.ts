import { gzipSync } from 'node:zlib';
import { expect, it } from 'vitest';
import { bundlePage } from './bundle-page.ts';

const BYTES_MAX = 90 * 1024;

it('is a page whose script and style together take at most 90 KiB when they are compressed', async () => {
  const { html, assets } = await bundlePage();
  expect([...assets.keys()].map((file) => file.replace(/-[0-9a-f]{16}\./, '.'))).toEqual([
    'main.js',
    'style.css',
  ]);
  for (const file of assets.keys()) expect(html).toContain(`assets/${file}`);
  const bytes = [...assets.values()].reduce((sum, body) => sum + gzipSync(body).length, 0);
  expect(bytes).toBeLessThanOrEqual(BYTES_MAX);
});

import { gzipSync } from 'node:zlib';
import { expect, it } from 'vitest';
import { bundlePage } from './bundle-page.ts';

const VIEW_BYTES_MAX = 90 * 1024;
/** Panes, charts with their library, and comparisons come when they are opened. */
const ALL_BYTES_MAX = 170 * 1024;

const { html, assets } = await bundlePage();
const names = [...assets.keys()];
const bytesOf = (files: Iterable<string>) =>
  [...files].reduce((sum, file) => sum + gzipSync(assets.get(file)!).length, 0);
const atOnce = names.filter((file) => html.includes(`assets/${file}`));

/** Adds the files that a file imports before it runs, and those that they import. */
function addNeeded(file: string, to: Set<string>): Set<string> {
  to.add(file);
  for (const [, needed] of assets.get(file)!.matchAll(/(?:from|import)"\.\/([\w.-]+)"/g)) {
    if (!to.has(needed!)) addNeeded(needed!, to);
  }
  return to;
}

it('is a page that loads its script and its style first, by names that follow from their content', () => {
  expect(atOnce).toEqual(
    expect.arrayContaining([
      expect.stringMatching(/^main-[0-9a-f]{16}\.js$/),
      expect.stringMatching(/^style-[0-9a-f]{16}\.css$/),
    ]),
  );
  for (const file of names) expect(file).toMatch(/^[\w-]+-(?:[0-9a-f]{16}|[0-9A-Z]{8})\.(?:js|css)$/);
});

it.each(['fleet', 'run-view'])('loads at most 90 KiB, compressed, before it shows the view %s', (view) => {
  const part = names.find((file) => file.startsWith(`${view}-`))!;
  expect(bytesOf(addNeeded(part, new Set(atOnce)))).toBeLessThanOrEqual(VIEW_BYTES_MAX);
});

it('takes at most 170 KiB in all', () => {
  expect(bytesOf(names)).toBeLessThanOrEqual(ALL_BYTES_MAX);
});

import { readdir, readFile } from 'node:fs/promises';
import { contentHash } from '@runlog/service-kit/entity-tag';

/** The page, as it is served. */
export interface PageFiles {
  readonly html: string;
  /** What the page loads, by its file name. A name holds the hash of its content, so that it may be kept for ever. */
  readonly assets: ReadonlyMap<string, string>;
}

/** The sources of the page. A tarball does not hold them. */
export const webFolder = new URL('../../web/', import.meta.url);

/** Where `npm pack` puts the page. A checkout has no use for it. */
export const builtPageFolder = new URL('../../dist/page/', import.meta.url);

/** Names the script and the style of a page by their content. `html` loads them as `assets/main.js` and `assets/style.css`. */
export function namedByContent(of: { html: string; script: string; style: string }): PageFiles {
  const assets = new Map<string, string>();
  let { html } = of;
  for (const [name, ending, body] of [
    ['main', 'js', of.script],
    ['style', 'css', of.style],
  ] as const) {
    const file = `${name}-${contentHash(body)}.${ending}`;
    assets.set(file, body);
    html = html.replace(`assets/${name}.${ending}`, `assets/${file}`);
  }
  return { html, assets };
}

/** Reads the page that a tarball brought along. */
export async function readBuiltPage(): Promise<PageFiles> {
  const assetsFolder = new URL('assets/', builtPageFolder);
  const html = await readFile(new URL('index.html', builtPageFolder), 'utf8').catch((error: unknown) => {
    throw new Error('this installation has no page; was it packed without its scripts?', { cause: error });
  });
  const assets = new Map<string, string>();
  for (const file of await readdir(assetsFolder)) {
    assets.set(file, await readFile(new URL(file, assetsFolder), 'utf8'));
  }
  return { html, assets };
}

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

/** The bundle of a page. `html` loads `assets/main.js` and `assets/style.css`. */
export interface PageBundle {
  readonly html: string;
  readonly script: string;
  readonly style: string;
  /** What the script loads, at once or later. The names hold hashes of the contents already. */
  readonly parts: ReadonlyMap<string, string>;
  /** The parts that the script cannot begin without. */
  readonly neededParts: readonly string[];
}

/** Names the script and the style of a page by their content, and has browsers load the script's parts beside it. */
export function namedByContent({ html, script, style, parts, neededParts }: PageBundle): PageFiles {
  const assets = new Map<string, string>();
  let named = html;
  for (const [name, ending, body] of [
    ['main', 'js', script],
    ['style', 'css', style],
  ] as const) {
    const file = `${name}-${contentHash(body)}.${ending}`;
    assets.set(file, body);
    named = named.replace(`assets/${name}.${ending}`, `assets/${file}`);
  }
  for (const [file, body] of parts) assets.set(file, body);
  const links = neededParts.map((file) => `  <link rel="modulepreload" href="assets/${file}" />\n  `);
  return { html: named.replace('</head>', `${links.join('')}</head>`), assets };
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

import { readFile } from 'node:fs/promises';
import { basename } from 'node:path';
import { fileURLToPath } from 'node:url';
import { type BuildOptions, build, type Plugin, transform } from 'esbuild';
import { namedByContent, type PageFiles, webFolder } from './page-files.ts';

const inWeb = (path: string) => fileURLToPath(new URL(path, webFolder));

/** The paths of our packages that the page uses. In a copy of a checkout, npm's links may lead to the original. */
const ownPackages = Object.fromEntries(
  ['client', 'run-state', 'schema'].map((name) => [
    `@runlog/${name}`,
    fileURLToPath(new URL(`../../../../packages/${name}/src`, import.meta.url)),
  ]),
);

const options = {
  bundle: true,
  alias: {
    ...ownPackages,
    'preact/compat': inWeb('shell/memo.ts'),
    'zod/mini': inWeb('shell/no-schemas.ts'),
  },
  // The page has no room for schemas: whatever imports zod itself does not belong into it.
  external: ['zod'],
  write: false,
  outdir: inWeb('.'),
  minify: true,
  format: 'esm',
  target: 'es2022',
  jsx: 'automatic',
  jsxImportSource: 'preact',
  legalComments: 'none',
  logLevel: 'silent',
  logOverride: { 'import-is-undefined': 'error' },
} as const satisfies BuildOptions;

/** Makes the text of a style that a part of the script takes along. */
const styleText: Plugin = {
  name: 'style-text',
  setup({ onLoad }) {
    onLoad({ filter: /\.css$/ }, async ({ path }) => {
      const { code } = await transform(await readFile(path, 'utf8'), { loader: 'css', minify: true });
      return { contents: code, loader: 'text' };
    });
  },
};

/** Bundles the page from its sources, in well under a second. */
export async function bundlePage(): Promise<PageFiles> {
  const [html, script, style] = await Promise.all([
    readFile(new URL('index.html', webFolder), 'utf8'),
    bundleScript(),
    build({ ...options, entryPoints: [inWeb('style.css')] }),
  ]);
  return namedByContent({ html, ...script, style: style.outputFiles[0]!.text });
}

/** Bundles the script. What the page loads later, and what several parts share, is a file of its own. */
async function bundleScript() {
  const { outputFiles, metafile } = await build({
    ...options,
    entryPoints: [inWeb('main.tsx')],
    plugins: [styleText],
    splitting: true,
    metafile: true,
    chunkNames: '[name]-[hash]',
  });
  const files = new Map(outputFiles.map(({ path, text }) => [basename(path), text]));
  const imports = Object.entries(metafile.outputs).map(
    ([path, { imports: of }]) => [basename(path), of] as const,
  );
  if (imports.some(([, of]) => of.some(({ path }) => path === 'zod'))) {
    throw new Error('something in the page imports schemas of zod');
  }
  const needed = new Set<string>();
  const need = (file: string) => {
    const own = imports.find(([name]) => name === file)?.[1] ?? [];
    for (const { path, kind } of own) {
      if (kind !== 'import-statement' || needed.has(basename(path))) continue;
      needed.add(basename(path));
      need(basename(path));
    }
  };
  need('main.js');
  const script = files.get('main.js');
  if (script === undefined) throw new Error('esbuild produced no main.js');
  files.delete('main.js');
  return { script, parts: files, neededParts: [...needed] };
}

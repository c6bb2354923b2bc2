import { readFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import { build } from 'esbuild';
import { namedByContent, type PageFiles, webFolder } from './page-files.ts';

/** The paths of our packages that the page uses. In a copy of a checkout, npm's links may lead to the original. */
const ownPackages = Object.fromEntries(
  ['client', 'run-state', 'schema'].map((name) => [
    `@runlog/${name}`,
    fileURLToPath(new URL(`../../../../packages/${name}/src`, import.meta.url)),
  ]),
);

/** Bundles the page from its sources, in well under a second. */
export async function bundlePage(): Promise<PageFiles> {
  const [html, script, style] = await Promise.all([
    readFile(new URL('index.html', webFolder), 'utf8'),
    bundle('main.tsx'),
    bundle('style.css'),
  ]);
  return namedByContent({ html, script, style });
}

async function bundle(entry: string): Promise<string> {
  const result = await build({
    entryPoints: [fileURLToPath(new URL(entry, webFolder))],
    bundle: true,
    alias: ownPackages,
    write: false,
    minify: true,
    format: 'esm',
    target: 'es2022',
    jsx: 'automatic',
    jsxImportSource: 'preact',
    legalComments: 'none',
    logLevel: 'silent',
  });
  const [file] = result.outputFiles;
  if (file === undefined) throw new Error(`esbuild produced nothing for ${entry}`);
  return file.text;
}

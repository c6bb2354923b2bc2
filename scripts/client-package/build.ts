/**
 * Builds packages/client for those who install it, as a package of its own in `dist`: `index.js`, one ES module with the code
 * of ours that it needs and nothing else, `index.d.ts`, and a manifest that exports these. The manifest beside the source
 * exports the source. `npm run tarball -w packages/client` packs `dist`.
 */
import { copyFile, mkdir, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { eventNames, eventTypes, isMilestone } from '@runlog/schema/events/event-types';
import { build, type Plugin } from 'esbuild';
import { declarations } from './declarations.ts';

const root = fileURLToPath(new URL('../..', import.meta.url));
const source = join(root, 'packages/client');
const dist = join(source, 'dist');

/** What is exported to those who install the package, by file. Types come from the same files. */
const exported = {
  'stream-client': ['createStreamClient'],
  'stream-errors': ['ChannelRefusedError', 'StreamStoppedError'],
} as const;

const milestones = Object.keys(eventTypes).filter(isMilestone);
/**
 * What the client uses of the modules that hold schemas. Taken from them here, it does not bring the schemas and their
 * library along. Whatever else the client came to import from them would fail this build.
 */
const withoutSchemas: Readonly<Record<string, string>> = {
  'events/event-types': `const milestones = new Set(${JSON.stringify(milestones)});
    export const eventNames = ${JSON.stringify(eventNames)};
    export const isMilestone = (name) => milestones.has(name);`,
};

const ownCode: Plugin = {
  name: 'own-code',
  setup({ onResolve, onLoad }) {
    onResolve({ filter: /^@runlog\/schema\// }, ({ path }) => {
      const name = path.slice('@runlog/schema/'.length);
      return withoutSchemas[name] === undefined ? null : { path: name, namespace: 'without-schemas' };
    });
    onLoad({ filter: /.*/, namespace: 'without-schemas' }, ({ path }) => ({
      contents: withoutSchemas[path]!,
    }));
    onResolve({ filter: /^zod/ }, ({ importer }) => ({
      errors: [{ text: `${importer} would bring zod along: see scripts/client-package/build.ts` }],
    }));
  },
};

/** Whatever else the manifest of the source says is of no use to those who install the package. */
async function manifest(): Promise<object> {
  const { name, version, description, license, type, sideEffects, engines } = JSON.parse(
    await readFile(join(source, 'package.json'), 'utf8'),
  ) as Record<string, unknown>;
  return {
    ...{ name, version, description, license, type, sideEffects, engines },
    exports: { '.': { types: './index.d.ts', default: './index.js' } },
  };
}

await rm(dist, { recursive: true, force: true });
const { errors } = await build({
  stdin: {
    contents: Object.entries(exported)
      .map(([file, names]) => `export { ${names.join(', ')} } from './${file}.ts';`)
      .join('\n'),
    resolveDir: join(source, 'src'),
    loader: 'ts',
  },
  outfile: join(dist, 'index.js'),
  bundle: true,
  format: 'esm',
  target: 'es2022',
  platform: 'neutral',
  plugins: [ownCode],
  logLevel: 'warning',
});
if (errors.length > 0) process.exit(1);
await mkdir(dist, { recursive: true });
await writeFile(join(dist, 'index.d.ts'), await declarations(Object.values(exported).flat()));
await writeFile(join(dist, 'package.json'), `${JSON.stringify(await manifest(), null, 2)}\n`);
for (const file of ['README.md', 'LICENSE']) await copyFile(join(source, file), join(dist, file));

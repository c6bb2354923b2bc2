import { cp, mkdtemp, readFile, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';

const root = fileURLToPath(new URL('../..', import.meta.url));

/** A change of one source file. The text that it replaces must occur exactly once. */
export interface SourcePatch {
  /** The path below the repository's root. */
  readonly file: string;
  readonly replace: RegExp;
  readonly by: string;
}

/**
 * A second build of all packages and services: a copy of their sources with some of them changed. A process of this
 * checkout that is given its `env` runs that copy, and shares only the dependencies with this checkout.
 */
export class SecondBuild implements AsyncDisposable {
  readonly env: Readonly<Record<string, string>>;
  readonly #folder: string;

  private constructor(folder: string) {
    this.#folder = folder;
    this.env = { NODE_OPTIONS: `--import=${pathToFileURL(join(folder, 'register.mjs')).href}` };
  }

  static async make(patches: readonly SourcePatch[]): Promise<SecondBuild> {
    const folder = await mkdtemp(join(tmpdir(), 'runlog-build-'));
    try {
      for (const place of ['packages', 'services']) {
        await cp(join(root, place), join(folder, place), { recursive: true, filter: isSource });
      }
      for (const file of ['package.json', 'tsconfig.json']) await cp(join(root, file), join(folder, file));
      await symlink(join(root, 'node_modules'), join(folder, 'node_modules'));
      for (const patch of patches) await apply(patch, folder);
      await writeFile(join(folder, 'register.mjs'), REGISTER);
      await writeFile(join(folder, 'resolve.mjs'), resolveSource(folder));
      return new SecondBuild(folder);
    } catch (error) {
      await rm(folder, { recursive: true, force: true });
      throw error;
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await rm(this.#folder, { recursive: true, force: true });
  }
}

function isSource(path: string): boolean {
  return basename(path) !== 'node_modules' && !/\.test\.tsx?$/.test(path);
}

async function apply({ file, replace, by }: SourcePatch, folder: string): Promise<void> {
  const path = join(folder, file);
  const source = await readFile(path, 'utf8');
  const found = source.match(new RegExp(replace.source, `${replace.flags.replace('g', '')}g`))?.length ?? 0;
  if (found !== 1) throw new Error(`${replace} is ${found} times in ${file}`);
  await writeFile(path, source.replace(replace, by));
}

/** Node 20 has `register` alone; Node 26 warns of it. */
const REGISTER = `import module from 'node:module';
import { resolveSync } from './resolve.mjs';
if (module.registerHooks === undefined) module.register('./resolve.mjs', import.meta.url);
else module.registerHooks({ resolve: resolveSync });
`;

/**
 * Returns a loader that takes everything from the copy instead of this checkout's packages and services, including what
 * npm's links lead to.
 */
function resolveSource(folder: string): string {
  const from = pathToFileURL(root).href;
  const to = pathToFileURL(`${folder}/`).href;
  return `export async function resolve(specifier, context, next) {
  return inCopy(await next(specifier, context));
}
export function resolveSync(specifier, context, next) {
  return inCopy(next(specifier, context));
}
function inCopy(found) {
  for (const place of ['packages/', 'services/']) {
    const from = ${JSON.stringify(from)} + place;
    if (found.url.startsWith(from)) return { ...found, url: ${JSON.stringify(to)} + place + found.url.slice(from.length) };
  }
  return found;
}
`;
}

import { readdirSync, readFileSync } from 'node:fs';
import { join, relative } from 'node:path';
import { fileURLToPath } from 'node:url';
import { eventTypes } from '@runlog/schema/events/event-types';
import { describe, expect, it } from 'vitest';

const root = fileURLToPath(new URL('../..', import.meta.url));

/** The packages of ours that a package may import. Dependencies always point inward. */
const mayImport: Readonly<Record<string, readonly string[]>> = {
  schema: [],
  'run-state': ['schema'],
  'topic-io': ['schema'],
  records: ['run-state', 'schema', 'topic-io'],
  'run-feed': ['records', 'run-state', 'schema', 'topic-io'],
  'service-kit': ['schema', 'topic-io'],
  client: ['run-state', 'schema'],
  ingest: ['records', 'run-feed', 'schema', 'service-kit', 'topic-io'],
  aggregator: ['records', 'run-feed', 'run-state', 'schema', 'service-kit', 'topic-io'],
  gateway: ['client', 'records', 'run-feed', 'run-state', 'schema', 'service-kit', 'topic-io'],
  cli: [
    'aggregator',
    'client',
    'gateway',
    'ingest',
    'records',
    'run-feed',
    'run-state',
    'schema',
    'service-kit',
    'topic-io',
  ],
};

/** Libraries behind a boundary, and the only files that may import them. */
const soleImporters: Readonly<Record<string, RegExp>> = {
  kafkajs: /^packages\/topic-io\/src\/kafka\/[^/]+\.ts$/,
  lmdb: /^packages\/topic-io\/src\/embedded\/[^/]+\.ts$/,
  snappy: /^packages\/topic-io\/src\/codecs\/[^/]+\.ts$/,
  'lz4-napi': /^packages\/topic-io\/src\/codecs\/[^/]+\.ts$/,
  ws: /^(?:services\/gateway\/src\/send\/socket-(?:server|sink)|packages\/cli\/src\/commands\/tail)\.ts$/,
  fastify: /^packages\/service-kit\/src\/[^/]+\.ts$/,
  pino: /^packages\/service-kit\/src\/(?:logger|error-fields)\.ts$/,
};

interface SourceFile {
  readonly path: string;
  readonly package: string;
  readonly text: string;
  readonly imports: readonly string[];
}

function sourceFiles(): SourceFile[] {
  const files: SourceFile[] = [];
  for (const place of ['packages', 'services']) {
    for (const name of readdirSync(join(root, place))) {
      for (const folder of ['src', 'web']) {
        const base = join(root, place, name, folder);
        for (const file of listed(base)) {
          const text = readFileSync(file, 'utf8');
          const imports = [...text.matchAll(/^(?:.*\bfrom|import|.*\bimport\() ?'([@\w./:-]+)'/gm)].map(
            (match) => match[1]!,
          );
          files.push({ path: relative(root, file), package: name, text, imports });
        }
      }
    }
  }
  return files;
}

function listed(folder: string): string[] {
  try {
    return readdirSync(folder, { recursive: true, encoding: 'utf8' })
      .filter((name) => /\.tsx?$/.test(name) && !name.endsWith('.d.ts'))
      .map((name) => join(folder, name));
  } catch {
    return [];
  }
}

const CLOCK_OR_CHANCE = /Date\.now|new Date\(\)|performance\.now|Math\.random/;

function withoutComments(text: string): string {
  return text.replace(/\/\*.*?\*\//gs, '').replace(/^\s*\/\/.*$/gm, '');
}

const files = sourceFiles();
const shipped = files.filter(({ path }) => !/\.test\.tsx?$/.test(path));

/** Four digits that are no close code: a port, and an offset in an example. */
const OTHER_NUMBERS = /port\(\)\.default\(\d+\)|127\.0\.0\.1:\d+|\(\d+, 127\.0\.0\.1\)|--to \d+/g;

/**
 * Numbers that read as a close code of RFC 6455 or of the stream. A quantity is none: it has a `_` after its thousands.
 * Those who speak the stream may not write a code of its range in that way either.
 */
function spelledCloseCodes({ package: name, text }: Pick<SourceFile, 'package' | 'text'>): string[] {
  const speaks = name === 'client' || name === 'gateway';
  const code = speaks
    ? /(?<![\w.])(?:100\d|101[0-5]|4_?\d{3})(?![\w.])/g
    : /(?<![\w.])(?:100[1-9]|101[0-5]|4\d{3})(?![\w.])/g;
  return [...text.replaceAll(OTHER_NUMBERS, '').matchAll(code)].map(([found]) => found.replace('_', ''));
}

describe('the structure of the source', () => {
  it('is found', () => {
    expect(shipped.length).toBeGreaterThan(100);
  });

  it('depends only inward', () => {
    const outward = shipped.flatMap((file) =>
      file.imports
        .map((name) => /^@runlog\/([^/]+)\//.exec(name)?.[1])
        .filter((name) => name !== undefined && name !== file.package)
        .filter((name) => !(mayImport[file.package] ?? []).includes(name!))
        .map((name) => `${file.path} imports ${name}`),
    );
    expect(outward).toEqual([]);
  });

  it('reaches no other package by a path', () => {
    const around = shipped
      // Made-up runs are only for tests.
      .filter(({ path }) => !path.includes('/made-up/'))
      .flatMap(({ path, imports }) => {
        const place = path.split('/').slice(0, 2).join('/');
        return imports
          .filter((name) => name.startsWith('.') && !join(path, '..', name).startsWith(`${place}/`))
          .map((name) => `${path} imports ${name}`);
      });
    expect(around).toEqual([]);
  });

  it('declares every package that it imports', () => {
    const undeclared = shipped.flatMap((file) => {
      const place = file.path.split('/').slice(0, 2).join('/');
      const manifest = JSON.parse(readFileSync(join(root, place, 'package.json'), 'utf8')) as {
        dependencies?: Record<string, string>;
        devDependencies?: Record<string, string>;
      };
      // The client is installed as one bundle, so what it imports is needed only to build it.
      const declared = file.package === 'client' ? manifest.devDependencies : manifest.dependencies;
      return file.imports
        .filter((name) => !name.startsWith('.') && !name.startsWith('node:'))
        .map((name) =>
          name
            .split('/')
            .slice(0, name.startsWith('@') ? 2 : 1)
            .join('/'),
        )
        .filter((name) => name !== `@runlog/${file.package}` && declared?.[name] === undefined)
        .map((name) => `${file.path} imports ${name}`);
    });
    expect(undeclared).toEqual([]);
  });

  it.each(Object.entries(soleImporters))('keeps %s behind its boundary', (library, allowed) => {
    const elsewhere = shipped
      .filter((file) => file.imports.some((name) => name === library || name.startsWith(`${library}/`)))
      .map((file) => file.path)
      .filter((path) => !allowed.test(path));
    expect(elsewhere).toEqual([]);
  });

  it('spells channels and the subprotocol only in packages/schema', () => {
    const spelt = shipped
      .filter((file) => file.package !== 'schema')
      .flatMap(({ path, text }) =>
        [...text.matchAll(/[`'"/^]runs?:(?:\$\{|['"`*/])|['"`]runlog\.v\d/g)].map(
          ([literal]) => `${path}: ${literal}`,
        ),
      );
    expect(spelt).toEqual([]);
  });

  it('names event types only in packages/schema, and elsewhere by eventNames', () => {
    const name = new RegExp(`(?<!eventNames\\.)\\b(?:${Object.keys(eventTypes).join('|')})\\b`, 'g');
    const spelt = shipped
      // Made-up runs are only for tests.
      .filter(({ path }) => !path.startsWith('packages/schema/') && !path.includes('/made-up/'))
      .flatMap(({ path, text }) =>
        [...withoutComments(text).matchAll(name)].map(([literal]) => `${path}: ${literal}`),
      );
    expect(spelt).toEqual([]);
  });

  it('writes no four-digit close code outside packages/schema', () => {
    const outside = shipped.filter((file) => file.package !== 'schema');
    const spelt = outside.flatMap((file) => spelledCloseCodes(file).map((code) => `${file.path}: ${code}`));
    expect(spelt).toEqual([]);
  });

  it.each([
    ['client', 'socket.close(1000)', ['1000']],
    ['gateway', "close({ code: 1006, reason: '' })", ['1006']],
    ['gateway', 'if (code >= 4_500) return', ['4500']],
    ['cli', 'case 4502:', ['4502']],
    ['cli', "bucket(1000); url('http://127.0.0.1:4001'); port().default(4001)", []],
    ['ingest', 'const bytesMax = 4_000;', []],
  ])('would find in %s: %s', (name, text, found) => {
    expect(spelledCloseCodes({ package: name, text })).toEqual(found);
  });

  it('has no barrels', () => {
    const barrels = shipped.filter(({ text }) => /^export (?:\*|(?:type )?\{[^}]*\}).* from '\./m.test(text));
    expect(barrels.map(({ path }) => path)).toEqual([]);
  });

  it('keeps the fold pure: no clock, no randomness, no I/O', () => {
    const impure = shipped
      .filter((file) => file.package === 'run-state' || file.package === 'schema')
      .filter(({ text, imports }) => {
        return (
          CLOCK_OR_CHANCE.test(text) ||
          /process\.(?:env|hrtime|stdout)/.test(text) ||
          imports.some((name) => name.startsWith('node:'))
        );
      })
      .map(({ path }) => path);
    expect(impure).toEqual([]);
  });

  it('passes time and randomness to records and the run feed as arguments', () => {
    const impure = shipped
      .filter((file) => file.package === 'records' || file.package === 'run-feed')
      .filter(({ text }) => CLOCK_OR_CHANCE.test(text))
      .map(({ path }) => path);
    expect(impure).toEqual([]);
  });

  it('reads the environment only where a process begins', () => {
    const readers = shipped
      .filter(({ text }) => /process\.env|\benv\b.*from 'node:process'/.test(text))
      .map(({ path }) => path);
    expect(readers.sort()).toEqual(['packages/cli/src/main.ts', 'packages/service-kit/src/run-service.ts']);
  });

  it('pins every dependency exactly', () => {
    const manifests = [
      '.',
      ...['packages', 'services'].flatMap((place) =>
        readdirSync(join(root, place)).map((name) => `${place}/${name}`),
      ),
    ];
    const loose = manifests.flatMap((place) => {
      const manifest = JSON.parse(readFileSync(join(root, place, 'package.json'), 'utf8')) as Record<
        string,
        Record<string, string>
      >;
      return ['dependencies', 'devDependencies'].flatMap((kind) =>
        Object.entries(manifest[kind] ?? {})
          .filter(([, version]) => !/^\d+\.\d+\.\d+(-[\w.]+)?$/.test(version))
          .map(([name, version]) => `${place}: ${name} ${version}`),
      );
    });
    expect(loose).toEqual([]);
  });

  it('locks the packages of every platform, not only of the one that locked', () => {
    const lock = JSON.parse(readFileSync(join(root, 'package-lock.json'), 'utf8')) as {
      packages: Record<string, { optionalDependencies?: Record<string, string> }>;
    };
    // npm leaves out packages that its registry did not have at that moment, and `npm ci` then fails everywhere.
    const missing = Object.entries(lock.packages).flatMap(([dependent, { optionalDependencies = {} }]) =>
      Object.keys(optionalDependencies)
        .filter((name) => {
          return (
            lock.packages[`node_modules/${name}`] === undefined &&
            lock.packages[`${dependent}/node_modules/${name}`] === undefined
          );
        })
        .map((name) => `${dependent}: ${name}`),
    );
    expect(missing).toEqual([]);
  });
});

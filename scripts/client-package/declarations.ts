import { execFile } from 'node:child_process';
import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { figureSchema, runFiguresSchema } from '@runlog/schema/run/figures';
import {
  deliveredEntrySchema,
  deliveredSnapshotSchema,
  emitterStateSchema,
  freshnessSchema,
  positionSchema,
  runEndSchema,
  runGroupSchema,
  runRowSchema,
  runStateSchema,
  runStatusSchema,
  severitySchema,
} from '@runlog/schema/run/snapshot';
import { stateCountsSchema } from '@runlog/schema/stream/server-frames';
import { indexSubscriptionSchema } from '@runlog/schema/stream/subscriptions';
import { schemaTypes } from './schema-types.ts';

const run = promisify(execFile);
const root = fileURLToPath(new URL('../..', import.meta.url));
const source = join(root, 'packages/client/src');

/** The types of packages/schema that the client's own types name. */
const ofSchemas = () =>
  schemaTypes({
    DeliveredEntry: deliveredEntrySchema,
    DeliveredSnapshot: deliveredSnapshotSchema,
    EmitterState: emitterStateSchema,
    Figure: figureSchema,
    Freshness: freshnessSchema,
    IndexSubscription: indexSubscriptionSchema,
    Position: positionSchema,
    RunEnd: runEndSchema,
    RunFigures: runFiguresSchema,
    RunGroup: runGroupSchema,
    RunRow: runRowSchema,
    RunState: runStateSchema,
    RunStatus: runStatusSchema,
    Severity: severitySchema,
    StateCounts: stateCountsSchema,
  });

/** Returns one file of declarations: those of the exported names, and of every type of ours that they need. */
export async function declarations(exported: readonly string[]): Promise<string> {
  const known = new Map([...(await ofClient()), ...ofSchemas()]);
  const needed = new Set<string>();
  const need = (name: string) => {
    const text = known.get(name);
    if (text === undefined || needed.has(name)) return;
    needed.add(name);
    for (const [word] of withoutComments(text).matchAll(/\b[A-Z]\w+\b/g)) need(word);
  };
  for (const name of exported) {
    if (!known.has(name)) throw new Error(`there is no declaration of ${name}`);
    need(name);
  }
  return `${[...needed].map((name) => known.get(name)!).join('\n')}\n`;
}

/** Returns the declarations of packages/client by name, as the compiler writes them. */
async function ofClient(): Promise<Map<string, string>> {
  const folder = await mkdtemp(join(tmpdir(), 'runlog-client-types-'));
  try {
    const config = {
      extends: join(root, 'tsconfig.json'),
      compilerOptions: {
        ...{
          noEmit: false,
          declaration: true,
          emitDeclarationOnly: true,
          typeRoots: [join(root, 'node_modules/@types')],
        },
        ...{ rootDir: root, outDir: join(folder, 'out') },
      },
      include: [join(source, 'stream-client.ts')],
    };
    await writeFile(join(folder, 'tsconfig.json'), JSON.stringify(config));
    const compiler = join(root, 'node_modules/typescript/bin/tsc');
    await run(process.execPath, [compiler, '-p', folder]);
    const out = join(folder, 'out/packages/client/src');
    const known = new Map<string, string>();
    for (const file of await readdir(out)) {
      for (const [name, text] of statementsOf(await readFile(join(out, file), 'utf8'))) {
        if (known.has(name)) throw new Error(`two files of the client declare ${name}`);
        known.set(name, text);
      }
    }
    return known;
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

/** Splits a file of declarations into its exported statements, each with the comment above it. */
function statementsOf(text: string): [string, string][] {
  const statements = text.split(/^(?=\/\*\*|import |export )/m);
  const named: [string, string][] = [];
  let comment = '';
  for (const statement of statements) {
    if (statement.startsWith('/**')) {
      // A comment inside a union belongs to the statement before it, and so does what follows.
      const isInside = statement.replace(/^\/\*\*.*?\*\//s, '').trim() !== '';
      const last = named.at(-1);
      if (isInside && last !== undefined) last[1] += statement;
      else comment = statement;
      continue;
    }
    const [, name] =
      /^export (?:declare )?(?:abstract )?(?:class|function|interface|type|const) (\w+)/.exec(statement) ??
      [];
    if (name !== undefined) named.push([name, comment + statement]);
    comment = '';
  }
  return named;
}

function withoutComments(text: string): string {
  return text.replace(/\/\*.*?\*\//gs, '');
}

import { randomBytes } from 'node:crypto';
import { type Key, keySchema } from '@runlog/schema/keys';
import { editKeys, KeyFileError, readKeys } from '@runlog/service-kit/key-file-edit';
import { digestOf } from '@runlog/service-kit/keys';
import {
  type Command,
  CommandError,
  type ExitCode,
  exitCodes,
  parseCommandLine,
  UsageError,
  wholeNumber,
} from '../command.ts';
import { textTable } from '../text-table.ts';

/** A key of 256 random bits cannot be guessed, so a plain SHA-256 is enough to store it safely. */
const KEY_BYTES = 32;
const RATE_MAX = 1_000_000_000_000;

const options = {
  publish: { type: 'string', value: 'CLUSTER', help: 'add: the key may publish events of this cluster' },
  view: {
    type: 'string',
    value: 'GLOBS',
    help: 'add: the key may view these runs, such as "c1/*,c2/resnet-*" or "*"',
  },
  'default-run': {
    type: 'string',
    value: 'NAME',
    help: 'add --publish: the run of what other senders send without naming one (default: ID)',
  },
  'events-per-second': {
    type: 'string',
    value: 'N',
    help: 'add --publish: event rate limit (default: none)',
  },
  'bytes-per-second': { type: 'string', value: 'N', help: 'add --publish: byte rate limit (default: none)' },
  file: { type: 'string', value: 'PATH', help: 'the key file; overrides RUNLOG_KEYS_FILE' },
  json: { type: 'boolean', help: 'list: one JSON object a line' },
} as const;

type Values = ReturnType<typeof parseCommandLine<typeof options>>['values'];

export const command: Command = {
  usage: 'add ID (--publish CLUSTER | --view GLOBS) | list | revoke ID',
  description:
    'Edits the key file that ingest and the gateway check requests against (RUNLOG_KEYS_FILE). "add" prints the new key on stdout, once: the file holds only its SHA-256. Services pick up a change within seconds, and the open connections of a revoked key are closed.\nExit code: 0 done, 1 the file cannot be used, the id to add exists or the id to revoke does not, 2 wrong arguments.',
  options,
  examples: [
    'runlog keys add c1-ingest --publish c1 --events-per-second 20000 --file keys.json',
    'runlog keys add ray --publish c1 --default-run nightly',
    'runlog keys add ops --view "c1/*,c2/resnet-*"',
    'runlog keys list',
    'runlog keys revoke c1-ingest',
  ],
  environment: [['RUNLOG_KEYS_FILE', 'the key file; "add" creates it if it is missing']],
  worksUnread: true,
  run: async (args, env) => {
    const { values, positionals } = parseCommandLine(args, options, { argumentsMax: 2 });
    const [verb, id] = positionals;
    const path = values.file ?? (env.RUNLOG_KEYS_FILE === '' ? undefined : env.RUNLOG_KEYS_FILE);
    if (verb === undefined) throw new UsageError('say what to do: add, list or revoke');
    if (path === undefined) throw new UsageError('name the key file: --file PATH or RUNLOG_KEYS_FILE');
    try {
      switch (verb) {
        case 'add':
          return await add(path, keyOf(id, values));
        case 'revoke':
          return await revoke(path, requiredId(id));
        case 'list':
          if (id !== undefined) throw new UsageError(`unexpected argument "${id}"`);
          return await list(path, values.json === true);
        default:
          throw new UsageError(`"${verb}" is not one of add, list, revoke`);
      }
    } catch (error) {
      if (!(error instanceof KeyFileError)) throw error;
      throw new CommandError(error.message, exitCodes.failed, { cause: error });
    }
  },
};

interface NewKey {
  readonly key: Key;
  readonly secret: string;
}

async function add(path: string, { key, secret }: NewKey): Promise<ExitCode> {
  await editKeys(path, (keys) => {
    if (keys.some(({ id }) => id === key.id)) {
      throw new KeyFileError(`the key ${key.id} exists already; revoke it first, or choose another id`);
    }
    return [...keys, key];
  });
  process.stderr.write(`${path}: added ${describe(key)}. The key, shown only this once:\n`);
  process.stdout.write(`${secret}\n`);
  return exitCodes.ok;
}

async function revoke(path: string, id: string): Promise<ExitCode> {
  await editKeys(path, (keys) => {
    if (!keys.some((key) => key.id === id)) throw new KeyFileError(`there is no key ${id} in ${path}`);
    return keys.filter((key) => key.id !== id);
  });
  process.stderr.write(`${path}: revoked ${id}\n`);
  return exitCodes.ok;
}

async function list(path: string, json: boolean): Promise<ExitCode> {
  const keys = await readKeys(path);
  if (json) {
    process.stdout.write(keys.map(({ sha256: _, ...key }) => `${JSON.stringify(key)}\n`).join(''));
    return exitCodes.ok;
  }
  if (keys.length === 0) process.stdout.write('no keys\n');
  else {
    const table = textTable(keys, [
      { title: 'ID', text: (key) => key.id },
      { title: 'ROLE', text: (key) => key.role },
      { title: 'MAY', text: rightsOf },
    ]);
    process.stdout.write(`${table}\n`);
  }
  return exitCodes.ok;
}

function keyOf(id: string | undefined, values: Values): NewKey {
  const secret = `rlk_${randomBytes(KEY_BYTES).toString('base64url')}`;
  const common = { id: requiredId(id), sha256: digestOf(secret) };
  if ((values.publish === undefined) === (values.view === undefined)) {
    throw new UsageError('a key either publishes (--publish CLUSTER) or views (--view GLOBS)');
  }
  const events = rateOf('events-per-second', values);
  const bytes = rateOf('bytes-per-second', values);
  if (values.view !== undefined && (events !== undefined || bytes !== undefined)) {
    throw new UsageError('rate limits need --publish');
  }
  const defaultRun = values['default-run'];
  if (values.view !== undefined && defaultRun !== undefined) {
    throw new UsageError('--default-run needs --publish');
  }
  const candidate =
    values.publish !== undefined
      ? {
          ...{ ...common, role: 'publish', cluster: values.publish },
          ...(defaultRun === undefined ? {} : { default_run: defaultRun }),
          ...(events === undefined ? {} : { events_per_second: events }),
          ...(bytes === undefined ? {} : { bytes_per_second: bytes }),
        }
      : { ...common, role: 'view', runs: values.view?.split(',').map((glob) => glob.trim()) };
  const parsed = keySchema.safeParse(candidate);
  if (parsed.success) return { key: parsed.data, secret };
  const issue = parsed.error.issues[0]!;
  throw new UsageError(`${argumentOf[String(issue.path[0])] ?? 'ID'} ${issue.message}`);
}

/** The arguments that the fields of a key come from. */
const argumentOf: Readonly<Record<string, string>> = {
  runs: '--view',
  cluster: '--publish',
  default_run: '--default-run',
};

function rateOf(name: 'events-per-second' | 'bytes-per-second', values: Values): number | undefined {
  if (values[name] === undefined) return undefined;
  return wholeNumber({ name, text: values[name], fallback: 0, min: 1, max: RATE_MAX });
}

function requiredId(id: string | undefined): string {
  if (id === undefined) throw new UsageError('name the key: an id such as c1-ingest');
  return id;
}

function describe(key: Key): string {
  return `${key.id} (${key.role}: ${rightsOf(key)})`;
}

function rightsOf(key: Key): string {
  if (key.role === 'view') return key.runs.join(', ');
  const { cluster, default_run: run, events_per_second: events, bytes_per_second: bytes } = key;
  const details = [
    ...(run === undefined ? [] : [`default run ${run}`]),
    ...(events === undefined ? [] : [`${events} events/s`]),
    ...(bytes === undefined ? [] : [`${bytes} bytes/s`]),
  ];
  return [cluster, ...details].join(', ');
}

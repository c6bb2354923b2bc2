import fc from 'fast-check';
import type { SentMessage } from './frames-due.ts';
import { damagedJson } from './json-fuzz.ts';

/** The names that frames of a made-up client use: of runs, keys and epochs. */
export interface Vocabulary {
  /** Runs that there are, `cluster/run/group`. */
  readonly runs: readonly string[];
  readonly epoch: string;
  /** Secrets that a client may show, right or wrong. */
  readonly secrets: readonly string[];
}

const FIELDS = [
  ...['id', 'sub', 'unsub', 'ping', 'auth', 'ack', 'ch', 'since', 'epoch', 'seq', 'limit', 'offset', 'q'],
  ...['sort', 'status', 'type', 'not_type', 'env', 'slot', 'severity', 'min_interval_ms', 'mode'],
  ...['cluster', 'task', 'where', 'group_by', '__proto__', 'constructor'],
  ...['prototype', 'toString', 'hasOwnProperty', 'toJSON', 'then', 'length', '', 'ünï', '\u0000'],
];

/** Returns a generator of all that one client sends on one connection. */
export function madeMessages(words: Vocabulary): fc.Arbitrary<readonly SentMessage[]> {
  const frame = damagedJson(validFrame(words), { names: FIELDS });
  const lines = fc.array(frame, { minLength: 1, maxLength: 5 }).map((each) => each.join('\n'));
  const message = fc.oneof(
    { weight: 30, arbitrary: lines.map((text) => ({ text })) },
    { weight: 2, arbitrary: lines.map((text) => ({ text, binary: true })) },
    // More frames than are read of one message, and messages around the limits of their size.
    {
      weight: 1,
      arbitrary: fc
        .integer({ min: 250, max: 300 })
        .map((n) => ({ text: '{"id":1,"ping":true}\n'.repeat(n) })),
    },
    { weight: 1, arbitrary: fc.constantFrom(64, 128).chain(aroundKib) },
    { weight: 1, arbitrary: fc.string({ unit: 'binary', maxLength: 200 }).map((text) => ({ text })) },
  );
  return fc.array(message, { minLength: 1, maxLength: 8 });
}

function aroundKib(kib: number): fc.Arbitrary<SentMessage> {
  return fc
    .integer({ min: -2, max: 2 })
    .map((more) => ({ text: `{"id":1,${' '.repeat(kib * 1_024 + more - 20)}"ping":true}` }));
}

function validFrame({ runs, epoch, secrets }: Vocabulary): fc.Arbitrary<object> {
  const id = fc.oneof(fc.nat(30), fc.maxSafeInteger());
  const key = fc.constantFrom(...runs, 'local/not-yet/default', 'local/other-1/default', 'c2/r/default');
  const channel = fc.oneof(
    {
      weight: 4,
      arbitrary: fc.tuple(fc.constantFrom('run', 'figures'), key).map((parts) => parts.join(':')),
    },
    {
      weight: 2,
      arbitrary: fc.constantFrom('runs:*', 'runs:local/*', 'runs:local/n*', 'runs:c2/*', 'runs:********'),
    },
    {
      weight: 1,
      arbitrary: fc.constantFrom(
        'run:',
        'runs:',
        'figures:a',
        'RUN:x',
        'run:a/b',
        'run:../../x',
        'constructor',
      ),
    },
  );
  const seq = fc.oneof(fc.nat(200), fc.constantFrom(-1, 2 ** 40));
  const since = fc.record({ epoch: fc.constantFrom(epoch, 'other'), seq });
  const options = fc.record(
    {
      since: fc.option(since),
      limit: fc.constantFrom(1, 200, 1_000, 1_001, 0),
      offset: fc.constantFrom(0, 10, -1),
      q: fc.constantFrom('', 'n', '*', '('),
      status: fc.subarray(['running', 'quiet', 'lost_contact', 'finished', 'failed', 'no']),
      sort: fc.constantFrom('-last_received_at', 'run_id', 'state', '-', '', '__proto__'),
      cluster: fc.constantFrom('local', 'c2', ''),
      task: fc.constantFrom('cifar', '*', ''),
      where: fc.subarray(['accuracy>80', 'missing=0', 'acc>80', '', '__proto__=1']),
      group_by: fc.constantFrom('state', 'task_name', 'cluster_id', 'run_id', '__proto__'),
      type: fc.subarray(['NOTE', 'EPOCH_COMPLETED', 'no']),
      not_type: fc.subarray(['NOTE', 'no']),
      env: fc.subarray([0, 1, -1]),
      slot: fc.subarray(['r0', 'a,b', '']),
      severity: fc.subarray(['info', 'error', 'no']),
      min_interval_ms: fc.constantFrom(0, 100, 60_000, 60_001),
    },
    { requiredKeys: [] },
  );
  const item = fc.oneof(
    channel.map((ch) => ({ ch })),
    fc.tuple(channel, options).map(([ch, more]) => ({ ch, ...more })),
  );
  const sub = fc.oneof(
    { weight: 12, arbitrary: fc.array(item, { maxLength: 6 }) },
    { weight: 1, arbitrary: fc.integer({ min: 900, max: 1_500 }).map(manyRuns) },
    { weight: 1, arbitrary: fc.integer({ min: 14, max: 40 }).map(manyIndexes) },
  );
  return fc.oneof(
    { weight: 6, arbitrary: fc.record({ id, sub }) },
    { weight: 2, arbitrary: fc.record({ id, unsub: fc.array(channel, { maxLength: 5 }) }) },
    { weight: 2, arbitrary: fc.record({ id, ping: fc.constant(true) }) },
    { weight: 2, arbitrary: fc.record({ id, ack: fc.dictionary(channel, seq, { maxKeys: 5 }) }) },
    { weight: 1, arbitrary: fc.record({ id, auth: fc.constantFrom(...secrets) }) },
  );
}

function manyRuns(count: number): object[] {
  return Array.from({ length: count }, (_, at) => ({ ch: `run:local/many-${at}/default` }));
}

function manyIndexes(count: number): object[] {
  return Array.from({ length: count }, (_, at) => ({ ch: `runs:local/n${'*'.repeat(1 + (at % 3))}${at}*` }));
}

import { setImmediate } from 'node:timers/promises';
import type { EventError } from '@runlog/schema/http/ingest-api';
import { ERRORS_LISTED_MAX } from '@runlog/schema/limits';
import { parseJson } from '@runlog/topic-io/parse-json';
import { TopicIoError } from '@runlog/topic-io/topic-io';
import type { AcceptedEvent, RejectedEvent } from '../accept-batch.ts';
import { eventIdOf } from '../accept-batch.ts';
import type { ByteBudget } from '../byte-budget.ts';
import type { OpenLog } from '../open-log.ts';
import { PUBLISH_MS_MAX, type Published, publish, type RefusedEvent } from '../publish.ts';
import { within } from '../within.ts';
import { inPlaceOf } from './in-place-of.ts';
import type { BodyItems, PreparedItem } from './prepare-item.ts';
import type { SenderSource } from './sender-source.ts';
import type { StoredIds } from './stored-ids.ts';

/** Is published before the next events are made: it bounds memory, and how long the event loop is held up. */
const SLICE_EVENTS_MAX = 500;
const SLICE_BYTES_MAX = 2 * 1024 * 1024;
const SLICE_MS_MIN = 2_000;
/** Some events take a thousand times as long as others, and everybody else waits meanwhile. */
const TURN_MS_MAX = 20;

/** What became of a body. `fault` is null exactly if every event is stored or kept among the rejected ones. */
export interface StoredBody {
  /** Those that were appended, or had been before. */
  accepted: number;
  /** Those of the accepted ones that were not appended again. */
  repeated: number;
  normalized: number;
  rejected: number;
  /** The first of the rejected ones. */
  readonly errors: EventError[];
  /** All that this attempt has rejected, by code. */
  readonly rejectedByCode: Map<EventError['code'], number>;
  fault: TopicIoError | null;
}

type Append = Extract<PreparedItem, { kind: 'append' }>;
type Reject = Extract<PreparedItem, { kind: 'reject' }>;

/**
 * Publishes the events of a body slice by slice, each after the one before it is in the log, and stops at the first fault. What
 * was stored until then is remembered, so that the sender's next attempt goes on from there. What no event can be made of, and
 * what the log will not take however often it is sent, is kept among the rejected events.
 */
export async function storeBody(options: {
  source: SenderSource;
  items: BodyItems;
  log: OpenLog;
  stored: StoredIds;
  budget: ByteBudget;
  receivedAtMs: number;
  keyId: string | null;
  /** Is told of work that still uses the bytes of the body. */
  onPending: (work: Promise<unknown>) => void;
}): Promise<StoredBody> {
  const { source, items } = options;
  const outcome: StoredBody = {
    ...{ accepted: 0, repeated: 0, normalized: 0, rejected: 0, errors: [], fault: null },
    rejectedByCode: new Map(),
  };
  const deadlineMs = performance.now() + PUBLISH_MS_MAX;
  let index = 0;
  let isFirst = true;
  let turnBegunMs = performance.now();
  while (index < source.total && outcome.fault === null) {
    const appends: Append[] = [];
    const rejects: Reject[] = [];
    let bytes = 0;
    for (
      let count = 0;
      index < source.total && count < SLICE_EVENTS_MAX && bytes < SLICE_BYTES_MAX;
      count += 1, index += 1
    ) {
      const prepared = items.prepare(source.item(index), index);
      if (prepared.kind === 'append') {
        appends.push(prepared);
        bytes += prepared.event.record.value.length;
      } else if (prepared.kind === 'reject') {
        rejects.push(prepared);
        bytes += prepared.rejected.value.length;
      } else {
        outcome.accepted += 1;
        outcome.repeated += 1;
      }
      if (performance.now() - turnBegunMs > TURN_MS_MAX) {
        await setImmediate();
        turnBegunMs = performance.now();
      }
    }
    if (appends.length === 0 && rejects.length === 0) continue;
    await storeSlice({ ...options, outcome, appends, rejects, bytes, deadlineMs, isFirst });
    isFirst = false;
    turnBegunMs = performance.now();
  }
  return outcome;
}

async function storeSlice(options: {
  appends: readonly Append[];
  rejects: readonly Reject[];
  bytes: number;
  /** Whether the attempt has stored nothing yet. */
  isFirst: boolean;
  outcome: StoredBody;
  deadlineMs: number;
  log: OpenLog;
  stored: StoredIds;
  budget: ByteBudget;
  receivedAtMs: number;
  keyId: string | null;
  onPending: (work: Promise<unknown>) => void;
}): Promise<void> {
  const { appends, outcome, log, stored } = options;
  const { isFirst } = options;
  // Every attempt stores something: whatever its sender asks for, a body is stored in the end.
  const leftMs = Math.max(options.deadlineMs - performance.now(), isFirst ? SLICE_MS_MIN : 0);
  if (leftMs <= 0) {
    outcome.fault = new TopicIoError(
      'overloaded',
      'the log took the first events, and there was no time for all',
    );
    return;
  }
  using share = options.budget.share();
  if (!share.grow(options.bytes)) {
    outcome.fault = new TopicIoError('overloaded', 'too many bytes are in flight');
    return;
  }
  const rejects = [...options.rejects];
  if (appends.length > 0) {
    const published = await publish({
      ...{ log, waitMsMax: leftMs },
      events: appends.map(({ event }) => event),
    });
    share.keepUntil(published.settled);
    options.onPending(rememberLate(published, appends, stored));
    outcome.accepted += published.acknowledged;
    outcome.normalized += published.normalized;
    outcome.fault = published.fault;
    const undone = new Set(published.retry);
    for (const { event, fault } of published.refused) {
      undone.add(event.index);
      rejects.push({
        kind: 'reject',
        rejected: refusedEvent(event, fault),
        memory: `refused ${event.index}`,
      });
    }
    remember(appends, stored, (index) => !undone.has(index));
    await takePlaces(published.refused, { appends, outcome, log, stored, onPending: options.onPending });
  }
  await keepRejected(rejects, {
    ...options,
    leftMs: Math.max(options.deadlineMs - performance.now(), SLICE_MS_MIN),
  });
}

/** What was given up and is in the log all the same would be taken for new when its sender cuts it anew, or comes late. */
async function rememberLate(
  published: Published,
  appends: readonly Append[],
  stored: StoredIds,
): Promise<void> {
  const late = new Set(await published.acknowledgedLate);
  if (late.size > 0) remember(appends, stored, (index) => late.has(index));
}

function remember(appends: readonly Append[], stored: StoredIds, isStored: (index: number) => boolean): void {
  for (const { event, memory, emitterId } of appends) {
    if (memory !== null && isStored(event.index)) stored.add(memory, emitterId);
  }
}

/** Gives the numbers of refused events to others that say so, or their runs would miss them. */
async function takePlaces(
  refused: readonly RefusedEvent[],
  options: {
    appends: readonly Append[];
    outcome: StoredBody;
    log: OpenLog;
    stored: StoredIds;
    onPending: (work: Promise<unknown>) => void;
  },
): Promise<void> {
  if (refused.length === 0) return;
  const { outcome, log, stored } = options;
  const numbered = new Map<number, string>();
  for (const { event, memory, emitterId } of options.appends) {
    if (memory !== null && emitterId !== '') numbered.set(event.index, `${memory} refused`);
  }
  const places = refused.filter(({ event: { index } }) => {
    const memory = numbered.get(index);
    return memory !== undefined && stored.emitterOf(memory) === undefined;
  });
  if (places.length === 0) return;
  const published = await publish({
    ...{ log, waitMsMax: SLICE_MS_MIN },
    events: places.map(({ event, fault }) => inPlaceOf(event, fault)),
  });
  options.onPending(published.settled);
  outcome.fault ??= published.fault;
  if (published.fault !== null) return;
  for (const { event } of places) stored.add(numbered.get(event.index)!, '');
}

/** What an earlier attempt has kept is counted, and not kept again. */
async function keepRejected(
  rejects: readonly Reject[],
  options: {
    outcome: StoredBody;
    log: OpenLog;
    stored: StoredIds;
    receivedAtMs: number;
    keyId: string | null;
    leftMs: number;
  },
): Promise<void> {
  const { outcome, log, stored, receivedAtMs, keyId } = options;
  const unknown = rejects.filter(({ memory }) => stored.emitterOf(memory) === undefined);
  if (unknown.length > 0) {
    const kept = log.rejectedTopic.keep(
      unknown.map(({ rejected }) => rejected),
      { receivedAtMs, keyId },
    );
    const late = new TopicIoError('unavailable', 'the rejected events could not be kept in time');
    const result = await within(kept, Math.max(options.leftMs, 0));
    const fault = result === undefined ? late : result;
    outcome.fault ??= fault;
    if (fault !== null) return;
  }
  for (const { rejected, memory } of rejects) {
    const { error } = rejected;
    outcome.rejected += 1;
    outcome.rejectedByCode.set(error.code, (outcome.rejectedByCode.get(error.code) ?? 0) + 1);
    if (outcome.errors.length < ERRORS_LISTED_MAX) outcome.errors.push(error);
    if (memory.startsWith('rejected ')) stored.add(memory, '');
  }
}

function refusedEvent({ index, record }: AcceptedEvent, { message }: TopicIoError): RejectedEvent {
  const event_id = eventIdOf(parseJson(record.value.toString('utf8')));
  const error = { index, event_id, code: 'event_too_large', path: '', message } as const;
  return { error, key: record.key, value: record.value };
}

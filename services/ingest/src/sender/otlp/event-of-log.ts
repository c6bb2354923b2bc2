import { fitEventType, fitRunKeyPart } from '../fit-names.ts';
import {
  CLUSTER_NAME,
  GROUP_NAMES,
  type MadeEvent,
  NAMELESS_TYPE,
  nameText,
  RUN_NAMES,
  setMember,
  TYPE_NAMES,
} from '../made-event.ts';
import { timeOfNanoseconds } from '../own-time.ts';
import type { Attributes, LogContext, LogRecord } from './log-request.ts';

/** The levels of OpenTelemetry, each of which has four numbers, as the levels of events. */
const severities = ['debug', 'debug', 'info', 'warning', 'error', 'critical'] as const;
const usualTexts = /^(?:TRACE|DEBUG|INFO|WARN|WARNING|ERROR|FATAL|CRITICAL)[2-4]?$/i;
const nothing = /^0*$/;
/** What events called themselves before log records had a field for it. */
const FORMER_EVENT_NAME = 'event.name';

/** Makes an event of a log record of OpenTelemetry. Attributes that the envelope has no place for are members of `data`. */
export function eventOfLog(record: LogRecord, context: LogContext, defaults: { runId: string }): MadeEvent {
  const shared = sharedOf(context);
  const { attributes } = record;
  const telling = attributes.filter(isTelling);
  const run = nearest(telling, RUN_NAMES, shared.run);
  const group = nearest(telling, GROUP_NAMES, shared.group);
  const cluster = nameText(valueAt(telling, CLUSTER_NAME)) ?? shared.cluster;
  const type = typeOf(telling, record.eventName);
  const time = timeOfNanoseconds(record.timeNanoseconds) ?? timeOfNanoseconds(record.observedNanoseconds);
  const fields: MadeEvent['fields'] & Record<string, unknown> = {
    event_type: fitEventType(type.text),
    run_id: run === null ? defaults.runId : fitRunKeyPart(run.text),
  };
  if (group !== null) fields.group_id = fitRunKeyPart(group.text);
  const severity = severityOf(record);
  if (severity !== null) fields.severity = severity;
  if (typeof record.body === 'string') fields.message = record.body;
  // What was changed for the sake of a key is kept as it was said.
  const runUsed = run !== null && run.text === fields.run_id ? run.name : null;
  const groupUsed = group !== null && group.text === fields.group_id ? group.name : null;
  const data: Record<string, unknown> = {};
  for (const [name, value] of attributes) {
    if (name !== runUsed && name !== groupUsed && name !== type.name) setMember(data, name, value);
  }
  if (record.body !== undefined && typeof record.body !== 'string') addMember(data, 'body', record.body);
  if (
    record.severityText !== '' &&
    severity !== record.severityText &&
    !usualTexts.test(record.severityText)
  ) {
    addMember(data, 'severity_text', record.severityText);
  }
  if (!nothing.test(record.traceId)) addMember(data, 'trace_id', record.traceId);
  if (!nothing.test(record.spanId)) addMember(data, 'span_id', record.spanId);
  if (shared.scope !== null) addMember(data, 'scope', shared.scope);
  if (shared.resource !== null) addMember(data, 'resource', shared.resource);
  if (time !== null) fields.timestamp = time.timestamp;
  fields.data = data;
  return {
    kind: 'made',
    cluster: cluster === null ? null : fitRunKeyPart(cluster),
    fields,
    isTimeFine: time?.isFine ?? false,
  };
}

const tellingNames: ReadonlySet<string> = new Set([
  ...RUN_NAMES,
  ...GROUP_NAMES,
  CLUSTER_NAME,
  ...TYPE_NAMES,
  FORMER_EVENT_NAME,
]);

/** Whether an attribute names something. Those of most records do not, so they are looked through once. */
function isTelling(attribute: Attributes[number]): boolean {
  return tellingNames.has(attribute[0]);
}

/** An attribute that names something; `rank` is its place among the names that were looked for. */
interface Named {
  readonly name: string;
  readonly text: string;
  readonly rank: number;
}

/** What is the same for all records of a context. */
interface Shared {
  readonly run: Named | null;
  readonly group: Named | null;
  readonly cluster: string | null;
  readonly scope: Readonly<Record<string, unknown>> | null;
  readonly resource: Readonly<Record<string, unknown>> | null;
}

const known = new WeakMap<LogContext, Shared>();

function sharedOf(context: LogContext): Shared {
  const held = known.get(context);
  if (held !== undefined) return held;
  const { resource, scope } = context;
  const ofScope = scope?.attributes ?? [];
  const shared: Shared = {
    run: nearest(ofScope, RUN_NAMES, nearest(resource, RUN_NAMES, null)),
    group: nearest(ofScope, GROUP_NAMES, nearest(resource, GROUP_NAMES, null)),
    cluster: nameText(valueAt(ofScope, CLUSTER_NAME)) ?? nameText(valueAt(resource, CLUSTER_NAME)),
    scope: scopeMembers(scope),
    resource: resource.length === 0 ? null : membersOf(resource),
  };
  known.set(context, shared);
  return shared;
}

function scopeMembers(scope: LogContext['scope']): Shared['scope'] {
  if (scope === null) return null;
  const { name, version, attributes } = scope;
  if (name === '' && version === '' && attributes.length === 0) return null;
  return {
    ...(name === '' ? {} : { name }),
    ...(version === '' ? {} : { version }),
    ...(attributes.length === 0 ? {} : { attributes: membersOf(attributes) }),
  };
}

function membersOf(attributes: Attributes): Record<string, unknown> {
  const members: Record<string, unknown> = {};
  for (const [name, value] of attributes) setMember(members, name, value);
  return members;
}

/** Returns the most telling name; of two places with the same name, the nearer one counts. */
function nearest(attributes: Attributes, names: readonly string[], farther: Named | null): Named | null {
  let found = farther;
  for (const [name, value] of attributes) {
    const rank = names.indexOf(name);
    if (rank < 0 || (found !== null && rank > found.rank)) continue;
    const text = nameText(value);
    if (text !== null) found = { name, text, rank };
  }
  return found;
}

function valueAt(attributes: Attributes, name: string): unknown {
  return attributes.findLast((attribute) => attribute[0] === name)?.[1];
}

/** A log record has a field for its name, but what says `event_type` means ours. */
function typeOf(telling: Attributes, eventName: string): { name: string | null; text: string } {
  const named = nearest(telling, TYPE_NAMES, null);
  if (eventName !== '' && named?.name !== TYPE_NAMES[0]) return { name: null, text: eventName };
  if (named !== null) return named;
  const former = nameText(valueAt(telling, FORMER_EVENT_NAME));
  return former === null ? { name: null, text: NAMELESS_TYPE } : { name: FORMER_EVENT_NAME, text: former };
}

function severityOf({ severityNumber, severityText }: LogRecord): string | null {
  const level = severities[Math.floor((severityNumber - 1) / 4)];
  if (level !== undefined) return level;
  return severityText === '' ? null : severityText;
}

/** An attribute of the same name has been there first. */
function addMember(data: Record<string, unknown>, name: string, value: unknown): void {
  setMember(data, Object.hasOwn(data, name) ? `otel.${name}` : name, value);
}

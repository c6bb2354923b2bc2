import { EMITTER_SEQ_MAX, EVENT_ID_CHARS_MAX } from '@runlog/schema/limits';
import { runKeyPart } from '@runlog/schema/run/run-key-part';
import { fitEventType, fitRunKeyPart } from './fit-names.ts';
import {
  CLUSTER_NAME,
  GROUP_NAMES,
  type MadeEvent,
  NAMELESS_TYPE,
  nameText,
  RUN_NAMES,
  setMember,
  TYPE_NAMES,
  type Unmakeable,
} from './made-event.ts';
import { ownTimeOf } from './own-time.ts';

type JsonObject = Readonly<Record<string, unknown>>;

const TIME_NAMES = ['timestamp', '@timestamp', 'time', 'date', 'ts'] as const;
/** Where senders put what belongs to all events of a source. */
const CONTEXT_NAMES = ['attributes', 'resource', 'resources', 'labels'] as const;
const MESSAGE_SYNONYMS = ['msg', 'log'] as const;
const SEVERITY_SYNONYMS = ['level', 'levelname', 'severity_text'] as const;
const optionalText = ['seed_id', 'slot_id', 'message'] as const;

/**
 * Makes an event of any JSON object. What the envelope has a place for goes there if it fits; all the rest is `data`, whose
 * own members, if the object has a `data`, are laid beside the others.
 */
export function madeOfObject(object: JsonObject, defaults: { runId: string }): MadeEvent | Unmakeable {
  const fault = runFaultOf(object);
  if (fault !== null) return fault;
  const used = new Set<string>();
  const envelope: Record<string, unknown> = {};
  const type = first(TYPE_NAMES, (name) => nameText(object[name]), used);
  const run = first(RUN_NAMES, (name) => nameText(named(object, name)), used);
  const group = first(GROUP_NAMES, (name) => nameText(named(object, name)), used);
  const cluster = nameText(named(object, CLUSTER_NAME));
  const time = timeOf(object, used);
  if (isId(object.event_id)) {
    envelope.event_id = object.event_id;
    used.add('event_id');
  }
  const event_type = type === null ? (camelCaseType(object) ?? NAMELESS_TYPE) : type;
  const fields: MadeEvent['fields'] & Record<string, unknown> = {
    ...envelope,
    event_type: fitEventType(event_type),
    run_id: run === null ? defaults.runId : fitRunKeyPart(run),
  };
  if (group !== null) fields.group_id = fitRunKeyPart(group);
  for (const name of optionalText) {
    if (typeof object[name] !== 'string') continue;
    fields[name] = object[name];
    used.add(name);
  }
  if (typeof object.epoch === 'number' && Number.isFinite(object.epoch)) {
    fields.epoch = object.epoch;
    used.add('epoch');
  }
  if (typeof object.severity === 'string' || typeof object.severity === 'number') {
    fields.severity = object.severity;
    used.add('severity');
  }
  fields.message ??= textAt(object, MESSAGE_SYNONYMS);
  fields.severity ??= textAt(object, SEVERITY_SYNONYMS);
  if (isNumbered(object)) {
    fields.emitter_id = object.emitter_id;
    fields.emitter_seq = object.emitter_seq;
    used.add('emitter_id').add('emitter_seq');
  }
  // What was changed for the sake of a key is kept as it was said.
  if (run !== null && fields.run_id !== run) for (const name of RUN_NAMES) used.delete(name);
  if (group !== null && fields.group_id !== group) for (const name of GROUP_NAMES) used.delete(name);
  if (time !== null) fields.timestamp = time.timestamp;
  fields.data = restOf(object, used);
  return {
    kind: 'made',
    cluster: cluster === null ? null : fitRunKeyPart(cluster),
    fields,
    isTimeFine: time?.isFine ?? false,
  };
}

/** A run that is named by what cannot be a name would become the default, and several runs one. */
function runFaultOf(object: JsonObject): Unmakeable | null {
  for (const name of RUN_NAMES) {
    const value = named(object, name);
    if (nameText(value) !== null) return null;
    const isNumber = typeof value === 'number';
    if (!isNumber && typeof value !== 'boolean') continue;
    const message = isNumber
      ? 'must be text: a number of this size is rounded where JSON is read'
      : 'must be the name of a run, not true or false';
    return { kind: 'unmakeable', code: 'schema', path: name, message };
  }
  return null;
}

function first(
  names: readonly string[],
  textOf: (name: string) => string | null,
  used: Set<string>,
): string | null {
  for (const name of names) {
    const text = textOf(name);
    if (text === null) continue;
    used.add(name);
    return text;
  }
  return null;
}

/** Returns a member of the object, or of what it says about its source. `runlog.run` may also be nested. */
function named(object: JsonObject, name: string): unknown {
  if (Object.hasOwn(object, name)) return object[name];
  const [outer, inner] = name.split('.');
  const nested = inner === undefined ? undefined : object[outer!];
  if (isObject(nested) && Object.hasOwn(nested, inner!)) return nested[inner!];
  for (const place of CONTEXT_NAMES) {
    const context = object[place];
    if (!isObject(context)) continue;
    if (Object.hasOwn(context, name)) return context[name];
    if (isObject(context.attributes) && Object.hasOwn(context.attributes, name))
      return context.attributes[name];
  }
  return undefined;
}

/** Ray writes its events in camel case. */
function camelCaseType(object: JsonObject): string | null {
  return nameText(object.eventType) ?? nameText(object.eventName);
}

function timeOf(object: JsonObject, used: Set<string>) {
  for (const name of TIME_NAMES) {
    const time = ownTimeOf(object[name]);
    if (time === null) continue;
    used.add(name);
    return time;
  }
  return null;
}

function textAt(object: JsonObject, names: readonly string[]): string | undefined {
  const name = names.find((each) => typeof object[each] === 'string');
  return name === undefined ? undefined : (object[name] as string);
}

function isNumbered(object: JsonObject): boolean {
  const { emitter_id, emitter_seq } = object;
  if (!runKeyPart.safeParse(emitter_id).success || !Number.isSafeInteger(emitter_seq)) return false;
  return (emitter_seq as number) >= 1 && (emitter_seq as number) <= EMITTER_SEQ_MAX;
}

function isId(value: unknown): value is string {
  return typeof value === 'string' && value.length <= EVENT_ID_CHARS_MAX && /^[^\p{Cc}\p{Cs}]+$/u.test(value);
}

function restOf(object: JsonObject, used: ReadonlySet<string>): Record<string, unknown> {
  const rest: Record<string, unknown> = {};
  const names = Object.keys(object).filter((name) => !used.has(name));
  const inner = object.data;
  const isLaidOpen = isObject(inner) && names.every((name) => name === 'data' || !Object.hasOwn(inner, name));
  for (const name of names) {
    if (name === 'data' && (inner === null || isLaidOpen)) continue;
    setMember(rest, name, object[name]);
  }
  if (isLaidOpen) for (const [name, value] of Object.entries(inner)) setMember(rest, name, value);
  return rest;
}

function isObject(value: unknown): value is JsonObject {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

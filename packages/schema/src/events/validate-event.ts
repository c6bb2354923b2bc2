import { z } from 'zod';
import { judgeShape } from '../judge-shape.ts';
import type { TelemetryEvent } from './event.ts';
import { eventSchemas } from './event-schemas.ts';
import { olderShapeOf } from './event-types.ts';

/** Why an event was rejected: the dotted path of the field, and a sentence. */
export interface EventFault {
  readonly code: 'schema';
  readonly path: string;
  readonly message: string;
}

export type Verdict = { readonly event: TelemetryEvent } | { readonly fault: EventFault };

type EventSchema = z.ZodType<TelemetryEvent>;

interface Validators {
  readonly current: ReadonlyMap<string, EventSchema>;
  readonly older: ReadonlyMap<string, EventSchema>;
  readonly other: EventSchema;
}

function validators(prepare: (schema: EventSchema) => EventSchema): Validators {
  const mapped = (schemas: Record<string, unknown>) =>
    new Map(Object.entries(schemas).map(([type, schema]) => [type, prepare(schema as EventSchema)]));
  return {
    current: mapped(eventSchemas.current),
    older: mapped(eventSchemas.older),
    other: prepare(eventSchemas.other as EventSchema),
  };
}

/** Compiled once: four times the speed of the plain schemas, and the same verdicts (validate-event.test.ts). */
const compiled = validators((schema) => z.compile(schema));
const plain = validators((schema) => schema);

/**
 * Judges one parsed JSON value. A valid event is returned as the very object that came in: nothing is added, dropped
 * or reordered. The first fault found is reported.
 */
export function validateEvent(value: unknown): Verdict {
  return judge(value, compiled);
}

/** The same by the uncompiled schemas; for the test that both agree. */
export function validateEventPlainly(value: unknown): Verdict {
  return judge(value, plain);
}

function judge(value: unknown, schemas: Validators): Verdict {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) {
    return { fault: { code: 'schema', path: '', message: 'an event must be a JSON object' } };
  }
  const raw = value as { event_type?: unknown; data?: unknown };
  const type = typeof raw.event_type === 'string' ? raw.event_type : '';
  const schema =
    (olderShapeOf(raw) === null ? schemas.current.get(type) : schemas.older.get(type)) ?? schemas.other;
  const result = judgeShape(schema, value);
  if (!result.success) return { fault: faultOf(result.error, value) };
  const event = value as TelemetryEvent;
  if ((event.emitter_id == null) !== (event.emitter_seq == null)) {
    const path = event.emitter_id == null ? 'emitter_id' : 'emitter_seq';
    return {
      fault: {
        code: 'schema',
        path,
        message: 'emitter_id and emitter_seq must be sent together or not at all',
      },
    };
  }
  return { event };
}

function faultOf(error: z.ZodError, value: object): EventFault {
  const [issue, ...others] = error.issues as [z.core.$ZodIssue, ...z.core.$ZodIssue[]];
  const path = issue.path.join('.');
  const message = sentence(issue);
  if (!isMissing(value, issue.path)) return { code: 'schema', path, message };
  // A sender that left out one field often left out several.
  const missing = others.filter((other) => isMissing(value, other.path)).map((other) => other.path.join('.'));
  const also = missing.length === 0 ? '' : `; also required: ${missing.join(', ')}`;
  const required = message.startsWith('is required') ? message : `is required: it ${message}`;
  return { code: 'schema', path, message: required + also };
}

function isMissing(value: unknown, path: readonly PropertyKey[]): boolean {
  let held = value;
  for (const name of path) {
    if (typeof held !== 'object' || held === null) return false;
    held = (held as Record<PropertyKey, unknown>)[name];
  }
  return held === undefined;
}

/** Rewords zod's "Invalid input: expected string, received undefined" as an operator would say it. */
function sentence(issue: z.core.$ZodIssue): string {
  if (issue.code === 'invalid_type' && issue.message.endsWith('received undefined')) {
    return `is required (expected ${issue.expected})`;
  }
  return issue.message;
}

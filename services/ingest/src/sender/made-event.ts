import type { EventFaultCode } from '@runlog/schema/faults';

/**
 * An event that was made of something else. `fields` are those of the envelope and `data`, ready to be written. It has an id
 * and a `timestamp` only if it names them itself.
 */
export interface MadeEvent {
  readonly kind: 'made';
  /** The cluster that it names itself, which counts in open mode only. */
  readonly cluster: string | null;
  readonly fields: Readonly<Record<string, unknown>> & {
    readonly event_type: string;
    readonly run_id: string;
  };
  /** See `OwnTime`. An event without a time of its own has none that is fine. */
  readonly isTimeFine: boolean;
}

/** What cannot become an event, and why. */
export interface Unmakeable {
  readonly kind: 'unmakeable';
  readonly code: EventFaultCode;
  readonly path: string;
  readonly message: string;
}

/** The names that say which run something belongs to, the most telling first. */
export const RUN_NAMES = ['runlog.run', 'run_id', 'run', 'TORCHELASTIC_RUN_ID', 'SLURM_JOB_ID'] as const;
export const GROUP_NAMES = ['runlog.group', 'group_id'] as const;
export const CLUSTER_NAME = 'runlog.cluster';
/** The names that say what happened, the most telling first. */
export const TYPE_NAMES = ['event_type', 'event_name', 'type', 'name'] as const;
/** The type of what names none. */
export const NAMELESS_TYPE = 'LOG';

/** Returns a name as text, or null if the value is none. Numbers of jobs come as numbers. */
export function nameText(value: unknown): string | null {
  if (typeof value === 'string') return value.trim() === '' ? null : value;
  return typeof value === 'number' && !isRounded(value) ? String(value) : null;
}

/** Whether reading JSON may have changed the number, so that two of them would become one name. */
export function isRounded(value: number): boolean {
  return Number.isInteger(value) && !Number.isSafeInteger(value);
}

/** Sets a member under whatever name; `__proto__` would otherwise change the object itself. */
export function setMember(object: Record<string, unknown>, name: string, value: unknown): void {
  if (name === '__proto__') {
    Object.defineProperty(object, name, { value, enumerable: true, configurable: true, writable: true });
  } else {
    object[name] = value;
  }
}

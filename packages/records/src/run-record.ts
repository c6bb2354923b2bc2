import type { RunRecord } from '@runlog/run-state/run-record';
import { cutLetters } from '@runlog/schema/run/cut-text';
import { parseRunKey, type RunKey } from '@runlog/schema/run/run-key';
import { messageOf } from '@runlog/topic-io/error-message';
import type { LogRecord } from '@runlog/topic-io/topic-io';
import { controlOf, decodeControl } from './control-record.ts';
import { decodeEvent } from './event-record.ts';

/** A record of `run-events` that no fold can read, with a sentence that says why. */
export interface Unfoldable {
  readonly kind: 'unfoldable';
  readonly reason: string;
}

/**
 * Parses and validates one record of `run-events`. Other producers write to Kafka too, so nothing is trusted. `known`
 * is the record's parsed key, if the caller has it.
 */
export function decodeRunRecord(
  record: LogRecord,
  epoch: string,
  known: RunKey | null = null,
): RunRecord | Unfoldable {
  const run = known ?? parseRunKey(record.key);
  if (run === null) return unfoldable(`the key is not cluster/run/group: ${excerpt(record.key)}`);
  if (record.value === null) return unfoldable('the record has no value');
  const { key, offset: seq } = record;
  let value = record.json;
  if (value === undefined) {
    try {
      value = JSON.parse(record.value.toString('utf8'));
    } catch (error) {
      return unfoldable(`the value is not JSON: ${messageOf(error)}`);
    }
  }
  if (controlOf(record) !== null) {
    const control = decodeControl(value);
    if (control === null) return unfoldable('unknown control record');
    return { kind: 'retired', key, run, seq, epoch, through: control.through };
  }
  const event = decodeEvent(value, { key, run, seq, epoch }, record);
  return typeof event === 'string' ? unfoldable(event) : event;
}

function unfoldable(reason: string): Unfoldable {
  return { kind: 'unfoldable', reason };
}

function excerpt(text: string): string {
  return JSON.stringify(cutLetters(text, 80));
}

import type { TelemetryEvent } from '@runlog/schema/events/event';
import type { RunKey } from '@runlog/schema/run/run-key';

interface Placed {
  /** `cluster/run/group`. */
  readonly key: string;
  readonly run: RunKey;
  /** Offset of the record. */
  readonly seq: number;
  /** The epoch of the topic, from `run-meta`. */
  readonly epoch: string;
}

/** An event as the fold reads it. */
export type EventRecord = Extract<RunRecord, { kind: 'event' }>;

/** A record of `run-events` as the fold reads it (`decodeRunRecord` of packages/records). */
export type RunRecord =
  | (Placed & {
      readonly kind: 'event';
      /** In today's shape. */
      readonly event: TelemetryEvent;
      /** ISO, UTC, by ingest's clock. */
      readonly receivedAt: string;
      readonly receivedAtMs: number;
    })
  | (Placed & {
      readonly kind: 'retired';
      /** The run is retired only if its position is at or below this offset; null: in any case. */
      readonly through: number | null;
    });

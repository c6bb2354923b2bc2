import { createHash } from 'node:crypto';
import type { SourceEvent } from './source.ts';

/** Longer texts are cut. An entry of the log shows 1 KiB; the event keeps more. */
const TEXT_CHARS_MAX = 16_384;
const CONFIG_BYTES_MAX = 64 * 1024;
const CONFIG_DEPTH_MAX = 16;
const CONFIG_MESSAGE_CHARS_MAX = 500;

/** The id of an event that has none: the same bytes get the same one in each import. The form is that of event-identity.ts. */
export function idOf(...parts: readonly (string | number | Buffer)[]): string {
  const hash = createHash('sha256');
  for (const part of parts) {
    const bytes = Buffer.isBuffer(part) ? part : Buffer.from(String(part));
    // The length stands before each part, so that parts do not run into each other.
    hash.update(`${bytes.length}:`).update(bytes);
  }
  return `content-${hash.digest('hex').slice(0, 32)}`;
}

/** Returns a time in seconds since 1970 as events write it, to the microsecond, or null if it is none. */
export function timestampOfSeconds(seconds: number): string | null {
  const whole = Math.floor(seconds);
  const date = new Date(whole * 1_000);
  if (Number.isNaN(date.getTime()) || date.getUTCFullYear() < 0 || date.getUTCFullYear() > 9_999) return null;
  const micros = Math.min(999_999, Math.floor((seconds - whole) * 1_000_000 + 0.5));
  return `${date.toISOString().slice(0, 19)}.${String(micros).padStart(6, '0')}Z`;
}

/** JSON has no NaN; the protocol writes these three as text. */
export function numberValue(value: number): number | string {
  if (Number.isFinite(value)) return value;
  return Number.isNaN(value) ? 'NaN' : value > 0 ? 'Infinity' : '-Infinity';
}

/** `step` of a METRICS event is the x of the others, and `env_id` no measurement: a metric of such a name gets another. */
export function metricName(name: string): string {
  return name === 'step' || name === 'env_id' || name === '__proto__' ? `metric.${name}` : name;
}

export function cutText(text: string, charsMax = TEXT_CHARS_MAX): string {
  if (text.length <= charsMax) return text;
  const end = text.charCodeAt(charsMax - 2);
  // A pair of surrogates is one letter.
  return `${text.slice(0, end >= 0xd800 && end < 0xdc00 ? charsMax - 2 : charsMax - 1)}…`;
}

/**
 * The event that says how a run was configured. The configuration is one object inside `data`, so that its numbers become
 * no figures.
 */
export function configuredEvent(of: {
  readonly id: string;
  readonly runId: string;
  readonly timestamp: string;
  readonly data: Readonly<Record<string, unknown>>;
  readonly config: Readonly<Record<string, unknown>>;
}): SourceEvent {
  const { config, isCut } = boundedConfig(of.config);
  return {
    event_id: of.id,
    event_type: 'RUN_CONFIGURED',
    timestamp: of.timestamp,
    run_id: of.runId,
    message: configMessage(config),
    data: { ...of.data, config, ...(isCut ? { config_is_cut: true } : {}) },
  };
}

function boundedConfig(config: Readonly<Record<string, unknown>>) {
  const kept: Record<string, unknown> = {};
  let bytes = 0;
  let isCut = false;
  for (const [name, value] of Object.entries(config)) {
    const bounded = boundedValue(value, CONFIG_DEPTH_MAX);
    const size = Buffer.byteLength(JSON.stringify([name, bounded]));
    if (name === '__proto__' || bytes + size > CONFIG_BYTES_MAX) {
      isCut = true;
      continue;
    }
    bytes += size;
    kept[name] = bounded;
  }
  return { config: kept, isCut };
}

function boundedValue(value: unknown, depth: number): unknown {
  if (typeof value === 'string') return cutText(value, 4_096);
  if (typeof value === 'number') return numberValue(value);
  if (typeof value !== 'object' || value === null) return value;
  if (depth === 0) return '…';
  if (Array.isArray(value)) return value.map((item) => boundedValue(item, depth - 1));
  return Object.fromEntries(
    Object.entries(value).map(([name, item]) => [name, boundedValue(item, depth - 1)]),
  );
}

function configMessage(config: Readonly<Record<string, unknown>>): string {
  const parts = Object.entries(config).map(
    ([name, value]) => `${name}=${typeof value === 'string' ? value : JSON.stringify(value)}`,
  );
  return cutText(`configured: ${parts.join(' ')}`, CONFIG_MESSAGE_CHARS_MAX);
}

import type { TelemetryEvent } from '@runlog/schema/events/event';
import type { Severity } from '@runlog/schema/run/snapshot';

/** The names of severities in lower case, as Python, syslog, OpenTelemetry and the usual loggers write them. */
const severities: ReadonlyMap<string, Severity> = new Map<string, Severity>([
  ['trace', 'debug'],
  ['verbose', 'debug'],
  ['debug', 'debug'],
  ['info', 'info'],
  ['information', 'info'],
  ['informational', 'info'],
  ['notice', 'info'],
  ['warn', 'warning'],
  ['warning', 'warning'],
  ['err', 'error'],
  ['error', 'error'],
  ['crit', 'critical'],
  ['critical', 'critical'],
  ['fatal', 'critical'],
  ['alert', 'critical'],
  ['emerg', 'critical'],
  ['emergency', 'critical'],
  ['panic', 'critical'],
]);

/**
 * Returns the level that an event's severity means. A number is a level of Python's logging. Text counts in upper and lower
 * case. What is absent or unknown is `info`.
 */
export function severityOf(sent: TelemetryEvent['severity']): Severity {
  if (sent === 'info' || sent == null) return 'info';
  if (typeof sent === 'number') return severityOfLevel(sent);
  return severities.get(sent) ?? severities.get(sent.toLowerCase()) ?? 'info';
}

function severityOfLevel(level: number): Severity {
  if (level < 20) return 'debug';
  if (level < 30) return 'info';
  if (level < 40) return 'warning';
  return level < 50 ? 'error' : 'critical';
}

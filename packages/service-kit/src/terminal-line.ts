import { printable } from './printable.ts';

const LEVELS: Readonly<Record<number, string>> = {
  10: 'trace',
  20: 'debug',
  30: 'info',
  40: 'WARN',
  50: 'ERROR',
  60: 'FATAL',
};

/** Formats one JSON line of the logger for a person at a terminal, without control characters. */
export function terminalLine(json: string): string {
  const { time, level, service, msg, pid: _, err, ...fields } = JSON.parse(json) as Record<string, unknown>;
  const clock = new Date(Number(time)).toTimeString().slice(0, 8);
  const words = [clock, (LEVELS[Number(level)] ?? String(level)).padEnd(5), `${service}:`, String(msg ?? '')];
  for (const [name, value] of Object.entries(fields)) {
    words.push(`${name}=${typeof value === 'string' ? value : JSON.stringify(value)}`);
  }
  if (err !== undefined) words.push(`(${messageIn(err)})`);
  const line = `${printable(words.join(' '))}\n`;
  const stack = Number(level) >= 60 ? stackIn(err) : null;
  return stack === null ? line : `${line}${stack.split('\n').map(printable).join('\n')}\n`;
}

function messageIn(err: unknown): string {
  const message = typeof err === 'object' && err !== null && 'message' in err ? err.message : err;
  return typeof message === 'string' ? message : (JSON.stringify(message) ?? '');
}

function stackIn(err: unknown): string | null {
  return typeof err === 'object' && err !== null && 'stack' in err ? String(err.stack) : null;
}

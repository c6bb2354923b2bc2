import { pino } from 'pino';
import { expect, it } from 'vitest';
import { terminalLine } from './terminal-line.ts';

function lineOf(write: (logger: ReturnType<typeof pino>) => void): string {
  let line = '';
  const stream = {
    write(json: string) {
      line += terminalLine(json);
    },
  };
  write(pino({ level: 'trace', base: { service: 'ingest', pid: 7 } }, stream));
  return line;
}

it('says time, level, service, message and fields', () => {
  const line = lineOf((logger) => logger.info({ partitions: 4, topic: 'run-events' }, 'prepared'));
  expect(line).toMatch(/^\d\d:\d\d:\d\d info {2}ingest: prepared partitions=4 topic=run-events\n$/);
});

it('says the message of an error, and its stack if the process ends', () => {
  const err = new Error('no route');
  expect(lineOf((logger) => logger.warn({ err }, 'retrying'))).toMatch(
    /WARN {2}ingest: retrying \(no route\)\n$/,
  );
  expect(lineOf((logger) => logger.fatal({ err }, 'ended'))).toMatch(/\(no route\)\nError: no route\n +at /);
});

it('passes no control character to the terminal', () => {
  const line = lineOf((logger) => logger.info({ a: '\u001b[2J\n', b: ['\u009b1m'] }, '\u0007bell'));
  expect(line.trimEnd()).not.toMatch(/\p{Cc}/u);
});

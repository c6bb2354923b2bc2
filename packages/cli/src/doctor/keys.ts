import { statSync } from 'node:fs';
import { keyFileFaults, parseKeys } from '@runlog/service-kit/key-file';
import { readTextFile } from '@runlog/topic-io/text-file';
import { type Finding, findingsOf } from './finding.ts';

const { ok, warning, failed } = findingsOf('keys');

/** Whoever may write to the file may let himself in. */
const WRITABLE_BY_OTHERS = 0o022;

/** Reads the file as the services do. Never says a key, nor a digest of one. */
export function checkKeysFile(path: string | undefined): Finding[] {
  if (path === undefined || path === '') {
    return [
      ok('RUNLOG_KEYS_FILE', 'is not set: ingest and gateway are open to everybody who can reach them'),
    ];
  }
  const faults = keyFileFaults(path);
  if (faults.length > 0) return faults.map((fault) => failed('RUNLOG_KEYS_FILE', fault));
  const parsed = parseKeys(readTextFile(path));
  if (parsed.kind === 'fault') return [failed('RUNLOG_KEYS_FILE', `${path} ${parsed.fault}`)];
  const { mode, uid } = statSync(path);
  const count = (role: 'publish' | 'view') => parsed.keys.filter((key) => key.role === role).length;
  const [publish, view] = [count('publish'), count('view')];
  const octal = (mode & 0o777).toString(8).padStart(3, '0');
  const details = { publish, view, mode: octal, uid };
  const findings = [
    ok('RUNLOG_KEYS_FILE', `${path} has ${publish} keys to publish and ${view} to view; keys do not expire`, {
      details,
    }),
  ];
  if ((mode & WRITABLE_BY_OTHERS) !== 0) {
    const message = `${path} has mode ${octal}: others than its owner can add keys`;
    findings.push(warning('mode', message, { remedy: [`chmod go-w ${path}`] }));
  }
  for (const [role, number, example] of [
    ['publish', publish, 'CLUSTER'],
    ['view', view, '"*"'],
  ] as const) {
    if (number > 0) continue;
    const message = `nobody can ${role}: ${path} has no key for it`;
    findings.push(
      warning(role, message, { remedy: [`runlog keys add NAME --${role} ${example} --file ${path}`] }),
    );
  }
  return findings;
}

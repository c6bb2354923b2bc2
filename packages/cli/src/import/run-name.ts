import { hash } from 'node:crypto';
import { basename, dirname, resolve } from 'node:path';

const NAME_CHARS_MAX = 64;
const DIGEST_CHARS = 8;

/** Derives a run's name from a file's: `logs/2025-12-05_111053.events.jsonl` is the run `2025-12-05_111053`. */
export function runIdOfFile(path: string): string {
  return runIdOfName(nameOf(path));
}

/** Makes a run's name of any. One that cannot be a run's as it is gets a part of its hash, so that two names never become one. */
export function runIdOfName(source: string): string {
  const legal = legalOf(source);
  if (legal === source && legal.length <= NAME_CHARS_MAX) return legal;
  const kept = legal.slice(0, NAME_CHARS_MAX - DIGEST_CHARS - 1).replace(/[-.]+$/, '');
  return `${kept === '' ? 'imported' : kept}-${hash('sha256', source).slice(0, DIGEST_CHARS)}`;
}

/** The name that former versions gave: they cut it, and two files could have the same. */
export function formerRunIdOfFile(path: string): string {
  const legal = legalOf(nameOf(path))
    .slice(0, NAME_CHARS_MAX)
    .replace(/[-.]+$/, '');
  return legal === '' ? 'imported' : legal;
}

function nameOf(path: string): string {
  const name = basename(path)
    .replace(/\.gz$/i, '')
    .replace(/\.(jsonl|ndjson|json|log|txt)$/i, '')
    .replace(/\.?events$/i, '');
  // Trainers that keep a folder per run call every file in it events.jsonl.
  return name === '' ? basename(dirname(resolve(path))) : name;
}

function legalOf(source: string): string {
  return source
    .normalize('NFKD')
    .replace(/[^A-Za-z0-9._-]+/g, '-')
    .replace(/^[^A-Za-z0-9]+/, '');
}

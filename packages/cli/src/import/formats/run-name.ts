import { basename, dirname, relative, resolve, sep } from 'node:path';
import { runIdOfName } from '../run-name.ts';

/** Names that say what a folder or file is, and not which run it belongs to. */
const general =
  /^(?:train(?:ing)?|valid(?:ation)?|val|test|eval(?:uation)?|logs?|lightning_logs|tb|tensorboard|tb_logs|events?|metrics|progress|monitor|results?|history|outputs?|version_\d+|\d+(?:\.\d+)?)$/i;
const PARENTS_MAX = 4;

/**
 * Names the run of a folder that holds event files, by its path below `root`, as TensorBoard does. A name that says nothing
 * (`train`, `version_0`) gets that of the folder above it.
 */
export function runIdOfFolder(folder: string, root: string): string {
  return runIdOfName(withParents(segmentsOf(folder, root), root).join('-'));
}

/** Names the run of a file that holds a table, or events, in the same way; its ending is left out. */
export function runIdOfTable(path: string, root: string): string {
  const stem = basename(path)
    .replace(/\.gz$/i, '')
    .replace(/\.(?:csv|tsv|jsonl|ndjson|json|log|txt)$/i, '')
    .replace(/\.?events$/i, '');
  const segments = segmentsOf(dirname(path), root);
  const own = stem === '' || (general.test(stem) && segments.length > 0) ? segments : [...segments, stem];
  return runIdOfName(withParents(own, root).join('-'));
}

function segmentsOf(folder: string, root: string): string[] {
  return relative(resolve(root), resolve(folder))
    .split(sep)
    .filter((part) => part !== '' && part !== '..');
}

function withParents(segments: readonly string[], root: string): string[] {
  const named = [...segments];
  let above = resolve(root);
  for (let at = 0; at < PARENTS_MAX && named.every((name) => general.test(name)); at += 1) {
    if (basename(above) !== '') named.unshift(basename(above));
    above = dirname(above);
  }
  return named;
}

import { messageOf } from '@runlog/topic-io/error-message';
import { checkHistory } from '../test/chaos/history/check-history.ts';
import { readHistory } from '../test/chaos/history/history-file.ts';

const USAGE = `npm run check-history -- FILE

Judges the record of a chaos run after the fact (history.jsonl in the folder that npm run chaos names): lost and doubled
writes, order within a run, reads that went back, gateways that disagree at one position, snapshots and checkpoints that
do not fit. Exit code 0 if nothing contradicts the log, 1 if something does, 2 if it cannot be judged.
`;

const path = process.argv[2];
if (path === undefined || path.startsWith('-')) {
  process.stdout.write(USAGE);
  process.exit(path === '--help' ? 0 : 2);
}
try {
  const history = await readHistory(path);
  const violations = checkHistory(history);
  for (const { kind, what } of violations) process.stdout.write(`${kind}: ${what}\n`);
  process.stdout.write(`${history.length} observations, ${violations.length} violations\n`);
  process.exit(violations.length === 0 ? 0 : 1);
} catch (error) {
  process.stderr.write(`${messageOf(error)}\n`);
  process.exit(2);
}

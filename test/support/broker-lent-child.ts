/** Waits until its parent process has ended or closed the pipe, then deletes what was made on the broker. */

import { once } from 'node:events';
import { messageOf } from '@runlog/topic-io/error-message';
import { deleteRemains } from './broker-remains.ts';

const [brokers = '', prefix = ''] = process.argv.slice(2);
if (prefix === '') throw new Error('without a prefix everything would be deleted');

process.stdin.resume();
await once(process.stdin, 'close');
try {
  await deleteRemains({ brokers: brokers.split(','), prefix });
} catch (error) {
  process.stderr.write(`${prefix}… at ${brokers} could not be deleted: ${messageOf(error)}\n`);
  process.exitCode = 1;
}

import type { FolderSight } from '@runlog/topic-io/embedded/inspect-embedded';
import { type Finding, findingsOf } from './finding.ts';

const { ok, warning, failed } = findingsOf('folder');

const MIB = 1024 * 1024;
const GIB = 1024 * MIB;
/** The file grows by steps of up to 32 MiB. */
const FREE_BYTES_MIN = 64 * MIB;
const FREE_BYTES_DUE = GIB;

/** `mayBeMade` says of a folder that holds no log whether this user could make one there. */
export function judgeFolder(sight: FolderSight, mayBeMade: boolean): Finding[] {
  const { folder } = sight;
  if (sight.kind === 'none') {
    const where = sight.exists ? `${folder} is empty` : `${folder} does not exist`;
    if (mayBeMade) {
      const message = `no log here: ${where}. Is RUNLOG_DATA_DIR right, or KAFKA_BROKERS not set? This makes one`;
      return [warning('log', message, { remedy: [`RUNLOG_DATA_DIR=${folder} runlog up`] })];
    }
    return [failed('log', `no log here: ${where}, and this user may not make it`)];
  }
  const { format, formatOfBuild, state, fileBytes, holder, isWritable } = sight;
  if (state === 'creating') {
    const message = `${folder} is being created, or was when its owner was killed; the next "runlog up" goes on`;
    return [warning('log', message)];
  }
  const findings = [
    ok('log', `${folder} is a log of format ${format} (this build writes ${formatOfBuild})`, {
      details: { folder, format },
    }),
    holder === null
      ? ok('owner', 'no process owns it now')
      : ok(
          'owner',
          `process ${holder.pid ?? '(starting)'}${holder.host === null ? '' : ` on ${holder.host}`} owns it`,
          {
            details: { pid: holder.pid, host: holder.host },
          },
        ),
    judgeRoom(fileBytes, sight.diskFreeBytes),
  ];
  if (!isWritable && holder === null) {
    findings.push(failed('permissions', `${folder} cannot be written by this user: change its owner`));
  }
  return findings;
}

function judgeRoom(fileBytes: number, freeBytes: number): Finding {
  const message = `the log takes ${size(fileBytes)}, and only the disk limits it: ${size(freeBytes)} are free`;
  const details = { fileBytes, freeBytes };
  if (freeBytes < FREE_BYTES_MIN) return failed('room', `${message}. Make room`, { details });
  return (freeBytes < FREE_BYTES_DUE ? warning : ok)('room', message, { details });
}

function size(bytes: number): string {
  return bytes >= GIB ? `${(bytes / GIB).toFixed(1)} GiB` : `${(bytes / MIB).toFixed(1)} MiB`;
}

import { crc32c } from '@node-rs/crc32';
import type { RowCheck } from './check-pages.ts';
import { isSoundRecord } from './records.ts';

/** No row of the first format, which had no seals, begins with this byte. */
const sealMark = 0xa4;
const sealBytes = 5;

/** Surrounds a row's value with a mark and the CRC-32C of key and value. */
export function sealRow(key: Buffer, value: Buffer): Buffer {
  const row = Buffer.allocUnsafe(value.length + sealBytes);
  row[0] = sealMark;
  value.copy(row, 1);
  row.writeUInt32LE(crc32c(value, crc32c(key)), value.length + 1);
  return row;
}

/** Returns the value of a row, or null if it is not as it was written. */
export function openRow(key: Buffer, row: Buffer, options: { mayBeUnsealed: boolean }): Buffer | null {
  if (row[0] !== sealMark) return options.mayBeUnsealed ? row : null;
  if (row.length < sealBytes) return null;
  const value = row.subarray(1, row.length - sealBytes + 1);
  return crc32c(value, crc32c(key)) === row.readUInt32LE(row.length - sealBytes + 1) ? value : null;
}

/** Checks a row of any database of the log. */
export function rowCheckOf(options: { mayBeUnsealed: boolean }): RowCheck {
  return ({ database, key, value }) => {
    switch (database) {
      case 'records':
        return isSoundRecord(key, value, options);
      case 'bounds':
      case 'meta':
      case 'newest':
      case 'tombstones':
        return openRow(key, value, options) !== null;
      default:
        return false;
    }
  };
}

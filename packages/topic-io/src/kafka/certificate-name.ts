import { X509Certificate } from 'node:crypto';
import { readTextFile } from '../text-file.ts';

/** What Java writes as it is. Other names have escapes, and attributes by number. */
const PLAIN = /^(?:CN|OU|O|L|ST|C)=[A-Za-z0-9._@*:/-](?:[A-Za-z0-9 ._@*:/-]*[A-Za-z0-9._@*:/-])?$/;

/**
 * Returns the name of the certificate as a broker has it in its principals unless `ssl.principal.mapping.rules` change it
 * (RFC 2253: the last part first). Returns null if it cannot be told.
 */
export function certificateName(certFile: string): string | null {
  try {
    const parts = new X509Certificate(readTextFile(certFile)).subject.split('\n');
    return parts.every((part) => PLAIN.test(part)) ? parts.reverse().join(',') : null;
  } catch {
    return null;
  }
}

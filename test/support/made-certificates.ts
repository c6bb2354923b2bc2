import { execFile } from 'node:child_process';
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';

const run = promisify(execFile);
const EC_KEY = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes'];

/** The paths of one certificate in PEM and of its key (PKCS #8). */
export interface MadeCertificate {
  readonly certFile: string;
  readonly keyFile: string;
  /** Key and certificate in one file, as Java's `ssl.keystore.type=PEM` wants them. */
  readonly storeFile: string;
}

export interface MadeAuthority extends MadeCertificate {
  /** `names` are alternative names such as `DNS:localhost` and `IP:127.0.0.1`; a client needs none. */
  issue(use: { name: string; names?: readonly string[]; days?: number }): Promise<MadeCertificate>;
}

/** Makes a certificate authority in the folder by the `openssl` of this machine. */
export async function makeAuthority(folder: string, name: string): Promise<MadeAuthority> {
  const own = filesOf(folder, name);
  await run('openssl', [
    ...['req', '-x509', ...EC_KEY, '-days', '2', '-subj', `/CN=${name}`],
    ...['-keyout', own.keyFile, '-out', own.certFile],
  ]);
  await storeTogether(own);
  return {
    ...own,
    async issue({ name: subject, names = [], days = 2 }) {
      const files = filesOf(folder, subject);
      const request = join(folder, `${subject}.csr`);
      const extensions = join(folder, `${subject}.ext`);
      const alternatives = names.length === 0 ? '' : `subjectAltName=${names.join(',')}\n`;
      await writeFile(extensions, `basicConstraints=CA:FALSE\n${alternatives}`);
      await run('openssl', [
        ...['req', '-new', ...EC_KEY, '-subj', `/CN=${subject}`, '-keyout', files.keyFile, '-out', request],
      ]);
      await run('openssl', [
        ...['x509', '-req', '-in', request, '-CA', own.certFile, '-CAkey', own.keyFile, '-CAcreateserial'],
        ...['-days', String(days), '-extfile', extensions, '-out', files.certFile],
      ]);
      await storeTogether(files);
      return files;
    },
  };
}

/** Writes a copy of the key that opens only with the passphrase. */
export async function encryptKey(use: { keyFile: string; passphrase: string }): Promise<string> {
  const encrypted = `${use.keyFile}.encrypted`;
  await run('openssl', [
    ...['pkcs8', '-topk8', '-in', use.keyFile, '-out', encrypted, '-passout', `pass:${use.passphrase}`],
  ]);
  return encrypted;
}

function filesOf(folder: string, name: string): MadeCertificate {
  return {
    certFile: join(folder, `${name}.crt`),
    keyFile: join(folder, `${name}.key`),
    storeFile: join(folder, `${name}.store.pem`),
  };
}

async function storeTogether(files: MadeCertificate): Promise<void> {
  const parts = await Promise.all([readFile(files.keyFile, 'utf8'), readFile(files.certFile, 'utf8')]);
  await writeFile(files.storeFile, parts.join(''));
}

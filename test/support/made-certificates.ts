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
  issue(use: { name: string; names?: readonly string[]; valid?: Validity }): Promise<MadeCertificate>;
}

/** Unless said, a certificate is valid for two days from now. */
export interface Validity {
  readonly from: Date;
  readonly to: Date;
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
    async issue({ name: subject, names = [], valid }) {
      const files = filesOf(folder, subject);
      const request = join(folder, `${subject}.csr`);
      const extensions = join(folder, `${subject}.ext`);
      const alternatives = names.length === 0 ? '' : `subjectAltName=${names.join(',')}\n`;
      await writeFile(extensions, `basicConstraints=CA:FALSE\n${alternatives}`);
      await run('openssl', [
        ...['req', '-new', ...EC_KEY, '-subj', `/CN=${subject}`, '-keyout', files.keyFile, '-out', request],
      ]);
      const database = join(folder, `${subject}.database`);
      const config = join(folder, `${subject}.conf`);
      await writeFile(database, '');
      await writeFile(config, signingConfig(database));
      await run('openssl', [
        ...['ca', '-batch', '-notext', '-config', config, '-in', request, '-out', files.certFile],
        ...['-cert', own.certFile, '-keyfile', own.keyFile, '-outdir', folder],
        ...['-extfile', extensions],
        ...(valid === undefined
          ? ['-days', '2']
          : ['-startdate', asn1Time(valid.from), '-enddate', asn1Time(valid.to)]),
      ]);
      await storeTogether(files);
      return files;
    },
  };
}

/** What `openssl ca` wants to know, which alone can say from when a certificate is valid. */
function signingConfig(database: string): string {
  return `[ca]
default_ca = authority
[authority]
database = ${database}
default_md = sha256
rand_serial = yes
policy = any
[any]
commonName = supplied
`;
}

/** As 20260104000000Z. */
function asn1Time(date: Date): string {
  return `${date.toISOString().replace(/\.\d+Z$|[-:T]/g, '')}Z`;
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

import { randomBytes } from 'node:crypto';
import { mkdtemp, rename, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Key } from '@runlog/schema/keys';
import { digestOf } from '@runlog/service-kit/keys';

type Grant = { role: 'publish'; cluster: string } | { role: 'view'; runs: string[] };

/** A key file for one test. Each key's secret is its id and something random. */
export interface TestKeyFile extends AsyncDisposable {
  readonly path: string;
  /** Adds a key and returns its secret. */
  add(id: string, grant: Grant & { events_per_second?: number; bytes_per_second?: number }): Promise<string>;
  revoke(id: string): Promise<void>;
  /** Gives a key another grant; its secret stays. */
  change(id: string, grant: Grant): Promise<void>;
}

export async function makeKeyFile(): Promise<TestKeyFile> {
  const folder = await mkdtemp(join(tmpdir(), 'runlog-keys-'));
  const path = join(folder, 'keys.json');
  const keys = new Map<string, Key>();
  const write = async () => {
    await writeFile(`${path}.new`, JSON.stringify({ keys: [...keys.values()] }));
    await rename(`${path}.new`, path);
  };
  await write();
  return {
    path,
    async add(id, grant) {
      const secret = `${id}-${randomBytes(8).toString('hex')}`;
      keys.set(id, { id, sha256: digestOf(secret), ...grant });
      await write();
      return secret;
    },
    async revoke(id) {
      keys.delete(id);
      await write();
    },
    async change(id, grant) {
      const { sha256 } = keys.get(id)!;
      keys.set(id, { id, sha256, ...grant });
      await write();
    },
    [Symbol.asyncDispose]: () => rm(folder, { recursive: true, force: true }),
  };
}

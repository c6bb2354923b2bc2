/**
 * Makes test/fixtures/formats anew: files that TensorBoard, wandb, MLflow and pandas write, and what their own readers see
 * in them, for the unit tests, which then run on them. `npm run record-formats` needs Python 3.11 with venv and pip.
 */
import { cp, mkdtemp, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { formatTools, recordFormats } from '../test/support/format-tools.ts';

const target = fileURLToPath(new URL('../test/fixtures/formats', import.meta.url));
/** What `runlog import` reads. The rest that the tools leave behind names the machine, or is large. */
const kept = /^(?:tensorboard|csv)\/|\.wandb$|\/mlruns\//;

const folder = await mkdtemp(join(tmpdir(), 'recorded-'));
try {
  await recordFormats(folder);
  await rm(target, { recursive: true, force: true });
  const files = await readdir(folder, { recursive: true, withFileTypes: true });
  for (const file of files) {
    const path = join(file.parentPath, file.name);
    const name = path.slice(folder.length + 1);
    const isKept = kept.test(name) || formatTools.some((tool) => name === `${tool}.json`);
    if (file.isFile() && isKept) await cp(path, join(target, name));
  }
} finally {
  await rm(folder, { recursive: true, force: true });
}

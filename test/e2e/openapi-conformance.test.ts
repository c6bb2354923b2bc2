import { spawn } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { expect, test } from 'vitest';

const script = fileURLToPath(new URL('../../scripts/conformance.ts', import.meta.url));

/** `npm run conformance` runs more cases. The first run on a machine installs schemathesis. */
test('schemathesis finds nothing that contradicts the OpenAPI documents', { timeout: 900_000 }, async () => {
  const child = spawn(
    process.execPath,
    ['--import', 'tsx', script, '--quick', '--max-examples', '25', '--seed', '1'],
    { stdio: ['ignore', 'pipe', 'pipe'] },
  );
  let output = '';
  for (const stream of [child.stdout, child.stderr])
    stream.setEncoding('utf8').on('data', (text: string) => {
      output += text;
    });
  try {
    const code = await new Promise((resolve) => child.once('close', resolve));
    expect(code, output.slice(-8_000)).toBe(0);
    expect(output.match(/\d+ generated, \d+ passed/g), output.slice(-8_000)).toHaveLength(3);
  } finally {
    child.kill('SIGTERM');
  }
});

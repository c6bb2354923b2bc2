import { expect, it } from 'vitest';
import { startOver } from './run-service.ts';

function closable(name: string, closed: string[]): AsyncDisposable {
  return {
    async [Symbol.asyncDispose]() {
      closed.push(name);
    },
  };
}

it('closes the log when the start fails, and says why it failed', async () => {
  const closed: string[] = [];
  const refused = new Error('the port is taken');
  const starting = startOver(closable('log', closed), () => Promise.reject(refused));
  await expect(starting).rejects.toBe(refused);
  expect(closed).toEqual(['log']);
});

it('closes the service before the log that it works on', async () => {
  const closed: string[] = [];
  const service = {
    addresses: { it: 'http://127.0.0.1:1' },
    ready: Promise.resolve(),
    ...closable('service', closed),
  };
  const running = await startOver(closable('log', closed), async () => service);
  expect(running.addresses).toEqual(service.addresses);
  expect(closed).toEqual([]);
  await running[Symbol.asyncDispose]();
  expect(closed).toEqual(['service', 'log']);
});

import { describe, expect, it } from 'vitest';
import { createHttpServer, listen } from './http-server.ts';
import { createLogger } from './logger.ts';
import { addMetricsRoute, ClusterCounter, Counter, Registry } from './metrics.ts';

describe('metrics', () => {
  it('count a hundred clusters by name and all others together', async () => {
    const registry = new Registry();
    const counter = new ClusterCounter(
      new Counter({
        name: 'events_total',
        help: 'x',
        labelNames: ['cluster'] as const,
        registers: [registry],
      }),
    );
    for (let at = 0; at < 1_000; at += 1) counter.add(`c${at}`, 1);
    counter.add('c5', 2);
    const lines = (await registry.metrics()).split('\n').filter((line) => line.startsWith('events_total'));
    expect(lines).toHaveLength(101);
    expect(lines).toContain('events_total{cluster="c5"} 3');
    expect(lines).toContain('events_total{cluster="other"} 900');
  });

  it('are served with those of the process, for several services in one', async () => {
    const open = async (name: string) => {
      const registry = new Registry();
      new Counter({ name, help: 'x', registers: [registry] }).inc();
      const server = createHttpServer({
        logger: createLogger({ service: 'test', level: 'silent' }),
        health: { notReadyBecause: () => null },
        bodyBytesMax: 1_024,
      });
      addMetricsRoute(server, { registry });
      return { server, url: await listen(server, { host: '127.0.0.1', port: 0 }) };
    };
    const services = [await open('one_total'), await open('two_total')];
    for (const [at, { url, server }] of services.entries()) {
      const response = await fetch(`${url}/metrics`);
      expect(response.headers.get('content-type')).toContain('text/plain; version=0.0.4');
      const text = await response.text();
      expect(text).toContain(at === 0 ? 'one_total 1' : 'two_total 1');
      expect(text).not.toContain(at === 0 ? 'two_total' : 'one_total');
      expect(text).toMatch(/^process_resident_memory_bytes \d+$/m);
      await server.close();
    }
  });
});

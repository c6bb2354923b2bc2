import { readFileSync } from 'node:fs';
import { pythonWith } from '../support/python-venv.ts';
import { environmentOf, fileBeside, ProcessSender } from './process-sender.ts';
import type { Sender } from './sender.ts';

const requirements = fileBeside('otel-python-requirements.txt');

/** The OpenTelemetry SDK for Python from its registry. */
export const otelPython: Sender = {
  name: 'OpenTelemetry SDK for Python, protobuf, gzip',
  version: /==(\S+)/.exec(readFileSync(requirements, 'utf8'))![1]!,
  givesUp: true,
  async start(task) {
    const python = await pythonWith('otel-python', requirements);
    return new ProcessSender(python, [fileBeside('otel-python-sender.py')], environmentOf(task));
  },
};

/** The OpenTelemetry SDK for JavaScript from its registry. */
export function otelJavascript(encoding: 'json' | 'proto'): Sender {
  const { devDependencies } = JSON.parse(readFileSync(fileBeside('../../package.json'), 'utf8')) as {
    devDependencies: Record<string, string>;
  };
  return {
    name: `OpenTelemetry SDK for JavaScript, ${encoding === 'proto' ? 'protobuf, gzip' : 'JSON'}`,
    version: devDependencies['@opentelemetry/sdk-logs']!,
    givesUp: true,
    async start(task) {
      const args = ['--import', 'tsx', fileBeside('otel-javascript-sender.ts')];
      return new ProcessSender(process.execPath, args, { ...environmentOf(task), ENCODING: encoding });
    },
  };
}

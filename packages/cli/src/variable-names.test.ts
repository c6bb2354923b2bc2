import { variableNames } from '@runlog/service-kit/variable-names';
import { expect, it } from 'vitest';
import { clientEnvironment } from './services/client-config.ts';
import { upEnvironment } from './up-config.ts';

it('knows every variable that a service or a command reads', () => {
  const read = [...Object.keys(upEnvironment.shape), ...Object.keys(clientEnvironment.shape)];
  expect(variableNames).toEqual(expect.arrayContaining(read.filter((name) => name.startsWith('RUNLOG_'))));
});

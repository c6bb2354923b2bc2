import type { Browser } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { launchChromium } from '../support/chromium.ts';
import type { ClientStarter } from './client-under-test.ts';
import { type MutantName, mutants } from './clients/mutants.ts';
import { type NodeClients, nodeClients, pageClient } from './clients/our-clients.ts';
import { runScenario, type Verdict } from './run-scenario.ts';
import { readScenarios } from './scenario.ts';

/** A client that has not done by then what a step waits for will not do it. */
const STEP_MS_MAX = 60_000;
/** What a wrong client leaves undone is waited for. Longer only makes the test slower. */
const WRONG_STEP_MS_MAX = 5_000;
/** A machine that pauses may make a client fail for another reason. Not each time. */
const WRONG_TRIES_MAX = 5;

const scenarios = readScenarios();

let clients: NodeClients;
beforeAll(async () => {
  clients = await nodeClients();
});
afterAll(() => clients[Symbol.asyncDispose]());

describe.concurrent('packages/client in Node', () => {
  it.each(scenarios)('$name: it $title', async (scenario) => {
    const verdict = await runScenario(scenario, { client: clients.starter(), stepMsMax: STEP_MS_MAX });
    expect(verdict).toEqual({ kind: 'passed' });
  });
});

describe.concurrent('packages/client in Chromium', () => {
  let browser: Browser;
  let client: ClientStarter;
  beforeAll(async () => {
    browser = await launchChromium();
    client = await pageClient(browser);
  });
  afterAll(() => browser.close());

  it.each(scenarios)('$name: it $title', async (scenario) => {
    const verdict = await runScenario(scenario, { client, stepMsMax: STEP_MS_MAX });
    expect(verdict).toEqual({ kind: 'passed' });
  });
});

describe.concurrent('a client that', () => {
  it.each(Object.keys(mutants) as MutantName[])('%s fails', async (name) => {
    const { by, fault } = mutants[name].found;
    const [scenario] = readScenarios([by]);
    const verdicts: Verdict[] = [];
    const isFound = () => verdicts.some((verdict) => has(verdict, fault));
    while (!isFound() && verdicts.length < WRONG_TRIES_MAX) {
      const options = { client: clients.starter(name), stepMsMax: WRONG_STEP_MS_MAX };
      verdicts.push(await runScenario(scenario!, options));
    }
    expect(isFound(), JSON.stringify(verdicts)).toBe(true);
  });
});

describe.concurrent('a client for which no time has passed', () => {
  it.each(['window', 'back-off', 'drain-spread', 'backfill-later'])('fails %s', async (name) => {
    const [scenario] = readScenarios([name]);
    const options = { client: clients.starter(), stepMsMax: STEP_MS_MAX, nowMs: () => 0 };
    const verdict = await runScenario(scenario!, options);
    expect(has(verdict, /it took only 0 ms/), JSON.stringify(verdict)).toBe(true);
  });
});

function has(verdict: Verdict, fault: RegExp): boolean {
  return verdict.kind === 'failed' && verdict.faults.some((text) => fault.test(text));
}

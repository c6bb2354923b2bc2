import { setTimeout as delay } from 'node:timers/promises';
import { countedOf, judge, runAt, type Verdict } from './judge.ts';
import type { Sender } from './sender.ts';
import { type Passed, TappedPort } from './tapped-port.ts';
import type { TrialSystem } from './trial-system.ts';

/** Something that is done to the system once a share of all events has been counted. */
export interface Blow {
  readonly at: number;
  readonly kind: 'cut the broker' | 'kill ingest';
}

export interface TrialPlan {
  readonly events: number;
  readonly eventsPerSecond: number;
  readonly blows: readonly Blow[];
  /** The longest time from the start to the last event. */
  readonly msMax: number;
  readonly onProgress?: (share: number, said: string) => void;
}

export interface TrialRow {
  readonly sender: string;
  readonly version: string;
  readonly run: string;
  readonly events: number;
  readonly passed: Passed;
  readonly verdict: Verdict;
}

/** The accepted answers that each sender never gets. */
const ANSWERS_LOST = [2, 5, 9];
const POLL_MS = 200;
/** A cut is over once every sender has noticed it, or, for one that has nothing to send just then, after this time. */
const CUT_MS_MAX = 20_000;
/** A sender that gives up after a few tries is not tried further than this: a slow machine is no fault of ingest. */
const FAILED_TRIES_MAX = 2;

interface Party {
  readonly sender: Sender;
  readonly run: string;
  readonly tap: TappedPort;
}

/** Has senders send to one ingest at the same time while it and its broker come to harm, and judges what arrived. */
export async function tryOut(
  system: TrialSystem,
  senders: readonly Sender[],
  plan: TrialPlan,
): Promise<TrialRow[]> {
  const target = system.ingestPort;
  const parties: Party[] = [];
  try {
    for (const [at, sender] of senders.entries()) {
      const tap = await TappedPort.start({ target, toLose: ANSWERS_LOST, waitsForIngest: sender.givesUp });
      parties.push({ sender, tap, run: `trial-${at + 1}-${Date.now().toString(36)}` });
    }
    await sendAll(system, parties, plan);
    return await Promise.all(
      parties.map(async ({ sender, run, tap }) => ({
        ...{ sender: sender.name, version: sender.version, run, events: plan.events, passed: tap.passed },
        verdict: await judge(system.gateway, { run, events: plan.events }),
      })),
    );
  } finally {
    await Promise.all(parties.map(({ tap }) => tap[Symbol.asyncDispose]()));
  }
}

async function sendAll(system: TrialSystem, parties: readonly Party[], plan: TrialPlan): Promise<void> {
  const { events, eventsPerSecond } = plan;
  const sendings = await Promise.all(
    parties.map(({ sender, run, tap }) => sender.start({ url: tap.url, run, events, eventsPerSecond })),
  );
  try {
    // What a sender knows to be lost ends the trial at once, with its own words.
    const failed = Promise.all(sendings.map(({ finished }) => finished)).then(
      () => new Promise<never>(() => {}),
    );
    await Promise.race([failed, dealBlows(system, parties, plan)]);
    await Promise.all(sendings.map(({ finished }) => finished));
  } finally {
    await Promise.all(sendings.map((sending) => sending[Symbol.asyncDispose]()));
  }
}

/** Resolves once every event of every run has been counted. */
async function dealBlows(system: TrialSystem, parties: readonly Party[], plan: TrialPlan): Promise<void> {
  const blows = [...plan.blows].sort((a, b) => a.at - b.at);
  const endsMs = performance.now() + plan.msMax;
  for (;;) {
    const counted = await Promise.all(
      parties.map(async ({ run }) => countedOf(await runAt(system.gateway, run))),
    );
    const share = counted.reduce((sum, each) => sum + each, 0) / (parties.length * plan.events);
    const blow = blows[0];
    if (blow !== undefined && share >= blow.at) {
      blows.shift();
      plan.onProgress?.(share, blow.kind);
      await deal(system, parties, blow.kind);
      continue;
    }
    plan.onProgress?.(share, '');
    if (counted.every((each) => each >= plan.events)) return;
    if (performance.now() > endsMs) {
      const lacking = parties.map(({ sender, tap }, at) => {
        const statuses = [...tap.passed.byStatus].map(([status, count]) => `${status}: ${count}`).join(', ');
        return `${sender.name}: ${counted[at]} of ${plan.events} (${statuses})`;
      });
      throw new Error(
        `not everything has come:\n${lacking.join('\n')}\n${system.ingestOutput.slice(-4_000)}`,
      );
    }
    await delay(POLL_MS);
  }
}

async function deal(system: TrialSystem, parties: readonly Party[], kind: Blow['kind']): Promise<void> {
  switch (kind) {
    case 'kill ingest':
      return system.killIngest();
    case 'cut the broker': {
      const failuresBefore = parties.map(({ tap }) => failuresOf(tap));
      system.cutBroker();
      const endsMs = performance.now() + CUT_MS_MAX;
      const failuresSince = () => parties.map(({ tap }, at) => failuresOf(tap) - failuresBefore[at]!);
      const isOver = (failures: readonly number[]) =>
        failures.every((count) => count > 0) ||
        failures.some((count, at) => parties[at]!.sender.givesUp && count >= FAILED_TRIES_MAX);
      while (!isOver(failuresSince()) && performance.now() < endsMs) await delay(POLL_MS);
      return system.mendBroker();
    }
    default: {
      const unreachable: never = kind;
      throw new Error(`unknown blow ${String(unreachable)}`);
    }
  }
}

function failuresOf(tap: TappedPort): number {
  const { byStatus } = tap.passed;
  return [...byStatus].reduce((sum, [status, count]) => (status === 200 ? sum : sum + count), 0);
}

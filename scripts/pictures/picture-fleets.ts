import { edited, type MadeEvent, type MadeRun, madeRun, withEvent, without } from './picture-runs.ts';

const TASKS = ['cifar_scale', 'cifar_blind', 'tinystories', 'imagenet_tiny'] as const;
const MINUTE_MS = 60_000;
const HOUR_MS = 60 * MINUTE_MS;

/** The runs that pictures are taken of, by what they show. */
export const shownRuns = {
  live: 'c2/sim-261127-0710-7-002/A',
  other: 'c2/sim-261127-0710-7-002/B',
  failed: 'c1/sim-261127-0710-7-025/B',
  finished: 'c3/sim-261127-0710-7-021/A',
  gaps: 'local/gaprun/default',
  quiet: 'local/has-missing/default',
  lost: 'c1/lost-contact/default',
  clockBack: 'c1/clock-set-back/default',
  restarted: 'c3/requeued-twice/default',
  hostile: 'local/hostile-run.with_very_long_name_that_goes_on_and_on_seed-0017/default',
  one: 'local/hello/default',
} as const;

/** As many as can be compared. */
export const comparedRuns: readonly string[] = [
  ...[shownRuns.live, shownRuns.other, shownRuns.finished, shownRuns.failed],
  ...Array.from({ length: 46 }, (_, at) => plainKey(at)),
];

/** The run of the log, the strip and every pane: it lives, lacks 37 events and tells of warnings. */
const live = (nowMs: number): MadeRun =>
  madeRun(
    {
      ...{ key: shownRuns.live, seed: 31, batches: 90, events: 1_140, everyMs: 260, isAlive: true },
      edit: edited(
        without(812, 37),
        withEvent(880, {
          ...{
            event_type: 'GRADIENT_CLIPPED',
            severity: 'warning',
            message: 'gradient norm 14.2 is above 10',
          },
          data: { norm: 14.2, limit: 10, env_id: 2 },
        }),
        withEvent(1_060, {
          event_type: 'CHECKPOINT_SAVED',
          message: 'checkpoint of round 27, 412 MB in 3.1 s',
          data: { bytes: 412_000_000, seconds: 3.1 },
        }),
      ),
    },
    nowMs,
  );

/** The runs of the usual fleet: 71 of them, of every state. */
export function fleetOf71(nowMs: number): MadeRun[] {
  const special = [
    live(nowMs),
    madeRun(
      { key: shownRuns.other, seed: 32, batches: 90, events: 1_010, everyMs: 280, isAlive: true },
      nowMs,
    ),
    madeRun(
      { key: shownRuns.failed, seed: 33, failsInBatch: 21, endedAgoMs: 9 * MINUTE_MS, task: 'imagenet_tiny' },
      nowMs,
    ),
    madeRun(
      { key: shownRuns.finished, seed: 34, batches: 31, endedAgoMs: 3 * MINUTE_MS, task: 'cifar_blind' },
      nowMs,
    ),
    madeRun(
      {
        ...{
          key: shownRuns.gaps,
          seed: 35,
          events: 900,
          endedAgoMs: 4_000,
          isAlive: true,
          task: 'cifar_scale',
        },
        edit: edited(without(300, 4), without(560, 120), without(700, 1), without(770, 3)),
      },
      nowMs,
    ),
    madeRun(
      { key: shownRuns.quiet, seed: 36, events: 374, endedAgoMs: 14 * MINUTE_MS, edit: without(200, 38) },
      nowMs,
    ),
    madeRun(
      {
        ...{ key: shownRuns.lost, seed: 37, events: 420, endedAgoMs: 6 * MINUTE_MS },
        edit: withEvent(419, { event_type: 'RUN_HEARTBEAT' }),
      },
      nowMs,
    ),
    madeRun(
      { key: shownRuns.clockBack, seed: 38, events: 300, isAlive: true, edit: clockSetBack(220) },
      nowMs,
    ),
    madeRun(
      {
        ...{ key: shownRuns.restarted, seed: 39, events: 640, isAlive: true, task: 'cifar_scale' },
        edit: edited(restartedAt(240), restartedAt(430)),
      },
      nowMs,
    ),
    madeRun(
      {
        ...{ key: shownRuns.hostile, seed: 40, events: 60, endedAgoMs: 14 * MINUTE_MS },
        ...{ task: '<img src=x onerror=alert(1)> \u202egnp.exe', edit: hostileTexts },
      },
      nowMs,
    ),
  ];
  const others = Array.from({ length: 71 - special.length }, (_, at) => plainRun(at, nowMs));
  return [...special, ...others];
}

export const fleetOf1 = (nowMs: number): MadeRun[] => [
  madeRun({ key: shownRuns.one, seed: 41, events: 1, isAlive: false }, nowMs),
];

/** Many short runs, most of which ended. */
export function fleetOf10000(nowMs: number): MadeRun[] {
  return Array.from({ length: 10_000 }, (_, at) =>
    madeRun(
      {
        ...{ key: `c${1 + (at % 8)}/sweep-${String(at).padStart(5, '0')}/default`, seed: 1_000 + at },
        ...{ task: TASKS[at % TASKS.length]!, batches: at % 10 < 7 ? 1 : 30 },
        ...(at % 97 === 0 ? { failsInBatch: 1 } : {}),
        events: 60,
        endedAgoMs: at % 10 < 7 ? 5 * MINUTE_MS + at * 1_000 : at % 5_000,
        isAlive: at % 10 >= 7,
      },
      nowMs,
    ),
  );
}

/** A run that sends as fast as it is asked to. */
export const flood = (nowMs: number): MadeRun =>
  madeRun(
    { key: 'c1/flood/default', seed: 42, batches: 100_000, events: 400, everyMs: 20, isAlive: true },
    nowMs,
  );

function plainRun(at: number, nowMs: number): MadeRun {
  const isAlive = at % 20 === 3;
  const isQuiet = at % 9 === 4;
  return madeRun(
    {
      key: plainKey(at),
      ...{ seed: 100 + at, task: TASKS[at % TASKS.length]!, batches: 12 + (at % 29), everyMs: 150 + at * 5 },
      ...(at % 15 === 7 ? { failsInBatch: 3 + (at % 11) } : {}),
      ...(isAlive || isQuiet ? { events: 120 + at * 2 } : {}),
      endedAgoMs: isAlive
        ? 2_000
        : (3 + at * 7) * MINUTE_MS * (at > 50 ? 6 : 1) + (at % 3) * HOUR_MS * (isQuiet ? 1 : 0),
      isAlive,
    },
    nowMs,
  );
}

function plainKey(at: number): string {
  const number = String(Math.floor(at / 2) + 3).padStart(3, '0');
  return `c${1 + (at % 3)}/sim-261127-0710-8-${number}/${at % 2 === 0 ? 'A' : 'B'}`;
}

/** From one event on, the sender's clock is two hours behind. */
const clockSetBack = (place: number) => (events: MadeEvent[]) =>
  events.map((made, at) => {
    if (at < place) return made;
    const event = { ...made.event, timestamp: new Date(made.atMs - 2 * HOUR_MS).toISOString() };
    return { ...made, event, text: JSON.stringify(event) };
  });

/** The run is started anew, from the round that it had reached. */
const restartedAt = (place: number) => (events: MadeEvent[]) => {
  const { data } = events[0]!.event;
  return withEvent(place, {
    ...{ event_type: 'TRAINING_STARTED', message: 'requeued after a preemption' },
    data: { ...data, start_episode: place / 10 },
  })(events);
};

/** Texts that must not harm the page that shows them. */
const hostileTexts = edited(
  withEvent(20, {
    event_type: 'NOTE',
    message: '<script>alert(1)</script> & "quotes" \u0007\u001b[31mred\u001b[0m',
  }),
  withEvent(30, {
    event_type: 'NOTE',
    severity: 'error',
    message: 'reversed \u202egnp.exe and\nthree\r\nlines\tand tabs',
  }),
  withEvent(40, { event_type: 'NOTE', message: `${'long '.repeat(200)}end` }),
  withEvent(50, {
    event_type: 'A_TYPE_WHOSE_NAME_IS_AS_LONG_AS_A_NAME_OF_A_TYPE_MAY_EVER_BE_64',
    message: '訓練 🚀 été',
  }),
);

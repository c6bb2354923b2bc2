import { describe, expect, it } from 'vitest';
import { simulatedRun } from '../../../../test/support/drawn-run.ts';
import { figureOf, runFiguresOf } from '../../../../test/support/figure-factory.ts';
import { timelineOf } from '../../../../test/support/timeline-factory.ts';
import { runAxisOf } from '../strip/run-axis.ts';
import {
  availableNames,
  CHARTS_MAX,
  chosenNames,
  eventRateSeries,
  nearestPoint,
  placeOfPoint,
  seriesOf,
} from './chart-model.ts';
import { EVENT_RATE, figureValueText } from './figure-text.ts';

const START_MS = Date.parse('2026-01-03T23:59:47Z');
/** Ten minutes, six hundred events. */
const axis = runAxisOf({
  timeline: timelineOf({ landmarks: [[0, 1, new Date(START_MS).toISOString(), 0]] }),
  head: { seq: 600, receivedAtMs: START_MS + 600_000, events: 600 },
});

describe('the figures that are drawn', () => {
  const usual = [
    'total_reward',
    'accuracy',
    'val_accuracy',
    'reward',
    'entropy',
    'clip_fraction',
    'kl_divergence',
  ];
  it.each([
    [
      'the usual ones',
      usual,
      null,
      ['accuracy', 'reward', 'entropy', 'clip_fraction', 'kl_divergence', EVENT_RATE],
    ],
    [
      'what the run has instead',
      ['val_accuracy', 'total_reward'],
      null,
      ['val_accuracy', 'total_reward', EVENT_RATE],
    ],
    ['its own, if it has no usual ones', ['loss', 'lr'], null, ['loss', 'lr', EVENT_RATE]],
    [
      'five at most, and the rate',
      ['a', 'b', 'c', 'd', 'e', 'f'],
      null,
      ['a', 'b', 'c', 'd', 'e', EVENT_RATE],
    ],
    ['the rate alone, if there is none', [], null, [EVENT_RATE]],
    ['those that were chosen, each once', usual, ['lr', 'reward', 'lr'], ['lr', 'reward']],
    ['none, if none was chosen', usual, [], []],
  ])('are %s', (_name, available, chosen, expected) => {
    expect(chosenNames(available, chosen)).toEqual(expected);
  });

  it('have the rate of the events once, in a run with few figures', () => {
    expect(chosenNames(availableNames(null), null)).toEqual([EVENT_RATE]);
  });

  it('are bounded', () => {
    const many = Array.from({ length: 99 }, (_, at) => `figure ${at}`);
    expect(chosenNames(many, many)).toHaveLength(CHARTS_MAX);
  });

  it('can be chosen from all that the run has', () => {
    expect(availableNames(null)).toEqual([EVENT_RATE]);
    expect(availableNames(runFiguresOf([figureOf([1], { name: 'lr' })]))).toEqual(['lr', EVENT_RATE]);
  });
});

describe('the series of a figure', () => {
  it('has its points at their times, keeps what has no value, and has no band', () => {
    const series = seriesOf(axis, figureOf([1, null, 4, 2]));
    expect(series).toMatchObject({ values: [1, null, 4, 2], band: null, last: 2, low: 1, high: 4 });
    for (const [at, fraction] of series.fractions.entries()) expect(fraction).toBeCloseTo(at / 10, 10);
  });

  it('has a band from the least to the greatest if buckets hold several points', () => {
    const series = seriesOf(axis, figureOf([1, 2], { stride: 2, min: [0, 1], max: [3, 9] }));
    expect(series).toMatchObject({ band: { min: [0, 1], max: [3, 9] }, low: 0, high: 9, last: 2 });
  });

  it('as of an event has its points until there, also those whose clock is wrong', () => {
    const series = seriesOf(axis, figureOf([1, 2, 3], { t: [START_MS, 0, 7] }), 0.3);
    expect(series.fractions.map((place) => Math.round(place * 1_000))).toEqual([0, 100, 200]);
    const behind = seriesOf(
      axis,
      figureOf([1, 2, 3], { t: [0, 30, 61].map((s) => START_MS + s * 1_000) }),
      0.1,
    );
    expect(behind.fractions).toEqual([0, 0.05, 0.1]);
  });

  it('may have no value at all', () => {
    expect(seriesOf(axis, figureOf([null, null]))).toMatchObject({ last: null, low: null, high: null });
  });

  it('knows the point next to a place, and what was clicked', () => {
    const series = seriesOf(axis, figureOf([1, null, 4, 2]));
    expect([0, 0.04, 0.11, 0.16, 1].map((fraction) => nearestPoint(series, fraction))).toEqual([
      0, 0, 2, 2, 3,
    ]);
    expect(nearestPoint(seriesOf(axis, figureOf([null])), 0.5)).toBeNull();
    expect(placeOfPoint(axis, series, 2)).toEqual({
      ...{ name: 'val_accuracy', seq: 120, atMs: START_MS + 120_000, value: 4 },
    });
  });
});

describe('the rate of events', () => {
  it('is how many came in a second', () => {
    const { values, last, times } = eventRateSeries(axis);
    for (const value of values) expect(value).toBeCloseTo(1, 6);
    expect(last).toBeCloseTo(1, 6);
    expect(times[0]).toBeGreaterThan(START_MS);
  });

  it('adds up to the events of a run', () => {
    const { timeline, head } = simulatedRun();
    const lived = runAxisOf({ timeline, head });
    const { values } = eventRateSeries(lived);
    const seconds = (lived.endMs - lived.startMs) / 1_000 / values.length;
    const sum = values.reduce<number>((events, value) => events + value! * seconds, 0);
    expect(sum).toBeCloseTo(head.events, 3);
  });

  it.each([
    ['an event', 0.33, 21],
    ['the first event', 0, 0],
    ['one soon after it', 0.004, 1],
  ])('as of %s ends there', (_name, end, points) => {
    const { fractions, values, last } = eventRateSeries(axis, end);
    expect(fractions).toHaveLength(points);
    for (const fraction of fractions) expect(fraction).toBeLessThanOrEqual(end);
    for (const value of values) expect(value).toBeCloseTo(1, 6);
    expect(last).toBe(values.at(-1) ?? null);
  });

  it('is not known where no clock passes', () => {
    expect(eventRateSeries(runAxisOf({ timeline: timelineOf() })).last).toBeNull();
  });
});

describe('the value of a figure as text', () => {
  it.each([
    ['accuracy', 84.84, '84.8%'],
    ['clip_fraction', 0.154, '15%'],
    ['kl_divergence', 0.0012, '0.001'],
    ['entropy', 0.731, '0.73'],
    ['constructor', 12.34, '12.3'],
    [EVENT_RATE, 4.26, '4.3'],
    ['accuracy', null, '–'],
  ])('of %s at %d is %s', (name, value, expected) => {
    expect(figureValueText(name, value)).toBe(expected);
  });
});

import { describe, expect, it } from 'vitest';
import { readScenarios } from '../conformance/scenario.ts';

describe('the scenarios of test/conformance', () => {
  it('send only frames that the contract has, in steps that the kit knows', () => {
    expect(readScenarios().length).toBeGreaterThan(35);
  });

  it('have titles of their own', () => {
    const titles = readScenarios().map(({ title }) => title);
    expect(new Set(titles).size).toBe(titles.length);
  });
});

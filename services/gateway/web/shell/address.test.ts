import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  type Address,
  axes,
  compareAddress,
  fleetAddress,
  formatAddress,
  groupings,
  panes,
  parseAddress,
  runAddress,
} from './address.ts';

const KEY = 'c1/sim-261127-0710-7-002/A';

const keyPart = fc.stringMatching(/^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$/);
const key = fc.tuple(keyPart, keyPart, keyPart).map((parts) => parts.join('/'));
const typed = fc.string({ unit: 'grapheme', maxLength: 40 });
const seq = fc.option(fc.nat({ max: 999_999_999 }));
const embed = fc.boolean();

const addresses: fc.Arbitrary<Address> = fc.oneof(
  fc
    .record({
      q: typed,
      sort: fc.option(fc.constantFrom('-accuracy', 'state', 'events')),
      by: fc.option(fc.constantFrom(...groupings)),
      marked: fc.uniqueArray(key, { maxLength: 50 }),
      embed,
    })
    .map((options) => fleetAddress(options)),
  fc
    .tuple(
      key,
      fc.record({
        log: typed,
        pane: fc.option(fc.constantFrom(...panes)),
        ...{ at: seq, event: seq, raw: fc.boolean(), b: fc.option(key), embed },
      }),
    )
    .map(([run, options]) => runAddress(run, options)),
  fc
    .tuple(
      fc.uniqueArray(key, { maxLength: 50 }),
      fc.record({
        x: fc.constantFrom(...axes),
        figures: fc.uniqueArray(
          typed.filter((name) => name !== ''),
          { maxLength: 48 },
        ),
        sort: fc.option(typed.filter((name) => name !== '')),
        allFields: fc.boolean(),
        embed,
      }),
    )
    .map(([runs, options]) => compareAddress(runs, options)),
);

describe('an address', () => {
  it.each<[string, Address]>([
    ['', fleetAddress()],
    ['#', fleetAddress()],
    ['#?', fleetAddress()],
    [
      '#?q=state:failed acc>80&sort=-accuracy&by=cluster&marked=c1/a/default,c1/b/default',
      fleetAddress({
        q: 'state:failed acc>80',
        sort: '-accuracy',
        by: 'cluster',
        marked: ['c1/a/default', 'c1/b/default'],
      }),
    ],
    [`#${KEY}`, runAddress(KEY)],
    [
      `#${KEY}?log=type:gate env:2&pane=charts&at=1234&event=1230&raw=1&b=c1/run/other&embed=1`,
      runAddress(KEY, {
        log: 'type:gate env:2',
        pane: 'charts',
        ...{ at: 1_234, event: 1_230, raw: true, b: 'c1/run/other', embed: true },
      }),
    ],
    ['#c1%2Frun%2Fdefault', runAddress('c1/run/default')],
    [
      '#compare?runs=c1/a/default,c1/b/default&x=time&figures=accuracy,a%2Cb',
      compareAddress(['c1/a/default', 'c1/b/default'], { x: 'time', figures: ['accuracy', 'a,b'] }),
    ],
    [
      '#compare?sort=-best:accuracy&fields=all',
      compareAddress([], { sort: '-best:accuracy', allFields: true }),
    ],
    ['#compare', compareAddress([])],
  ])('%s is read', (hash, address) => {
    expect(parseAddress(hash)).toEqual(address);
  });

  it.each([
    ['#%', '%', 'no_such_page'],
    ['#c1/%E0%A4%A/default', 'c1/%E0%A4%A/default', 'no_such_page'],
    ['#c1/run', 'c1/run', 'no_such_page'],
    ['#c1/run/group/more', 'c1/run/group/more', 'no_such_page'],
    ['#.c1/run/group', '.c1/run/group', 'no_such_page'],
    [`#c1/${'r'.repeat(65)}/group`, `c1/${'r'.repeat(65)}/group`, 'name_too_long'],
    ['#nowhere?q=x', 'nowhere', 'no_such_page'],
  ])('%s is none of this page', (hash, text, why) => {
    expect(parseAddress(hash)).toEqual({ view: 'unknown', text, why, embed: false });
  });

  it.each([
    [`#${KEY}?at=-1&event=abc&pane=cellar&raw=yes&b=nobody&colour=red`, runAddress(KEY)],
    [`#${KEY}?log=%&pane=raw`, runAddress(KEY, { pane: 'raw' })],
    ['#?sort=drop table&by=mood&marked=x,,c1/a/b', fleetAddress({ marked: ['c1/a/b'] })],
    ['#compare?x=y&runs=c1/a/b,c1/a/b,nobody', compareAddress(['c1/a/b'], { leftOut: 1 })],
  ])('%s keeps what is valid', (hash, address) => {
    expect(parseAddress(hash)).toEqual(address);
  });

  it('names at most fifty runs', () => {
    const keys = Array.from({ length: 60 }, (_, index) => `c1/r${index}/default`);
    expect(parseAddress(`#compare?runs=${keys.join(',')}`)).toEqual(
      compareAddress(keys.slice(0, 50), { leftOut: 10 }),
    );
  });

  it('comes back as it was written', () => {
    fc.assert(
      fc.property(addresses, (address) => {
        const hash = formatAddress(address);
        expect(parseAddress(hash)).toEqual(address);
        // A browser hands the part behind `#` back with its own escapes.
        expect(parseAddress(new URL(hash, 'http://x/').hash)).toEqual(address);
      }),
      { numRuns: 500 },
    );
  });

  it('of any text at all is read without a fault, and means the same when it is written again', () => {
    const text = fc.oneof(
      fc.string({ unit: 'binary', maxLength: 60 }),
      fc.string({
        unit: fc.constantFrom('%', '/', '?', '&', '=', ',', 'a', '#', '%2', '\ud83d'),
        maxLength: 30,
      }),
    );
    fc.assert(
      fc.property(text, (hash) => {
        const address = parseAddress(`#${hash}`);
        if (address.view !== 'unknown') expect(parseAddress(formatAddress(address))).toEqual(address);
        else expect(parseAddress(formatAddress(address)).view).toBe('unknown');
      }),
      { numRuns: 2_000 },
    );
  });
});

import { parseRunKey, RUN_KEY_PART_PATTERN } from '@runlog/schema/run/run-key';

/** The runs that one address names at most. */
export const COMPARED_RUNS_MAX = 50;
/** Text that somebody typed, such as a filter, is kept up to so many characters. */
const TEXT_CHARS_MAX = 1_000;
const FIGURES_MAX = 48;

export const groupings = ['cluster', 'task', 'state'] as const;
export type Grouping = (typeof groupings)[number];

export const panes = ['charts', 'event', 'ab', 'raw', 'proof'] as const;
export type Pane = (typeof panes)[number];

export const axes = ['round', 'step', 'time'] as const;
export type Axis = (typeof axes)[number];

/** The table of runs. */
export interface FleetAddress {
  readonly view: 'fleet';
  /** The filter as it was typed. */
  readonly q: string;
  /** A field, or `-` and a field; null: the order of the table itself. */
  readonly sort: string | null;
  readonly by: Grouping | null;
  /** The keys of the runs that are marked for a comparison. */
  readonly marked: readonly string[];
  readonly embed: boolean;
}

/** One run. */
export interface RunAddress {
  readonly view: 'run';
  /** `cluster/run/group`. */
  readonly key: string;
  /** The filter of the log as it was typed. */
  readonly log: string;
  readonly pane: Pane | null;
  /** The seq of the event as of which the run is shown; null: live. */
  readonly at: number | null;
  /** The seq of the event that is selected. */
  readonly event: number | null;
  /** Whether the raw events are shown. */
  readonly raw: boolean;
  /** The key of the run beside it. */
  readonly b: string | null;
  readonly embed: boolean;
}

/** Several runs on shared axes. */
export interface CompareAddress {
  readonly view: 'compare';
  readonly runs: readonly string[];
  /** How many names the address had beside these: beyond the bound, or of no run. It is not written. */
  readonly leftOut: number;
  readonly x: Axis;
  /** The names of the figures; empty: the usual ones. */
  readonly figures: readonly string[];
  /** A column, or `-` and a column; null: the order of `runs`. */
  readonly sort: string | null;
  /** Whether the settings that are the same in all runs are shown too. */
  readonly allFields: boolean;
  readonly embed: boolean;
}

/** Text that is no address of this page. */
export interface UnknownAddress {
  readonly view: 'unknown';
  readonly text: string;
  readonly why: 'no_such_page' | 'name_too_long';
  readonly embed: boolean;
}

export type Address = FleetAddress | RunAddress | CompareAddress | UnknownAddress;

export const fleetAddress = (options: Partial<Omit<FleetAddress, 'view'>> = {}): FleetAddress => ({
  ...{ view: 'fleet', q: '', sort: null, by: null, marked: [], embed: false },
  ...options,
});

export const runAddress = (
  key: string,
  options: Partial<Omit<RunAddress, 'view' | 'key'>> = {},
): RunAddress => ({
  ...{ view: 'run', key, log: '', pane: null, at: null, event: null, raw: false, b: null, embed: false },
  ...options,
});

export const compareAddress = (
  runs: readonly string[],
  options: Partial<Omit<CompareAddress, 'view' | 'runs'>> = {},
): CompareAddress => ({
  ...{
    view: 'compare',
    runs,
    leftOut: 0,
    x: 'round',
    figures: [],
    sort: null,
    allFields: false,
    embed: false,
  },
  ...options,
});

/**
 * Reads the part of an address from its `#` on. It never throws: what is no address of this page is `unknown`. Options that
 * it does not know, or that have no valid value, count as absent.
 */
export function parseAddress(hash: string): Address {
  const text = hash.startsWith('#') ? hash.slice(1) : hash;
  const question = text.indexOf('?');
  const path = decoded(question === -1 ? text : text.slice(0, question));
  const options = optionsIn(question === -1 ? '' : text.slice(question + 1));
  const embed = options.get('embed') === '1';
  if (path === null) return { view: 'unknown', text: cut(text), why: 'no_such_page', embed };
  if (path === '') return fleetOf(options, embed);
  if (path === 'compare') return compareOf(options, embed);
  if (parseRunKey(path) !== null) return runOf(path, options, embed);
  return {
    view: 'unknown',
    text: cut(path),
    why: hasLongName(path) ? 'name_too_long' : 'no_such_page',
    embed,
  };
}

/** Writes what `parseAddress` reads, with its `#`. What has its default is left out. */
export function formatAddress(address: Address): string {
  const embed = address.embed ? '1' : null;
  switch (address.view) {
    case 'fleet':
      return written('', {
        q: text(address.q),
        sort: text(address.sort),
        by: address.by,
        marked: list(address.marked),
        embed,
      });
    case 'run':
      return written(address.key, {
        log: text(address.log),
        pane: address.pane,
        at: address.at,
        event: address.event,
        raw: address.raw ? '1' : null,
        b: text(address.b),
        embed,
      });
    case 'compare':
      return written('compare', {
        runs: list(address.runs),
        x: address.x === 'round' ? null : address.x,
        figures: list(address.figures),
        sort: text(address.sort),
        fields: address.allFields ? 'all' : null,
        embed,
      });
    case 'unknown':
      return written(readable(address.text), { embed });
    default: {
      const unreachable: never = address;
      throw new Error(`unknown view ${String(unreachable)}`);
    }
  }
}

function fleetOf(options: ReadonlyMap<string, string>, embed: boolean): FleetAddress {
  const sort = textOf(options, 'sort');
  return fleetAddress({
    q: textOf(options, 'q'),
    sort: /^-?[a-z_]{1,40}$/.test(sort) ? sort : null,
    by: oneOf(groupings, options.get('by')),
    marked: runKeysIn(listOf(options, 'marked')),
    embed,
  });
}

function runOf(key: string, options: ReadonlyMap<string, string>, embed: boolean): RunAddress {
  const b = textOf(options, 'b');
  return runAddress(key, {
    log: textOf(options, 'log'),
    pane: oneOf(panes, options.get('pane')),
    at: seqOf(options, 'at'),
    event: seqOf(options, 'event'),
    raw: options.get('raw') === '1',
    b: parseRunKey(b) === null ? null : b,
    embed,
  });
}

function compareOf(options: ReadonlyMap<string, string>, embed: boolean): CompareAddress {
  const names = listOf(options, 'runs');
  const runs = runKeysIn(names);
  return compareAddress(runs, {
    leftOut: names.length - runs.length,
    x: oneOf(axes, options.get('x')) ?? 'round',
    figures: listOf(options, 'figures').slice(0, FIGURES_MAX),
    sort: textOf(options, 'sort') || null,
    allFields: options.get('fields') === 'all',
    embed,
  });
}

/** The options as they stand, not yet decoded. Of two with one name the first counts. */
function optionsIn(query: string): ReadonlyMap<string, string> {
  const options = new Map<string, string>();
  for (const option of query.split('&')) {
    const equals = option.indexOf('=');
    if (equals <= 0) continue;
    const name = option.slice(0, equals);
    if (!options.has(name)) options.set(name, option.slice(equals + 1));
  }
  return options;
}

function textOf(options: ReadonlyMap<string, string>, name: string): string {
  return cut(decoded(options.get(name) ?? '') ?? '');
}

/** A comma parts the items; one inside an item is escaped. */
function listOf(options: ReadonlyMap<string, string>, name: string): string[] {
  const items = new Set<string>();
  for (const item of (options.get(name) ?? '').split(',')) {
    const value = decoded(item);
    if (value !== null && value !== '') items.add(value);
  }
  return [...items];
}

function runKeysIn(names: readonly string[]): string[] {
  return names.filter((name) => parseRunKey(name) !== null).slice(0, COMPARED_RUNS_MAX);
}

function seqOf(options: ReadonlyMap<string, string>, name: string): number | null {
  const value = options.get(name) ?? '';
  return /^\d{1,15}$/.test(value) ? Number(value) : null;
}

function oneOf<Value extends string>(values: readonly Value[], value: string | undefined): Value | null {
  return values.find((each) => each === value) ?? null;
}

/** Returns null if the text has a broken escape. */
function decoded(part: string): string | null {
  try {
    return decodeURIComponent(part);
  } catch {
    return null;
  }
}

/** Neither half a letter nor more than the bound goes into an address. */
function cut(value: string): string {
  return wellFormed(value.slice(0, TEXT_CHARS_MAX));
}

const anyPart = new RegExp(RUN_KEY_PART_PATTERN.replace(/\{0,63\}/, '*'));

function hasLongName(path: string): boolean {
  const parts = path.split('/');
  return parts.length === 3 && parts.every((part) => anyPart.test(part));
}

function written(path: string, options: Readonly<Record<string, string | number | null>>): string {
  const set = Object.entries(options).filter(([, value]) => value !== null);
  return `#${path}${set.length === 0 ? '' : `?${set.map(([name, value]) => `${name}=${value}`).join('&')}`}`;
}

function text(value: string | null): string | null {
  return value === null || value === '' ? null : readable(value);
}

function list(values: readonly string[]): string | null {
  return values.length === 0 ? null : values.map(readable).join(',');
}

/** Escapes what parts an address or does not stand in one. `:` and `/` may stay, and are easier to read. */
function readable(value: string): string {
  return encodeURIComponent(wellFormed(value)).replaceAll('%3A', ':').replaceAll('%2F', '/');
}

/** Half a surrogate pair cannot stand in an address. */
function wellFormed(value: string): string {
  return value.replace(/\p{Cs}/gu, '\ufffd');
}

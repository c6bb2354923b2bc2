import type { StoredEvent } from '@runlog/schema/http/gateway-api';

/** The fields of a run's TRAINING_STARTED, by name, as they are written. */
export type RunSettings = ReadonlyMap<string, string>;

/** More fields than anybody reads are not shown. */
export const SETTINGS_MAX = 64;
const VALUE_CHARS_MAX = 400;

export function settingsOf({ event }: Pick<StoredEvent, 'event'>): RunSettings {
  const settings = new Map<string, string>();
  const data = (event.data ?? {}) as Readonly<Record<string, unknown>>;
  for (const [name, value] of Object.entries(data).slice(0, SETTINGS_MAX)) {
    if (value !== null && value !== undefined) settings.set(name, settingText(value));
  }
  return settings;
}

/** Returns the names of the fields in the order in which they first come; with `onlyDiffering`, those that are not the same in all. */
export function settingNames(
  all: readonly RunSettings[],
  { onlyDiffering }: { readonly onlyDiffering: boolean },
): readonly string[] {
  const names = new Set(all.flatMap((settings) => [...settings.keys()]));
  const differs = (name: string) => all.some((settings) => settings.get(name) !== all[0]!.get(name));
  return [...names].filter((name) => !onlyDiffering || differs(name)).slice(0, SETTINGS_MAX);
}

function settingText(value: unknown): string {
  const text = typeof value === 'string' ? value : JSON.stringify(value);
  return text.length > VALUE_CHARS_MAX ? `${text.slice(0, VALUE_CHARS_MAX)}…` : text;
}

import { type ReadonlySignal, signal } from '@preact/signals';
import { type Address, type FleetAddress, fleetAddress, formatAddress, parseAddress } from './address.ts';

/** The part of a window that a route needs. */
export interface RouteWindow {
  readonly location: { readonly hash: string; readonly search: string };
  readonly history: {
    pushState(data: unknown, unused: string, url: string): void;
    replaceState(data: unknown, unused: string, url: string): void;
  };
  addEventListener(type: RouteEvent, listener: () => void, isCapturing?: boolean): void;
  removeEventListener(type: RouteEvent, listener: () => void, isCapturing?: boolean): void;
}

type RouteEvent = 'hashchange' | 'popstate' | 'pagehide' | 'click';

/** Options of the address that is shown, without its view: `Partial<RunAddress>` in the view of a run. */
type Options<Shown extends Address> = Shown extends unknown ? Partial<Omit<Shown, 'view'>> : never;

const shown = signal<Address>(parseAddress(''));
let shownTable = fleetAddress();
let page: RouteWindow | null = null;

/**
 * Browsers refuse more than some hundred changes of an address in half a minute, and a key that is held makes thirty a second.
 * So many are written at once, and one more each time that so long has passed.
 */
const WRITTEN_AT_ONCE = 10;
const WRITTEN_EVERY_MS = 400;
let written = 0;
let forgetting: ReturnType<typeof setInterval> | undefined;
let isUnwritten = false;

/** The address that the page shows. */
export const route: ReadonlySignal<Address> = shown;

/** Follows the address bar of a window. The returned function ends that. */
export function startRoute(window: RouteWindow): () => void {
  page = window;
  const read = () => {
    // What was not written yet belongs to the step that was left.
    isUnwritten = false;
    show(addressIn(window));
  };
  read();
  window.addEventListener('hashchange', read);
  window.addEventListener('popstate', read);
  window.addEventListener('pagehide', write);
  // A link is followed after it.
  window.addEventListener('click', write, true);
  return () => {
    write();
    stopForgetting();
    page = null;
    window.removeEventListener('hashchange', read);
    window.removeEventListener('popstate', read);
    window.removeEventListener('pagehide', write);
    window.removeEventListener('click', write, true);
  };
}

/** Goes to another view: the one that was shown is one step back. */
export function goTo(address: Address): void {
  const next = kept(address);
  if (formatAddress(next) === formatAddress(shown.peek())) return;
  write();
  page?.history.pushState(null, '', formatAddress(next));
  show(next);
}

/**
 * Changes options of the view that is shown, without a step in the history. Does nothing in another view. The address bar may
 * follow a little later.
 */
export function setOptions<View extends Address['view']>(
  view: View,
  options: Options<Extract<Address, { view: View }>>,
): void {
  const held = shown.peek();
  if (held.view !== view) return;
  const next = { ...held, ...options } as Address;
  if (formatAddress(next) === formatAddress(held)) return;
  show(next);
  isUnwritten = true;
  if (written < WRITTEN_AT_ONCE) write();
}

/** Writes what is shown into the address, if it is not there yet. */
function write(): void {
  if (!isUnwritten) return;
  isUnwritten = false;
  page?.history.replaceState(null, '', formatAddress(shown.peek()));
  written += 1;
  forgetting ??= setInterval(forget, WRITTEN_EVERY_MS);
}

function forget(): void {
  written = Math.max(0, written - 1);
  write();
  if (written === 0) stopForgetting();
}

function stopForgetting(): void {
  clearInterval(forgetting);
  forgetting = undefined;
  written = 0;
}

/** The address of a link. A page in a frame stays one. */
export function linkTo(address: Address): string {
  return formatAddress(kept(address));
}

/** The table of runs as it was shown last: its filter, order and marks. */
export function lastTable(): FleetAddress {
  return shownTable;
}

/** The link to what is shown, with an event selected, or with none. */
export function linkToEvent(seq: number | null): string {
  const address = shown.peek();
  const selected = address.view === 'run' ? { ...address, event: seq } : address;
  return new URL(formatAddress(selected), location.href).href;
}

function addressIn(window: RouteWindow): Address {
  const address = parseAddress(window.location.hash);
  const isEmbedded = new URLSearchParams(window.location.search).get('embed') === '1';
  return isEmbedded && !address.embed ? { ...address, embed: true } : address;
}

function kept(address: Address): Address {
  return shown.peek().embed && !address.embed ? { ...address, embed: true } : address;
}

function show(address: Address): void {
  if (address.view === 'fleet') shownTable = address;
  if (JSON.stringify(address) !== JSON.stringify(shown.peek())) shown.value = address;
}

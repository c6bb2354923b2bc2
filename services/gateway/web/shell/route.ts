import { type ReadonlySignal, signal } from '@preact/signals';
import { type Address, formatAddress, parseAddress } from './address.ts';

/** The part of a window that a route needs. */
export interface RouteWindow {
  readonly location: { readonly hash: string; readonly search: string };
  readonly history: {
    pushState(data: unknown, unused: string, url: string): void;
    replaceState(data: unknown, unused: string, url: string): void;
  };
  addEventListener(type: 'hashchange' | 'popstate', listener: () => void): void;
  removeEventListener(type: 'hashchange' | 'popstate', listener: () => void): void;
}

/** Options of the address that is shown, without its view: `Partial<RunAddress>` in the view of a run. */
type Options<Shown extends Address> = Shown extends unknown ? Partial<Omit<Shown, 'view'>> : never;

const shown = signal<Address>(parseAddress(''));
let page: RouteWindow | null = null;

/** The address that the page shows. */
export const route: ReadonlySignal<Address> = shown;

/** Follows the address bar of a window. The returned function ends that. */
export function startRoute(window: RouteWindow): () => void {
  page = window;
  const read = () => {
    show(addressIn(window));
  };
  read();
  window.addEventListener('hashchange', read);
  window.addEventListener('popstate', read);
  return () => {
    page = null;
    window.removeEventListener('hashchange', read);
    window.removeEventListener('popstate', read);
  };
}

/** Goes to another view: the one that was shown is one step back. */
export function goTo(address: Address): void {
  const next = kept(address);
  if (formatAddress(next) === formatAddress(shown.peek())) return;
  page?.history.pushState(null, '', formatAddress(next));
  show(next);
}

/** Changes options of the view that is shown, without a step in the history. Does nothing in another view. */
export function setOptions<View extends Address['view']>(
  view: View,
  options: Options<Extract<Address, { view: View }>>,
): void {
  const held = shown.peek();
  if (held.view !== view) return;
  const next = { ...held, ...options } as Address;
  if (formatAddress(next) === formatAddress(held)) return;
  page?.history.replaceState(null, '', formatAddress(next));
  show(next);
}

/** The address of a link. A page in a frame stays one. */
export function linkTo(address: Address): string {
  return formatAddress(kept(address));
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
  if (JSON.stringify(address) !== JSON.stringify(shown.peek())) shown.value = address;
}

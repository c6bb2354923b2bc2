import type { RunScreen } from '../run/run-screen.ts';

export function FilterBar(_props: { screen: RunScreen }) {
  return null;
}

import type { RunScreen } from '../run/run-screen.ts';

export function RawTable(_props: { screen: RunScreen }) {
  return null;
}

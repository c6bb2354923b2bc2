import type { RunScreen } from '../run/run-screen.ts';
import { EventPane } from './event-pane.tsx';
import { ProofPane } from './proof-pane.tsx';
import { RawPane } from './raw-pane.tsx';

/** The panes that draw no charts. They are small and have much in common, so they are loaded together. */
export function TextPane({ pane, screen }: { pane: 'event' | 'raw' | 'proof'; screen: RunScreen }) {
  switch (pane) {
    case 'event':
      return <EventPane screen={screen} />;
    case 'raw':
      return <RawPane screen={screen} />;
    case 'proof':
      return <ProofPane screen={screen} />;
    default: {
      const unreachable: never = pane;
      throw new Error(`unknown pane ${String(unreachable)}`);
    }
  }
}

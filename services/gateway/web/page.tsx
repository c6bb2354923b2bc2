import { connection } from './shell/connection.ts';
import { LinkOut } from './shell/embed.tsx';
import { Failure } from './shell/failure.tsx';
import { GoToBox } from './shell/go-to-box.tsx';
import { HelpSheet } from './shell/help-sheet.tsx';
import { KeyPrompt } from './shell/key-prompt.tsx';
import { later } from './shell/later.tsx';
import { route } from './shell/route.ts';
import { BackToRuns, TopBar } from './shell/top-bar.tsx';

// The page loads the view that the address names.
const Fleet = later(async () => (await import('./fleet/fleet.tsx')).Fleet);
const RunView = later(async () => (await import('./run/run-view.tsx')).RunView);
const CompareView = later(async () => (await import('./compare/compare-view.tsx')).CompareView);

/** The whole page. While a key is wanted nothing else is in it, so nothing of the runs stays after a key was revoked. */
export function Page() {
  return (
    <div class={route.value.embed ? 'page page-embedded' : 'page'}>
      <Shown />
      <LinkOut />
      <HelpSheet />
    </div>
  );
}

function Shown() {
  const { isAway, keyWanted, refusedOrigin } = connection();
  const address = route.value;
  if (keyWanted.value !== null)
    return (
      <>
        <TopBar />
        <main class="view view-alone" tabIndex={-1}>
          <KeyPrompt />
        </main>
      </>
    );
  if (refusedOrigin.value !== null) {
    return (
      <Alone>
        <Failure of={{ kind: 'refused_origin', message: refusedOrigin.value }} />
      </Alone>
    );
  }
  if (isAway.value) {
    return (
      <Alone>
        <Failure of={{ kind: 'server_away' }} />
      </Alone>
    );
  }
  switch (address.view) {
    case 'fleet':
      return <Fleet />;
    case 'run':
      // Another run is another store, and nothing of the one before.
      return <RunView key={address.key} />;
    case 'compare':
      return <CompareView />;
    case 'unknown': {
      const kind = address.why === 'name_too_long' ? 'name_too_long' : 'unknown_address';
      return (
        <Alone>
          <Failure of={{ kind, text: address.text }} />
        </Alone>
      );
    }
    default: {
      const unreachable: never = address;
      throw new Error(`unknown view ${String(unreachable)}`);
    }
  }
}

/** What stands where a view would. */
function Alone({ children }: { children: preact.ComponentChildren }) {
  return (
    <>
      <TopBar>
        <BackToRuns />
        <GoToBox />
      </TopBar>
      <main class="view view-alone" tabIndex={-1}>
        {children}
      </main>
    </>
  );
}

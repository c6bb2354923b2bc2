import { GoToBox } from '../shell/go-to-box.tsx';
import { route } from '../shell/route.ts';
import { useTitle } from '../shell/title.ts';
import { BackToRuns, TopBar } from '../shell/top-bar.tsx';

/** Several runs on shared axes. */
export function CompareView() {
  const address = route.value;
  useTitle('comparison');
  if (address.view !== 'compare') return null;
  return (
    <>
      <TopBar>
        <BackToRuns />
        <GoToBox />
      </TopBar>
      <main class="view compare" tabIndex={-1}>
        <p class="hint">{address.runs.length} runs are marked.</p>
      </main>
    </>
  );
}

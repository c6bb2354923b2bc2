import { render } from 'preact';
import { Page } from './page.tsx';
import { openConnection } from './shell/connection.ts';
import { forgetEarlierDrawings } from './shell/earlier-drawings.ts';
import { followPrinting } from './shell/printing.ts';
import { startRoute } from './shell/route.ts';
import { listenForShortcuts } from './shell/shortcuts.ts';
import { tabStore } from './shell/view-key.ts';

const root = document.getElementById('app');
if (root === null) throw new Error('the page has no #app');
root.replaceChildren();
forgetEarlierDrawings();
startRoute(window);
openConnection({
  // The page may be served under a path, so every address is relative to its own.
  url: new URL('.', document.baseURI).href,
  origin: location.origin,
  store: tabStore(),
  monotonicMs: () => performance.now(),
  fetch,
  reload: () => location.reload(),
});
listenForShortcuts(window);
followPrinting(window);
render(<Page />, root);
// A gateway that was replaced meanwhile has it no more; then signs are those of the machine.
import('./shell/signs.ts').then(({ addSigns }) => addSigns()).catch(() => undefined);

#!/usr/bin/env node
// Stands between playwright and the Firefox that RUNLOG_FIREFOX names: starts it with the same arguments, and hands on what
// both say. Playwright sends one command to every page that a Firefox of some months ago does not know, and gives up when it
// is refused. What that sets, the colours that a page is to prefer, no test in Firefox needs. So it is answered here.
import { spawn } from 'node:child_process';
import { createInterface } from 'node:readline';
import { WebSocket, WebSocketServer } from 'ws';

const ANSWERED_HERE = 'emulation.setMediaFeaturesOverride';

const firefox = spawn(process.env.RUNLOG_FIREFOX ?? 'firefox', process.argv.slice(2), {
  stdio: ['ignore', 'inherit', 'pipe'],
});
firefox.once('error', (error) => {
  process.stderr.write(`${error.message}\n`);
  process.exit(1);
});
firefox.once('exit', (code) => process.exit(code ?? 1));

createInterface({ input: firefox.stderr }).on('line', (line) => {
  const address = /^WebDriver BiDi listening on (ws:.*)$/.exec(line)?.[1];
  if (address === undefined) {
    process.stderr.write(`${line}\n`);
    return;
  }
  const server = new WebSocketServer({ host: '127.0.0.1', port: 0 });
  server.once('listening', () =>
    process.stderr.write(`WebDriver BiDi listening on ws://127.0.0.1:${server.address().port}\n`),
  );
  server.on('connection', (library, { url }) => join(library, new WebSocket(`${address}${url}`)));
});

function join(library, browser) {
  // What comes before Firefox listens waits until it does.
  const isOpen = new Promise((resolve) => browser.once('open', resolve));
  browser.on('message', (data) => library.send(String(data)));
  library.on('message', async (data) => {
    const { id, method } = JSON.parse(String(data));
    if (method === ANSWERED_HERE) {
      library.send(JSON.stringify({ type: 'success', id, result: {} }));
      return;
    }
    await isOpen;
    browser.send(String(data));
  });
  library.once('close', () => browser.close());
  browser.once('close', () => library.close());
}

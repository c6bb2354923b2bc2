/**
 * Runs in the page before its own scripts. It writes down when frames come, which tasks are long, when the rows of probes
 * are in the document, and how long a key takes. It reads the text of what was added only.
 */
(() => {
  // The text of what follows in a row comes right behind it.
  const PROBE = /probe (\d+);/g;
  const recorder = { frames: [], longTasks: [], probes: {}, keys: [], firstRowMs: null, rows: null };
  window.recorder = recorder;
  /** Begins anew. */
  recorder.reset = () => {
    recorder.frames = [];
    recorder.longTasks = [];
    recorder.probes = {};
    recorder.keys = [];
  };
  let lastFrame = null;
  const onFrame = (nowMs) => {
    if (lastFrame !== null) recorder.frames.push(nowMs - lastFrame);
    lastFrame = nowMs;
    requestAnimationFrame(onFrame);
  };
  requestAnimationFrame(onFrame);
  new PerformanceObserver((list) => {
    for (const { duration } of list.getEntries()) recorder.longTasks.push(duration);
  }).observe({ type: 'longtask' });

  const seen = (text) => {
    for (const [, probe] of text.matchAll(PROBE)) {
      if (recorder.probes[probe] !== undefined) continue;
      recorder.probes[probe] = Number.POSITIVE_INFINITY;
      requestAnimationFrame(() => {
        recorder.probes[probe] = Date.now();
      });
    }
    if (recorder.firstRowMs === null && text.includes('fleet-run-')) {
      recorder.firstRowMs = Number.POSITIVE_INFINITY;
      requestAnimationFrame(() => {
        recorder.firstRowMs = performance.now();
      });
    }
  };
  /** The key that was pressed last, until the rows that it asks for are there. */
  let pressed = null;
  const observer = new MutationObserver((changes) => {
    let hasRows = false;
    for (const { target, addedNodes, type } of changes) {
      if (type === 'characterData') seen(target.data);
      for (const node of addedNodes) seen(node.textContent ?? '');
      hasRows ||= (target.textContent ?? '').length < 2_000 && /fleet-run-/.test(target.textContent ?? '');
    }
    if (pressed === null || !hasRows) return;
    const { atMs, key } = pressed;
    pressed = null;
    requestAnimationFrame(() => {
      key.rowsMs = performance.now() - atMs;
    });
  });
  const observe = () => observer.observe(document, { subtree: true, childList: true, characterData: true });
  observe();
  addEventListener(
    'keydown',
    ({ timeStamp }) => {
      const key = { letterMs: null, rowsMs: null };
      recorder.keys.push(key);
      pressed = { atMs: timeStamp, key };
      // A message that is sent in a frame comes when that frame was drawn.
      requestAnimationFrame(() => {
        const { port1, port2 } = new MessageChannel();
        port1.onmessage = () => {
          key.letterMs = performance.now() - timeStamp;
        };
        port2.postMessage(null);
      });
    },
    { capture: true },
  );
})();

/**
 * Is preloaded into a measured process (`node --import`). Every half second it writes what the process has used so far
 * to the file that BENCH_PROBE_FILE names. With BENCH_PROFILE_FILE it writes a CPU profile to that file on SIGUSR2.
 */
import { writeFileSync } from 'node:fs';
import { Session } from 'node:inspector';
import { monitorEventLoopDelay } from 'node:perf_hooks';

const file = process.env.BENCH_PROBE_FILE;
const profileFile = process.env.BENCH_PROFILE_FILE;
const INTERVAL_MS = 500;

if (file !== undefined) {
  const loopDelay = monitorEventLoopDelay({ resolution: 5 });
  loopDelay.enable();
  setInterval(() => {
    const { user, system } = process.cpuUsage();
    const probe = {
      pid: process.pid,
      atMs: performance.timeOrigin + performance.now(),
      cpuMicros: user + system,
      rssBytes: process.memoryUsage.rss(),
      loopDelayP99Ms: loopDelay.percentile(99) / 1e6,
      loopDelayMaxMs: loopDelay.max / 1e6,
    };
    loopDelay.reset();
    writeFileSync(file, `${JSON.stringify(probe)}\n`, { flag: 'a' });
  }, INTERVAL_MS).unref();
}

if (profileFile !== undefined) {
  const session = new Session();
  session.connect();
  session.post('Profiler.enable');
  session.post('Profiler.setSamplingInterval', { interval: 500 });
  let running = false;
  process.on('SIGUSR2', () => {
    if (!running) session.post('Profiler.start');
    else {
      session.post('Profiler.stop', (error, result) => {
        if (error === null) writeFileSync(profileFile, JSON.stringify(result.profile));
      });
    }
    running = !running;
  });
}

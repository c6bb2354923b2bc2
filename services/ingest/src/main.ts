import cluster from 'node:cluster';
import { runService } from '@runlog/service-kit/run-service';
import { readIngestConfig } from './config.ts';
import { startIngest } from './start-ingest.ts';
import { startWorkers, wantsWorkers } from './workers/start-workers.ts';
import { linkToPrimary } from './workers/worker-link.ts';

const link = cluster.worker === undefined ? undefined : linkToPrimary(cluster.worker);
await runService({
  name: 'ingest',
  readConfig: readIngestConfig,
  start: (options) => startIngest({ ...options, link }),
  worker: link,
  parent: { isWanted: wantsWorkers, start: startWorkers },
});

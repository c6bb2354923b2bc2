import cluster from 'node:cluster';
import { runService } from '@runlog/service-kit/run-service';
import { readIngestConfig } from './config.ts';
import { startIngest } from './start-ingest.ts';
import { runPrimary, wantsWorkers } from './workers/run-primary.ts';
import { linkToPrimary } from './workers/worker-link.ts';

if (cluster.isPrimary && wantsWorkers(process.env)) {
  await runPrimary({ name: 'ingest', readConfig: readIngestConfig });
} else {
  const link = cluster.worker === undefined ? undefined : linkToPrimary(cluster.worker);
  await runService({
    name: 'ingest',
    readConfig: readIngestConfig,
    start: (options) => startIngest({ ...options, link }),
    worker: link,
  });
}

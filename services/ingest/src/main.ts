import { runService } from '@runlog/service-kit/run-service';
import { readIngestConfig } from './config.ts';
import { startIngest } from './start-ingest.ts';

await runService({ name: 'ingest', readConfig: readIngestConfig, start: startIngest });

import { runService } from '@runlog/service-kit/run-service';
import { readAggregatorConfig } from './config.ts';
import { startAggregator } from './start-aggregator.ts';

await runService({ name: 'aggregator', readConfig: readAggregatorConfig, start: startAggregator });

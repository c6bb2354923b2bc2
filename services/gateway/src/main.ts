import { runService } from '@runlog/service-kit/run-service';
import { readGatewayConfig } from './config.ts';
import { startGateway } from './start-gateway.ts';

await runService({ name: 'gateway', readConfig: readGatewayConfig, start: startGateway });

import type { RunKey } from '@runlog/schema/run/run-key';
import { type GatewayTarget, getRun } from '../services/gateway-client.ts';
import { formerEmitterIdOf } from './number-lines.ts';

/**
 * Returns the run's name if a former version has imported the file with this first line into it, else null. Those versions
 * gave some files another name.
 */
export async function formerRunOf(
  target: GatewayTarget,
  at: { run: RunKey; firstLine: Buffer },
): Promise<string | null> {
  const document = await getRun(target, at.run);
  if (document === null) return null;
  return Object.hasOwn(document.emitters, formerEmitterIdOf(at.firstLine)) ? at.run.run_id : null;
}

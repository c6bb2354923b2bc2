import { parseRunKey } from '@runlog/schema/run/run-key';
import { HttpFault } from '@runlog/service-kit/http-server';

/** The parameters of a path below `/v1/runs/:cluster/:run/:group`. */
export interface RunRoute {
  Params: { cluster: string; run: string; group: string };
}

/** Returns the run key of a path. Throws 404 if it cannot be one. */
export function runKeyOf(params: RunRoute['Params']): string {
  const key = `${params.cluster}/${params.run}/${params.group}`;
  if (parseRunKey(key) === null) throw noSuchRun(params);
  return key;
}

export function noSuchRun(params: RunRoute['Params']): HttpFault {
  return new HttpFault('no_such_run', `there is no run ${params.cluster}/${params.run}/${params.group}`);
}

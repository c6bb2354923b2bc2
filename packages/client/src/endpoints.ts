import { STREAM_PATH } from '@runlog/schema/stream/subprotocol';

/** Where a gateway is asked. */
export interface Endpoints {
  /** `ws://…/v1/stream`. */
  readonly stream: string;
  /** The address of the REST of one run, without a slash at its end. */
  run(key: string): string;
}

/**
 * Returns the addresses of a gateway, which may be served below a path. `url` is its `http:`, `https:`, `ws:` or `wss:`
 * address, or that of its stream.
 */
export function endpointsOf(url: string): Endpoints {
  const base = new URL(url);
  const isSecure = base.protocol === 'https:' || base.protocol === 'wss:';
  if (!isSecure && base.protocol !== 'http:' && base.protocol !== 'ws:') {
    throw new TypeError(`not the address of a gateway: ${url}`);
  }
  const path = base.pathname.replace(/\/+$/, '').replace(new RegExp(`${STREAM_PATH}$`), '');
  const at = `://${base.host}${path}`;
  return {
    stream: `${isSecure ? 'wss' : 'ws'}${at}${STREAM_PATH}`,
    run: (key) => `${isSecure ? 'https' : 'http'}${at}/v1/runs/${key}`,
  };
}

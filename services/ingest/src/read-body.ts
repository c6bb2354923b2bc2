import type { IncomingMessage } from 'node:http';
import type { ByteShare } from './byte-budget.ts';

export type BodyRead =
  | { readonly kind: 'complete'; readonly body: Buffer }
  /**
   * If `drained` is true, the client has sent everything, so it will read the answer and the connection can be kept.
   */
  | { readonly kind: 'too_large' | 'overloaded'; readonly drained: boolean }
  | { readonly kind: 'stalled' }
  /** The client went away, so nobody is there to answer. */
  | { readonly kind: 'aborted' };

export interface ReadLimits {
  readonly bytesMax: number;
  /** The longest time without a byte. */
  readonly stallMsMax: number;
  /** The most bytes of a refused body that are read and discarded. */
  readonly drainBytesMax: number;
  /** The longest time for which a refused body is read and discarded. */
  readonly drainMsMax: number;
}

/**
 * Reads a request body. A body that breaks a limit is not simply dropped. A client that sends before it reads (as
 * Python's http.client does) would find its connection reset, never see the answer, and try again for ever.
 */
export async function readBody(
  request: IncomingMessage,
  options: { limits: ReadLimits; share: ByteShare },
): Promise<BodyRead> {
  const { limits, share } = options;
  const chunks: Buffer[] = [];
  let bytes = 0;
  const end = await consume(request, limits.stallMsMax, (chunk) => {
    bytes += chunk.length;
    if (bytes > limits.bytesMax) return 'too_large';
    if (!share.grow(chunk.length)) return 'overloaded';
    chunks.push(chunk);
    return 'more';
  });
  switch (end) {
    case 'end':
      return { kind: 'complete', body: chunks.length === 1 ? chunks[0]! : Buffer.concat(chunks, bytes) };
    case 'stalled':
    case 'aborted':
      return { kind: end };
    case 'too_large':
    case 'overloaded':
      chunks.length = 0;
      return { kind: end, drained: await drainBody(request, limits, bytes) };
    default: {
      const unreachable: never = end;
      throw new Error(`unknown end ${String(unreachable)}`);
    }
  }
}

/** Reads and discards the rest of a body. Resolves to true if the body ended within the limits. */
export async function drainBody(
  request: IncomingMessage,
  limits: Pick<ReadLimits, 'drainBytesMax' | 'drainMsMax'>,
  bytesBefore = 0,
): Promise<boolean> {
  if (request.readableEnded) return true;
  let bytes = bytesBefore;
  const startMs = performance.now();
  const end = await consume(request, limits.drainMsMax, (chunk) => {
    bytes += chunk.length;
    const over = bytes > limits.drainBytesMax || performance.now() - startMs > limits.drainMsMax;
    return over ? 'too_large' : 'more';
  });
  return end === 'end';
}

type Verdict = 'more' | 'too_large' | 'overloaded';
type End = Exclude<Verdict, 'more'> | 'end' | 'stalled' | 'aborted';

/** Feeds chunks to `take` until it returns something other than `more`, or the body ends in another way. */
function consume(
  request: IncomingMessage,
  stallMsMax: number,
  take: (chunk: Buffer) => Verdict,
): Promise<End> {
  return new Promise((resolve) => {
    if (request.destroyed && !request.readableEnded) return resolve('aborted');
    const stall = setTimeout(() => finish('stalled'), stallMsMax);
    const onData = (chunk: Buffer) => {
      stall.refresh();
      const verdict = take(chunk);
      if (verdict !== 'more') finish(verdict);
    };
    const onEnd = () => finish('end');
    const onGone = () => finish('aborted');
    const finish = (end: End) => {
      clearTimeout(stall);
      request.off('data', onData).off('end', onEnd).off('close', onGone);
      request.pause();
      resolve(end);
    };
    // 'error' (a reset connection) is followed by 'close'. Without a listener, it would be thrown.
    if (request.listenerCount('error') === 0) request.on('error', () => {});
    request.on('data', onData).on('end', onEnd).on('close', onGone);
    request.resume();
  });
}

import type { FastifyReply, FastifyRequest } from '@runlog/service-kit/http-server';
import type { ByteShare } from './byte-budget.ts';
import { type ContentEncoding, inflateBody } from './inflate.ts';
import { type ReadLimits, readBody } from './read-body.ts';
import { expectsContinue, type Fault, type Refusing } from './refusing.ts';

export type ReceivedBody =
  | { readonly kind: 'complete'; readonly body: Buffer }
  /** `damaged` holds what came of a body that cannot be inflated. */
  | { readonly kind: 'fault'; readonly fault: Fault; readonly damaged?: Buffer }
  /** The request has been answered. */
  | { readonly kind: 'answered'; readonly reply: FastifyReply };

/** Reads the body of an admitted request within its limits, and inflates it. */
export async function receiveBody(
  request: FastifyRequest,
  reply: FastifyReply,
  options: {
    head: { readonly bodyBytes: number | null; readonly encoding: ContentEncoding };
    limits: ReadLimits;
    share: ByteShare;
    refusing: Refusing;
    /** Is told how many bytes came. */
    onRead: (bytes: number) => void;
  },
): Promise<ReceivedBody> {
  const { head, limits, share } = options;
  const faultOfLimit = faultsOf(limits);
  if (!share.reserve(head.bodyBytes ?? 0)) {
    return {
      kind: 'answered',
      reply: await options.refusing.unread(request, reply, faultOfLimit.overloaded),
    };
  }
  if (expectsContinue(request)) reply.raw.writeContinue();
  const read = await readBody(request.raw, { limits, share });
  switch (read.kind) {
    case 'complete':
      break;
    case 'too_large':
    case 'overloaded':
      if (!read.drained) reply.header('connection', 'close');
      return { kind: 'fault', fault: faultOfLimit[read.kind] };
    case 'stalled': {
      reply.header('connection', 'close');
      const message = `no byte of the body arrived for ${limits.stallMsMax} ms`;
      return { kind: 'fault', fault: { code: 'body_stalled', message } };
    }
    case 'aborted':
      return {
        kind: 'fault',
        fault: { code: 'body_stalled', message: 'the connection ended before the body did' },
      };
    default: {
      const unreachable: never = read;
      throw new Error(`unknown end of a body ${String(unreachable)}`);
    }
  }
  options.onRead(read.body.length);
  const inflated = await inflateBody(read.body, {
    encoding: head.encoding,
    bytesMax: limits.bytesMax,
    share,
  });
  switch (inflated.kind) {
    case 'complete':
      return { kind: 'complete', body: inflated.body };
    case 'too_large':
    case 'overloaded':
      return { kind: 'fault', fault: faultOfLimit[inflated.kind] };
    case 'damaged':
      return {
        kind: 'fault',
        fault: { code: 'invalid_json', message: inflated.message },
        damaged: read.body,
      };
    default: {
      const unreachable: never = inflated;
      throw new Error(`unknown end of inflation ${String(unreachable)}`);
    }
  }
}

export function bodyTooLarge(bytesMax: number): string {
  return `a body may have at most ${bytesMax} bytes, before and after inflation`;
}

function faultsOf({ bytesMax }: ReadLimits) {
  return {
    too_large: { code: 'body_too_large', message: bodyTooLarge(bytesMax) },
    overloaded: { code: 'overloaded', message: 'too many bytes are in flight; send this again later' },
  } as const;
}

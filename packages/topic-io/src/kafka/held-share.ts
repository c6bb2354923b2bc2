import { type HeldShare, heldShareSchema } from '@runlog/schema/log/held-share';
import { parseJson } from '../parse-json.ts';
import { HOLDS_NOTHING } from '../share-out.ts';

/** What a member tells the leader of its group beside the topic. */
export function encodeHeldShare({ generation, partitions }: HeldShare): Buffer {
  return Buffer.from(JSON.stringify({ generation, partitions }));
}

/** Builds that deal in turn tell nothing. Whatever cannot be read is nothing too: it must not keep a group from sharing. */
export function decodeHeldShare(bytes: Buffer | null): HeldShare {
  const parsed = heldShareSchema.safeParse(parseJson(bytes?.toString() ?? ''));
  return parsed.success ? parsed.data : HOLDS_NOTHING;
}

import type { EncodedFrame } from './encoded-frame.ts';

/** The place where a session writes. */
export interface Outlet {
  push(frame: EncodedFrame): void;
  /** If this is false, frames that are not urgent should wait for `Session.drained`. */
  readonly hasRoom: boolean;
}

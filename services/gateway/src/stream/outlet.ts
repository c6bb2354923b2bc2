import type { EncodedFrame } from './hub.ts';

/** Where a session writes. */
export interface Outlet {
  push(frame: EncodedFrame): void;
  /** False: what is not urgent should wait for `Session.drained`. */
  readonly hasRoom: boolean;
}

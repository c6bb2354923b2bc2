import { signal } from '@preact/signals';
import type { FollowedRun } from '../run/followed-run.ts';

/** What views tell the top bar. Whoever sets one sets it back to null when it goes. */

/** The number of runs that there are, as the table was last told. It stays when the table goes. */
export const runsTotal = signal<number | null>(null);
/** The run that is shown. */
export const shownRun = signal<FollowedRun | null>(null);
/** How far what is drawn is behind the server, in milliseconds. */
export const behind = signal<number | null>(null);

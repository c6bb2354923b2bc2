import { signal } from '@preact/signals';

/** What views tell the top bar. Whoever sets one sets it back to null when it goes. */

/** The number of runs that there are, as the table was last told. */
export const runsTotal = signal<number | null>(null);
/** The number of connections that show this run. */
export const watching = signal<number | null>(null);
/** How far what is drawn is behind the server, in milliseconds. */
export const behind = signal<number | null>(null);

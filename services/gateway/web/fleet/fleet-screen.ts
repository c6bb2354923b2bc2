import type { FleetCursor } from './fleet-cursor.ts';
import type { FleetMarks } from './fleet-marks.ts';
import type { FleetStore } from './fleet-store.ts';

/** What the parts of the table's view share. */
export interface FleetScreen {
  readonly store: FleetStore;
  readonly cursor: FleetCursor;
  readonly marks: FleetMarks;
}

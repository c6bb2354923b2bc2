import { LANDMARKS_MAX } from '@runlog/schema/limits';
import type { RunSnapshot } from '@runlog/schema/run/snapshot';

type Landmarks = RunSnapshot['landmarks'];
export type Landmark = Landmarks[number];

/** Says whether the event with this ordinal is a landmark. */
export function isLandmarkDue(landmarks: Landmarks, ordinal: number): boolean {
  const first = landmarks[0];
  return first === undefined || (ordinal - first[1]) % landmarkEvery(landmarks) === 0;
}

/** Returns the number of events from one landmark to the next. */
export function landmarkEvery(landmarks: Landmarks): number {
  return landmarks.length < 2 ? 1 : landmarks[1]![1] - landmarks[0]![1];
}

/** Adds a landmark that is due, in place. If they are full, every second one is dropped first, which doubles the step. */
export function addLandmark(landmarks: Landmarks, landmark: Landmark): void {
  if (landmarks.length >= LANDMARKS_MAX) {
    for (let index = 0; index * 2 < landmarks.length; index += 1) landmarks[index] = landmarks[index * 2]!;
    landmarks.length = Math.ceil(landmarks.length / 2);
  }
  landmarks.push(landmark);
}

/** The part of a run from one landmark to the next, or to the run's end. `to` is exclusive. */
export interface Segment {
  readonly from: number;
  readonly to: number;
  /** The number of distinct events in it. */
  readonly events: number;
}

/** Returns the segment in which an offset lies, or null below the first landmark. */
export function segmentAt(run: RunSnapshot, seq: number): Segment | null {
  const index = run.landmarks.findLastIndex(([at]) => at <= seq);
  const landmark = run.landmarks[index];
  if (landmark === undefined) return null;
  const end = [run.position.seq + 1, run.total_events_received - run.duplicates + 1] as const;
  const [to, ordinal] = run.landmarks[index + 1] ?? end;
  return { from: landmark[0], to, events: ordinal - landmark[1] };
}

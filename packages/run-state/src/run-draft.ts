import { EMITTERS_MAX, EVENT_LOG_ENTRIES_MAX, MILESTONES_MAX } from '@runlog/schema/limits';
import type { EmitterState, EventLogEntry, RunSnapshot } from '@runlog/schema/run/snapshot';
import { addLandmark, type Landmark } from './landmarks.ts';
import { type EmitterShares, evictedFor, hasGaps, sharesOf, withinShare } from './numbering.ts';

/**
 * A run while records are folded into it. The state that it begins with is never changed, unless it is the draft's own. Each
 * part is copied before its first change, once per draft rather than once per record. A caller that takes `state` must not
 * use the draft again.
 */
export class RunDraft {
  /** null if the run is absent. It may be read freely, but must be changed through the methods only. */
  state: RunSnapshot | null;
  /** The milliseconds of `last_received_at`, once they are known: parsing the text for each event costs more. */
  lastReceivedAtMs: number | null = null;
  #own: boolean;
  #ownEventLog: boolean;
  #ownMilestones: boolean;
  #ownCounts: boolean;
  #ownEmitters: boolean;
  #ownActivity: boolean;
  #ownLandmarks: boolean;
  /** Follows from the number of emitters, which is expensive to count; null until it is asked for. */
  #shares: EmitterShares | null = null;
  #emitters = 0;
  /** Whether nobody else holds any of the emitters. */
  #ownEachEmitter: boolean;
  /** The emitter that was set last. Only this draft holds its object. */
  #ownEmitterId: string | null = null;

  /** With `isOwn`, nobody else holds the state, and it is changed in place. */
  constructor(state: RunSnapshot | null, { isOwn = false }: { isOwn?: boolean } = {}) {
    this.state = state;
    this.#own = isOwn;
    this.#ownEventLog = isOwn;
    this.#ownMilestones = isOwn;
    this.#ownCounts = isOwn;
    this.#ownEmitters = isOwn;
    this.#ownEachEmitter = isOwn;
    this.#ownActivity = isOwn;
    this.#ownLandmarks = isOwn;
  }

  /** Takes a state that nobody else holds, or none. */
  replace(state: RunSnapshot | null): void {
    this.state = state;
    const own = state !== null;
    this.#own = own;
    this.#ownEventLog = own;
    this.#ownMilestones = own;
    this.#ownCounts = own;
    this.#ownEmitters = own;
    this.#ownEachEmitter = own;
    this.#ownActivity = own;
    this.#ownLandmarks = own;
    this.#ownEmitterId = null;
    this.#shares = null;
    this.lastReceivedAtMs = null;
  }

  /** Returns the state, of which the caller may change top-level fields and `position`. Every other part has a method. */
  writable(): RunSnapshot {
    if (!this.#own) {
      const state = this.state!;
      const { epoch, seq } = state.position;
      this.state = { ...state, position: { epoch, seq } };
      this.#own = true;
    }
    return this.state!;
  }

  writableCounts(): RunSnapshot['counts'] {
    const state = this.writable();
    if (!this.#ownCounts) {
      state.counts = { ...state.counts };
      this.#ownCounts = true;
    }
    return state.counts;
  }

  writableActivity(): RunSnapshot['activity'] {
    const state = this.writable();
    if (!this.#ownActivity) {
      state.activity = state.activity.slice();
      this.#ownActivity = true;
    }
    return state.activity;
  }

  addLandmark(landmark: Landmark): void {
    const state = this.writable();
    if (!this.#ownLandmarks) {
      state.landmarks = state.landmarks.slice();
      this.#ownLandmarks = true;
    }
    addLandmark(state.landmarks, landmark);
  }

  /** The shares of each emitter of the run. */
  get shares(): EmitterShares {
    if (this.#shares === null) {
      this.#emitters = Object.keys(this.state!.emitters).length;
      this.#shares = sharesOf(this.#emitters);
    }
    return this.#shares;
  }

  /** Changes an emitter that the run knows. Takes one that nobody else holds. */
  setEmitter(id: string, emitter: EmitterState): void {
    this.#withOwnEmitters().emitters[id] = emitter;
    this.#ownEmitterId = id;
  }

  /** Makes room for an emitter that the run does not know, and shares evenly what the run may keep. */
  addEmitter(id: string, emitter: EmitterState): void {
    const before = this.shares;
    const state = this.#withOwnEmitters();
    if (this.#emitters >= EMITTERS_MAX) {
      const evicted = evictedFor(state.emitters);
      if (hasGaps(state.emitters[evicted]!)) state.missing_is_exact = false;
      delete state.emitters[evicted];
      state.emitters_evicted += 1;
    } else {
      this.#emitters += 1;
      this.#shares = sharesOf(this.#emitters);
    }
    const { shares } = this;
    if (shares.gapsMax !== before.gapsMax || shares.idsMax !== before.idsMax) {
      for (const [other, held] of Object.entries(state.emitters)) {
        state.emitters[other] = withinShare(held, shares);
      }
    }
    this.setEmitter(id, emitter);
  }

  /** Returns the emitter to change, or null if it is unknown or somebody else may hold it. */
  ownEmitter(id: string): EmitterState | null {
    if (id === this.#ownEmitterId) return this.state!.emitters[id]!;
    const { emitters } = this.state!;
    return this.#ownEachEmitter && Object.hasOwn(emitters, id) ? emitters[id]! : null;
  }

  #withOwnEmitters(): RunSnapshot {
    const state = this.writable();
    if (!this.#ownEmitters) {
      state.emitters = { ...state.emitters };
      this.#ownEmitters = true;
    }
    return state;
  }

  appendToEventLog(entry: EventLogEntry): void {
    const state = this.writable();
    if (!this.#ownEventLog) {
      state.event_log = state.event_log.slice();
      this.#ownEventLog = true;
    }
    append(state.event_log, { entry, max: EVENT_LOG_ENTRIES_MAX });
  }

  appendToMilestones(entry: EventLogEntry): void {
    const state = this.writable();
    if (!this.#ownMilestones) {
      state.milestones = state.milestones.slice();
      this.#ownMilestones = true;
    }
    append(state.milestones, { entry, max: MILESTONES_MAX });
  }
}

/** Makes room first, so that the array never grows past its bound and its memory stays that small. */
function append(entries: EventLogEntry[], add: { entry: EventLogEntry; max: number }): void {
  if (entries.length >= add.max) {
    if (entries.length === add.max) entries.shift();
    else entries.splice(0, entries.length - add.max + 1);
  }
  entries.push(add.entry);
}

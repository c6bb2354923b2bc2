import type { OfferedVersions } from './inspect-broker.ts';

const FETCH = 1;
const LIST_OFFSETS = 2;
const API_VERSIONS = 18;
const DESCRIBE_LOG_DIRS = 35;

/** A range of releases that offer the same. */
export interface Release {
  /** Such as `3.9`. */
  readonly from: string;
  /** Such as `3.8`; null for the newest that is known, and any that comes after it. */
  readonly to: string | null;
}

interface Sign extends Release {
  readonly isOffered: (offered: OfferedVersions) => boolean;
}

const takes =
  (request: number, version: number) =>
  (offered: OfferedVersions): boolean =>
    (offered[request]?.maxVersion ?? -1) >= version;

/** What each release of Apache Kafka is the first to offer, the newest first. Brokers do not say their release. */
const SIGNS: readonly Sign[] = [
  { from: '4.4', to: null, isOffered: takes(API_VERSIONS, 5) },
  { from: '4.3', to: '4.3', isOffered: takes(DESCRIBE_LOG_DIRS, 5) },
  { from: '4.2', to: '4.2', isOffered: takes(LIST_OFFSETS, 11) },
  { from: '4.1', to: '4.1', isOffered: takes(FETCH, 18) },
  // It no longer takes requests as old as those of 0.10.
  { from: '4.0', to: '4.0', isOffered: (offered) => (offered[FETCH]?.minVersion ?? 0) >= 4 },
  { from: '3.9', to: '3.9', isOffered: takes(FETCH, 17) },
  { from: '3.7', to: '3.8', isOffered: takes(FETCH, 16) },
  { from: '3.5', to: '3.6', isOffered: takes(FETCH, 15) },
  { from: '3.1', to: '3.4', isOffered: takes(FETCH, 13) },
  { from: '2.7', to: '3.0', isOffered: takes(FETCH, 12) },
  { from: '2.3', to: '2.6', isOffered: takes(FETCH, 11) },
];

/** Tells the release of a broker from what it offers; null if it is older than any that runlog works with. */
export function releaseOf(offered: OfferedVersions): Release | null {
  const found = SIGNS.find(({ isOffered }) => isOffered(offered));
  return found === undefined ? null : { from: found.from, to: found.to };
}

export function releaseText({ from, to }: Release): string {
  if (to === null) return `${from} or newer`;
  return from === to ? from : `${from} to ${to}`;
}

/** What a history can be found guilty of. */
export const VIOLATION_KINDS = [
  'lost write',
  'doubled write',
  'unsent write',
  'write out of order',
  'unkept read',
  'divergent read',
  'skipped read',
  'read went back',
  'snapshot of no record',
  'snapshot with wrong counts',
  'snapshot went back',
  'snapshot without its checkpoint',
  'checkpoint went back',
  'checkpoint ahead of its snapshots',
  'shown without a record',
  'shown again',
  'not shown',
  'state went back',
  'state with wrong counts',
  'gateways disagree',
] as const;
export type ViolationKind = (typeof VIOLATION_KINDS)[number];

export interface Violation {
  readonly kind: ViolationKind;
  /** Where it is, in a sentence. */
  readonly what: string;
}

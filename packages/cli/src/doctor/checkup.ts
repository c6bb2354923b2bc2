import type { Role } from '@runlog/schema/log/rights';
import type { LogConfig } from '@runlog/service-kit/log-config';
import type { Compression } from '@runlog/topic-io/compression';
import type { Logger } from '@runlog/topic-io/logger';
import type { Finding } from './finding.ts';

/** What all checks of one call share. */
export interface Checkup {
  readonly log: LogConfig;
  /** Whose rights are looked at. */
  readonly role: Role;
  /** Whether a throw-away topic may be made. */
  readonly probes: boolean;
  /** The partitions that a variable asks for, if one does. */
  readonly partitionsAsked: number | undefined;
  /** How ingest compresses. */
  readonly compression: Compression;
  readonly logger: Logger;
  /** Ends it early; what was made is deleted nevertheless. */
  readonly signal: AbortSignal;
  /** Says what is being done, for a person who waits. */
  readonly step: (doing: string) => void;
  readonly add: (...findings: readonly Finding[]) => void;
}

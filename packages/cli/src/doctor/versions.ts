import { FOLD_VERSION } from '@runlog/schema/run/snapshot';
import { releaseOf, releaseText } from '@runlog/topic-io/kafka/broker-release';
import type { OfferedVersions } from '@runlog/topic-io/kafka/inspect-broker';
import { type Finding, findingsOf } from './finding.ts';

const { ok, warning, failed } = findingsOf('versions');

/** The oldest that runlog is tested with. */
const TESTED_FROM = '3.3';
/** Brokers from 3.1 to 3.4 offer the same, so these are not said to be older. */
const UNTESTED = new Set(['2.3', '2.7']);

export function judgeBrokers(
  brokers: readonly { readonly address: string; readonly offered: OfferedVersions }[],
): Finding[] {
  const releases = brokers.map(({ address, offered }) => ({ address, release: releaseOf(offered) }));
  const findings = releases.map(({ address, release }) => {
    if (release === null) return failed(address, 'older than Kafka 2.3, the oldest that runlog works with');
    const text = releaseText(release);
    const details = { from: release.from, to: release.to };
    return UNTESTED.has(release.from)
      ? warning(address, `offers what Kafka ${text} does; runlog is tested with ${TESTED_FROM} and newer`, {
          details,
        })
      : ok(address, `offers what Kafka ${text} does (tested with ${TESTED_FROM} and newer)`, { details });
  });
  const kinds = new Set(releases.map(({ release }) => release?.from ?? 'older'));
  if (kinds.size < 2) return findings;
  return [...findings, warning('brokers', 'not all are of the same release: is an update under way?')];
}

export function runlogVersions(build: string): Finding[] {
  const { version, platform, arch } = process;
  return [
    ok('runlog', `${build}, fold version ${FOLD_VERSION}, Node ${version} on ${platform}-${arch}`, {
      details: { runlog: build, fold: FOLD_VERSION, node: version },
    }),
  ];
}

/** Judges the version of the fold that the snapshots were written with. */
export function judgeFold(fold: number): Finding {
  const details = { fold, build: FOLD_VERSION };
  if (fold === FOLD_VERSION)
    return ok('fold', `the snapshots are of fold version ${fold}, as this build`, { details });
  if (fold > FOLD_VERSION) {
    return failed(
      'fold',
      `the snapshots are of fold version ${fold}, this build has ${FOLD_VERSION}: update it`,
      { details },
    );
  }
  const message = `the snapshots are of fold version ${fold}, this build has ${FOLD_VERSION}: they must be written anew`;
  return failed('fold', message, { remedy: ['runlog rebuild'], details });
}

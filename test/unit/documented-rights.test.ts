import { readFileSync } from 'node:fs';
import {
  aclCommand,
  type Right,
  ROLES,
  rightsOf,
  rightsToCreate,
  rightsToNameHolders,
} from '@runlog/schema/log/rights';
import { topicNames } from '@runlog/schema/log/topics';
import { errorName } from '@runlog/topic-io/kafka/error-names';
import { describe, expect, it } from 'vitest';

const document = readFileSync(new URL('../../docs/operations.md', import.meta.url), 'utf8');
const section = document.slice(document.indexOf('## A cluster with an authorizer')).split('\n## ')[0]!;

/** The commands of the document, whose function `acl` stands for what they have in common. */
function commands(who: string, rights: readonly Right[]): string[] {
  const given = rights.map((right) =>
    aclCommand(right, { principal: `User:${who}`, brokers: ['broker:9092'], commandConfig: true }),
  );
  const common = 'kafka-acls.sh --bootstrap-server broker:9092 --command-config admin.properties --add ';
  return given.map((command) => `    ${command.replace(common, 'acl ')}`);
}

describe('docs/operations.md', () => {
  it('names exactly the rights that each service and command has in the test of them', () => {
    const names = topicNames('');
    const wanted = [
      ...commands('operator', rightsToCreate(names)),
      ...ROLES.flatMap((role) => commands(role, rightsOf(role, names))),
      ...commands('gateway', rightsToNameHolders(names)),
    ];
    const found = section.split('\n').filter((line) => line.startsWith('    acl --allow-principal'));
    expect(found).toEqual(wanted);
  });

  it('calls errors by names that Kafka knows', () => {
    const known = new Set(Array.from({ length: 135 }, (_, index) => errorName(index - 1)));
    const named = [...section.matchAll(/^\| `([A-Z_]+)`/gm)].map((match) => match[1]!);
    expect(named.length).toBeGreaterThan(8);
    expect(named.filter((name) => !known.has(name))).toEqual([]);
  });
});

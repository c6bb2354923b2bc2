import { type Right, rightsOf, rightsToNameHolders } from '@runlog/schema/log/rights';
import { topicNames } from '@runlog/schema/log/topics';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { runCli, startCli } from '../support/cli-process.ts';
import { epochCompleted } from '../support/event-factory.ts';
import { openForeignTransaction } from '../support/foreign-transaction.ts';
import { GuardedBroker } from '../support/guarded-broker.ts';
import { leaveHangingTransaction } from '../support/hanging-transaction.ts';
import { runTool } from '../support/java-client.ts';
import { ServiceProcess } from '../support/service-process.ts';
import { uniqueName } from '../support/unique-name.ts';

const PREFIX = 'held.';
const names = topicNames(PREFIX);
const TRANSACTIONS_TOOL = 'org.apache.kafka.tools.TransactionsCommand';

describe('what holds events back is said by "runlog topics" and "runlog verify"', () => {
  let broker: GuardedBroker;
  let up: ServiceProcess;

  /** Without a user it is the administrator. */
  const environment = (user?: string) => ({
    ...(user === undefined ? { KAFKA_BROKERS: broker.cluster.brokers[0]! } : broker.environment(user)),
    ...{ RUNLOG_TOPIC_PREFIX: PREFIX, RUNLOG_PARTITIONS: '1' },
  });

  async function publish(count: number): Promise<void> {
    const events = Array.from({ length: count }, () => epochCompleted({ event_id: uniqueName('e') }));
    const answer = await fetch(`${up.addresses.ingest}/v1/events`, {
      ...{ method: 'POST', headers: { 'content-type': 'application/json' }, body: JSON.stringify(events) },
    });
    expect(answer.status).toBe(200);
  }

  const received = async () => {
    const response = await fetch(`${up.addresses.gateway}/v1/runs/local/r1/default`);
    return response.status === 200 ? ((await response.json()) as object) : null;
  };

  /** Runs commands as the administrator, or as somebody else. Resolves to what they said of transactions. */
  async function said(commands: readonly string[], user?: string): Promise<string[]> {
    const lines: string[] = [];
    for (const command of commands) {
      const { code, stdout, stderr } = await runCli([command], environment(user));
      expect(code, stdout + stderr).toBe(0);
      lines.push(...stdout.split('\n').filter((line) => line.includes('open transaction')));
    }
    return lines;
  }

  beforeAll(async () => {
    broker = await GuardedBroker.start({
      users: ['topics', 'plain', 'full'],
      properties: { 'transaction.partition.verification.enable': false },
    });
    const plain: readonly Right[] = [...rightsOf('topics', names), ...rightsOf('verify', names)];
    await broker.grant([
      ...rightsOf('topics', names).map((right) => ({ user: 'topics', right })),
      ...plain.map((right) => ({ user: 'plain', right })),
      ...[...plain, ...rightsToNameHolders(names)].map((right) => ({ user: 'full', right })),
    ]);
    up = await ServiceProcess.start('up', environment());
    await publish(5);
  });

  afterAll(async () => {
    await up?.[Symbol.asyncDispose]();
    await broker?.[Symbol.asyncDispose]();
  });

  it("of another producer's open transaction: whose it is, to those who may know, and the rest to all", async () => {
    // Without a snapshot there is nothing to verify.
    await expect.poll(async () => (await runCli(['verify'], environment())).code).toBe(0);
    await using transaction = await openForeignTransaction({
      ...{ brokers: broker.cluster.brokers, topic: names.events, partition: 0, key: 'k' },
    });
    const { transactionalId } = transaction;
    await publish(20);
    const where = 'holds back 21 records from offset 5 on';
    const lines = [...(await said(['topics', 'verify'])), ...(await said(['topics'], 'full'))];
    expect(lines).toHaveLength(3);
    for (const line of lines) {
      expect(line).toContain(
        `${names.events}:0: an open transaction of ${transactionalId} ${where}, opened `,
      );
      expect(line).toContain(`forceTerminateTransaction --transactionalId ${transactionalId} `);
    }
    // Its rights for `verify` include to read the topic, which tells the producer, but not its name.
    const [plain] = await said(['topics'], 'plain');
    expect(plain).toMatch(new RegExp(`an open transaction of producer \\d+ ${where}; nobody sees`));
    expect(plain).toContain('may lack the right to Describe its transactional id');
    const [blind] = await said(['topics'], 'topics');
    expect(blind).toContain(`an open transaction of another producer ${where}; nobody sees`);
    expect(blind).toContain(`whoever may read ${names.events} can ask: kafka-transactions.sh`);
    const verified = await runCli(['verify', '--json'], environment());
    expect(JSON.parse(verified.stdout)).toMatchObject({
      ok: true,
      heldBack: [{ topic: names.events, partition: 0, startOffset: 5, heldBack: 21, transactionalId }],
    });

    // What the remedy says, by Kafka's own tool.
    const { classpath, brokers } = broker.cluster;
    await runTool(
      { classpath, brokers },
      {
        tool: TRANSACTIONS_TOOL,
        options: ['forceTerminateTransaction', '--transactionalId', transactionalId],
        input: '',
      },
    );
    await expect.poll(received).toMatchObject({ total_events_received: 25 });
  });

  it('of one on run-meta, by a rebuild that waits for it and can be stopped', async () => {
    await using transaction = await openForeignTransaction({
      ...{ brokers: broker.cluster.brokers, topic: names.meta, partition: 0, key: 'k' },
    });
    const { transactionalId } = transaction;
    const rebuild = startCli(['rebuild', '--drop-old'], environment());
    await expect.poll(rebuild.stderr).toContain(transactionalId);
    expect(rebuild.stderr()).toContain(`forceTerminateTransaction --transactionalId ${transactionalId} `);
    rebuild.process.kill('SIGTERM');
    expect(await rebuild.ended).toBe(1);
    expect(rebuild.stderr()).toContain('the former snapshots were kept');
    await transaction.abort();
    await expect.poll(async () => (await runCli(['verify'], environment())).code).toBe(0);
  });

  it('of one that hangs: that it never ends by itself, and the command that ends it', async () => {
    const transactionalId = uniqueName('hanging');
    const { classpath, brokers } = broker.cluster;
    await leaveHangingTransaction(brokers, { topic: names.events, partition: 0, transactionalId });
    await publish(5);
    const lines = await said(['topics', 'verify']);
    expect(lines).toHaveLength(2);
    expect(lines[0]).toContain(`an open transaction of ${transactionalId} holds back 6 records`);
    expect(lines[0]).toContain('so it hangs and never ends by itself; end it with: kafka-transactions.sh');
    await expect.poll(() => up.output).toContain('so it hangs and never ends by itself');

    const [, printed] = /end it with: kafka-transactions\.sh (.*)$/.exec(lines[0]!)!;
    const [bootstrap, address, ...options] = printed!.split(' ');
    expect([bootstrap, address]).toEqual(['--bootstrap-server', brokers[0]]);
    await runTool({ classpath, brokers }, { tool: TRANSACTIONS_TOOL, options, input: '' });
    await expect.poll(received).toMatchObject({ total_events_received: 30 });
    expect(await said(['topics'])).toEqual([]);
    expect(up.output).toContain('no open transaction holds events back any more');
  });
});

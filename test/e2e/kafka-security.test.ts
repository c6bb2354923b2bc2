import { execFile } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import { copyFile, mkdir, rename, symlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { logConfigOf, logEnvironment, logFaults, openLog } from '@runlog/service-kit/log-config';
import { readCheckedConfig } from '@runlog/service-kit/read-config';
import type { Logger } from '@runlog/topic-io/logger';
import type { TopicIo } from '@runlog/topic-io/topic-io';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { z } from 'zod';
import { expectAcknowledged, readToEnd, record, rejectionOf, textOf } from '../contract/contract-context.ts';
import { runCli } from '../support/cli-process.ts';
import { freePort } from '../support/free-ports.ts';
import { runTool } from '../support/java-client.ts';
import { encryptKey } from '../support/made-certificates.ts';
import { AWS, type MskStub, startMskStub } from '../support/msk-stub.ts';
import {
  BROKER_NAME,
  CLIENT_ID,
  CLIENT_SECRET,
  PASSWORD,
  ROTATED_USER,
  SCRAM_PASSWORD,
  SESSION_MS,
  type SecuredCluster,
  startSecuredCluster,
  USER,
} from '../support/secured-cluster.ts';
import { ServiceProcess } from '../support/service-process.ts';
import { uniqueName } from '../support/unique-name.ts';

type Env = Readonly<Record<string, string>>;

const run = promisify(execFile);
const REFUSED = 'a connection to kafka is refused; trying again';
const AUTHENTICATED = 'authenticated at a broker';
let secured: SecuredCluster;
let msk: MskStub;

beforeAll(async () => {
  const port = await freePort();
  secured = await startSecuredCluster({ mskProxyPort: port });
  const certificate = await secured.authority.issue({ name: 'msk', names: ['IP:127.0.0.1'] });
  msk = await startMskStub({ port, target: secured.at.msk, certificate, sessionMs: SESSION_MS });
  process.env.AWS_ACCESS_KEY_ID = AWS.accessKeyId;
  process.env.AWS_SECRET_ACCESS_KEY = AWS.secretAccessKey;
});

afterAll(async () => {
  delete process.env.AWS_ACCESS_KEY_ID;
  delete process.env.AWS_SECRET_ACCESS_KEY;
  await msk?.[Symbol.asyncDispose]();
  await secured?.[Symbol.asyncDispose]();
});

const inFolder = (name: string) => join(secured.folder, name);
const tls = (): Env => ({ KAFKA_SSL: 'true', KAFKA_SSL_CA_FILE: secured.authority.certFile });
const sasl = (mechanism: string): Env => ({
  KAFKA_BROKERS: secured.at.sasl,
  ...tls(),
  KAFKA_SASL_MECHANISM: mechanism,
});
const endpoint = (): Env => ({
  ...sasl('oauthbearer'),
  KAFKA_SASL_OAUTHBEARER_TOKEN_ENDPOINT_URL: secured.issuer.endpointUrl,
  KAFKA_SASL_OAUTHBEARER_CLIENT_ID: CLIENT_ID,
  KAFKA_SASL_OAUTHBEARER_CLIENT_SECRET: CLIENT_SECRET,
  KAFKA_SASL_OAUTHBEARER_CA_FILE: secured.authority.certFile,
});
const mskIam = (): Env => ({
  KAFKA_BROKERS: `127.0.0.1:${msk.port}`,
  ...tls(),
  KAFKA_SASL_MECHANISM: 'aws-msk-iam',
  KAFKA_SASL_AWS_REGION: AWS.region,
});

interface Opened extends AsyncDisposable {
  readonly io: TopicIo;
  /** The fields of each line with this message. */
  lines(message: string): readonly object[];
}

/** Opens the log in this process, by environment variables alone. */
async function openBy(env: Env): Promise<Opened> {
  const variables = readCheckedConfig(z.object(logEnvironment), env, (read) =>
    logFaults(read, { single: true }),
  );
  const said: { fields: object; message: string }[] = [];
  const say = (fields: object, message: string) => void said.push({ fields, message });
  const logger: Logger = { debug: say, info: say, warn: say, error: say };
  const config = logConfigOf(variables, { single: true });
  const io = await openLog(config, { clientId: 'runlog-security', logger });
  return {
    io,
    lines: (message) => said.filter((line) => line.message === message).map((line) => line.fields),
    [Symbol.asyncDispose]: () => io[Symbol.asyncDispose](),
  };
}

async function makeTopic(io: TopicIo): Promise<string> {
  const name = uniqueName('secured');
  await io.ensureTopics([{ name, partitions: 1, cleanupPolicy: 'delete', settings: {} }]);
  return name;
}

/**
 * Appends one record after another until the condition holds. Returns those that were acknowledged; one that was not is
 * never sent again.
 */
async function appendUntil(io: TopicIo, topic: string, isEnough: () => boolean): Promise<string[]> {
  await using writer = await io.writer();
  const acknowledged: string[] = [];
  for (let sent = 0; !isEnough(); sent += 1) {
    const value = Buffer.from(String(sent));
    const appended = await writer.append({ topic, partition: 0, records: [record({ value })] });
    if (appended.acknowledged === 1) acknowledged.push(String(sent));
    else {
      expect(appended.fault?.code).toBe('unavailable');
      expect(appended.fault?.message).not.toMatch(/Connection error: \S+ refuses/);
    }
  }
  return acknowledged;
}

/** The topic must hold each acknowledged record, and none twice or out of order. */
async function expectEachOnce(topic: string, acknowledged: readonly string[]): Promise<void> {
  await using open = await openBy({ KAFKA_BROKERS: secured.open });
  const { records } = await readToEnd(open.io, { topic });
  const held = textOf(records).map(Number);
  expect(held).toEqual([...new Set(held)].sort((one, other) => one - other));
  expect(acknowledged.map(Number).filter((number) => !held.includes(number))).toEqual([]);
  expect(acknowledged.length).toBeGreaterThan(0);
}

describe('a command reaches a broker by environment variables alone, with', () => {
  const topics = async (env: Env) => {
    const prefix = `${uniqueName('by-env')}.`;
    const ran = await runCli(['topics', '--create'], { ...env, RUNLOG_TOPIC_PREFIX: prefix });
    expect(ran).toMatchObject({ code: 0, stdout: expect.stringContaining(`${prefix}run-events`) });
    expect(ran.stderr).not.toContain('"level"');
  };

  it('a private authority', async () => {
    await topics({ KAFKA_BROKERS: secured.at.tls, ...tls() });
  });

  it('a private authority in NODE_EXTRA_CA_CERTS, and a name that is not the address', async () => {
    await topics({
      KAFKA_BROKERS: secured.at.named,
      KAFKA_SSL: 'true',
      NODE_EXTRA_CA_CERTS: secured.authority.certFile,
      KAFKA_SSL_SERVER_NAME: BROKER_NAME,
    });
  });

  it('a certificate of its own, whose key is encrypted', async () => {
    const { certFile, keyFile } = secured.client;
    const passphraseFile = inFolder('passphrase');
    await writeFile(passphraseFile, 'open sesame\n');
    await topics({
      KAFKA_BROKERS: secured.at.mtls,
      ...tls(),
      KAFKA_SSL_CERT_FILE: certFile,
      KAFKA_SSL_KEY_FILE: await encryptKey({ keyFile, passphrase: 'open sesame' }),
      KAFKA_SSL_KEY_PASSPHRASE_FILE: passphraseFile,
    });
  });

  it('PLAIN, the password in a file', async () => {
    const file = inFolder('password');
    await writeFile(file, `${PASSWORD}\n`);
    await topics({ ...sasl('plain'), KAFKA_SASL_USERNAME: USER, KAFKA_SASL_PASSWORD_FILE: file });
  });

  it.each(['scram-sha-256', 'scram-sha-512'])('%s', async (mechanism) => {
    const credentials = { KAFKA_SASL_USERNAME: USER, KAFKA_SASL_PASSWORD: SCRAM_PASSWORD };
    await topics({ ...sasl(mechanism), ...credentials });
  });

  it('OAUTHBEARER, the token from an endpoint', async () => {
    const asked = secured.issuer.asked.length;
    await topics({ ...endpoint(), KAFKA_SASL_OAUTHBEARER_SCOPE: 'kafka other' });
    const request = secured.issuer.asked[asked]!;
    expect(Object.fromEntries(request.form)).toEqual({
      grant_type: 'client_credentials',
      scope: 'kafka other',
    });
    // All connections of a process share one token.
    expect(secured.issuer.asked).toHaveLength(asked + 1);
  });

  it('OAUTHBEARER, the token in a file', async () => {
    const file = inFolder('token');
    await writeFile(file, `${secured.issuer.token({ lifeS: 3_600 })}\n`);
    await topics({ ...sasl('oauthbearer'), KAFKA_SASL_OAUTHBEARER_TOKEN_FILE: file });
  });

  it('AWS MSK IAM; the side of the broker is a stub that checks the signature', async () => {
    await topics({
      ...mskIam(),
      AWS_ACCESS_KEY_ID: AWS.accessKeyId,
      AWS_SECRET_ACCESS_KEY: AWS.secretAccessKey,
    });
    const url = msk.accepted.at(-1)!;
    expect(url.origin).toBe(`https://kafka.${AWS.region}.amazonaws.com`);
    expect(Object.fromEntries(url.searchParams)).toMatchObject({
      Action: 'kafka-cluster:Connect',
      'X-Amz-Credential': expect.stringMatching(
        new RegExp(`^${AWS.accessKeyId}/\\d{8}/${AWS.region}/kafka-cluster/aws4_request$`),
      ),
      'X-Amz-Expires': '900',
    });
  });
});

describe('what is wrong is said at once, in one sentence:', () => {
  const refusalBy = async (env: Env) => {
    await using open = await openBy(env);
    return await rejectionOf(open.io.describeTopic('any'));
  };
  const credentials = (password: string) => ({
    KAFKA_SASL_USERNAME: USER,
    KAFKA_SASL_PASSWORD: password,
  });

  it.each<[string, () => Env, RegExp]>([
    [
      'an authority that nobody named',
      () => ({ KAFKA_BROKERS: secured.at.tls, KAFKA_SSL: 'true' }),
      /127\.0\.0\.1:\d+ is of an authority that is not trusted .*: set KAFKA_SSL_CA_FILE/,
    ],
    [
      'another authority',
      () => ({
        KAFKA_BROKERS: secured.at.tls,
        KAFKA_SSL: 'true',
        KAFKA_SSL_CA_FILE: secured.otherAuthority.certFile,
      }),
      /an authority that is not in KAFKA_SSL_CA_FILE=.*other-ca\.crt/,
    ],
    [
      'another name',
      () => ({ KAFKA_BROKERS: secured.at.named, ...tls() }),
      /is for another name .*set KAFKA_SSL_SERVER_NAME/,
    ],
    [
      'a certificate whose time is over',
      () => ({ KAFKA_BROKERS: secured.at.expired, ...tls() }),
      /certificate of 127\.0\.0\.1:\d+ has expired: have the broker's renewed, or check the clock of this machine$/,
    ],
    [
      'a certificate whose time has not come',
      () => ({ KAFKA_BROKERS: secured.at.early, ...tls() }),
      /certificate of 127\.0\.0\.1:\d+ is not valid yet: check the clock of this machine$/,
    ],
    [
      'no certificate of its own',
      () => ({ KAFKA_BROKERS: secured.at.mtls, ...tls() }),
      /wants a certificate from its clients .*set KAFKA_SSL_CERT_FILE and KAFKA_SSL_KEY_FILE/,
    ],
    [
      'a certificate of its own that the broker does not know',
      () => ({
        KAFKA_BROKERS: secured.at.mtls,
        ...tls(),
        KAFKA_SSL_CERT_FILE: secured.otherAuthority.certFile,
        KAFKA_SSL_KEY_FILE: secured.otherAuthority.keyFile,
      }),
      /does not accept the certificate in KAFKA_SSL_CERT_FILE/,
    ],
    [
      'PLAIN with a wrong password',
      () => ({ ...sasl('plain'), ...credentials('wrong') }),
      /refuses the user ada or the password .*: check KAFKA_SASL_USERNAME and KAFKA_SASL_PASSWORD/,
    ],
    [
      'SCRAM with a wrong password',
      () => ({ ...sasl('scram-sha-512'), ...credentials('wrong') }),
      /refuses the user ada or the password \(SASL_AUTHENTICATION_FAILED, SCRAM-SHA-512\)/,
    ],
    [
      'a password in a file, with a blank behind it',
      () => {
        writeFileSync(inFolder('blank'), `${SCRAM_PASSWORD} \n`);
        const of = { KAFKA_SASL_USERNAME: USER, KAFKA_SASL_PASSWORD_FILE: inFolder('blank') };
        return { ...sasl('scram-sha-512'), ...of };
      },
      /check KAFKA_SASL_USERNAME and KAFKA_SASL_PASSWORD_FILE=\S+blank, which begins or ends with white space$/,
    ],
    [
      'a listener without SASL',
      () => ({ KAFKA_BROKERS: secured.open, KAFKA_SASL_MECHANISM: 'scram-sha-512', ...credentials('x') }),
      /asks for no SASL: leave KAFKA_SASL_MECHANISM out/,
    ],
    [
      'a token for somebody else',
      () => {
        const file = inFolder('token-for-another');
        const token = secured.issuer.token({ lifeS: 3_600, audience: 'another' });
        return { ...sasl('oauthbearer'), ...tokenFile(file, token) };
      },
      /refuses the token \(SASL_AUTHENTICATION_FAILED, .*\): check the token in .*token-for-another/,
    ],
    [
      'a token that has expired',
      () => ({
        ...sasl('oauthbearer'),
        ...tokenFile(inFolder('old-token'), secured.issuer.token({ lifeS: -60 })),
      }),
      /the token in .*old-token has expired at /,
    ],
    [
      'a client that the token endpoint does not know',
      () => ({ ...endpoint(), KAFKA_SASL_OAUTHBEARER_CLIENT_SECRET: 'wrong' }),
      /token endpoint https:.* gives no token, invalid_client \(said by the test\): check KAFKA_SASL_OAUTHBEARER_CLIENT_ID/,
    ],
    [
      'a token endpoint of another authority',
      () => ({
        ...endpoint(),
        KAFKA_SASL_OAUTHBEARER_CA_FILE: secured.otherAuthority.certFile,
      }),
      /certificate of the token endpoint .* is not accepted .*set KAFKA_SASL_OAUTHBEARER_CA_FILE/,
    ],
    [
      'AWS credentials that the cluster does not know (stub)',
      () => ({ ...mskIam(), KAFKA_SASL_AWS_REGION: 'us-east-1' }),
      /refuses the token .*kafka-cluster:Connect/,
    ],
  ])('%s', async (_what, env, expected) => {
    const refusal = await refusalBy(env());
    expect(refusal.message).toMatch(expected);
    expect(refusal.message).not.toContain('\n');
    expect(refusal.code).toBe('unusable');
  });

  it('a mechanism that the broker does not offer, with those that it offers', async () => {
    await using open = await openBy({ ...mskIam(), KAFKA_SASL_MECHANISM: 'plain', ...credentials('x') });
    expect((await rejectionOf(open.io.describeTopic('any'))).message).toMatch(
      /does not offer the SASL mechanism PLAIN: set KAFKA_SASL_MECHANISM to what it offers \(oauthbearer\)/,
    );
  });

  it('a wrong passphrase of the key', async () => {
    const { certFile, keyFile } = secured.client;
    const keyOf = {
      ...{ KAFKA_BROKERS: secured.at.mtls, ...tls(), KAFKA_SSL_CERT_FILE: certFile },
      KAFKA_SSL_KEY_FILE: await encryptKey({ keyFile, passphrase: 'open sesame' }),
    };
    const wrong = await runCli(['topics'], { ...keyOf, KAFKA_SSL_KEY_PASSPHRASE: 'open barley' });
    expect(wrong).toMatchObject({
      code: 2,
      stderr: expect.stringContaining('KAFKA_SSL_KEY_PASSPHRASE does not open KAFKA_SSL_KEY_FILE'),
    });
    expect(wrong.stderr).not.toMatch(/barley|sesame|\n {4}at /);
    const none = await runCli(['topics'], keyOf);
    expect(none).toMatchObject({ code: 2, stderr: expect.stringContaining('KAFKA_SSL_KEY_PASSPHRASE') });
  });

  it('a command ends with it, without a stack', async () => {
    const ran = await runCli(['topics'], { ...sasl('plain'), ...credentials('wrong') });
    expect(ran).toMatchObject({ code: 1, stderr: expect.stringContaining('refuses the user ada') });
    expect(ran.stderr).not.toMatch(/\n {4}at |wrong/);
  });
});

function tokenFile(path: string, token: string): Env {
  writeFileSync(path, token);
  return { KAFKA_SASL_OAUTHBEARER_TOKEN_FILE: path };
}

it('sessions of four seconds are renewed under load, not for each request, and nothing is lost', async () => {
  const plain = { KAFKA_SASL_USERNAME: USER, KAFKA_SASL_PASSWORD: PASSWORD };
  const ways: Env[] = [{ ...sasl('plain'), ...plain }, mskIam()];
  await Promise.all(
    ways.map(async (env) => {
      await using open = await openBy(env);
      const topic = await makeTopic(open.io);
      const startedMs = performance.now();
      const before = open.lines(AUTHENTICATED).length;
      const renewals = () => open.lines(AUTHENTICATED).length - before;
      // The writer has two connections, and each renewal takes three quarters of a session.
      const acknowledged = await appendUntil(open.io, topic, () => renewals() >= 4);
      expect(performance.now() - startedMs).toBeGreaterThan(SESSION_MS * 0.75);
      expect(acknowledged.length).toBeGreaterThan(renewals() * 5);
      await expectEachOnce(topic, acknowledged);
    }),
  );
});

describe('without a restart', () => {
  it('a password is replaced, first at the broker and then in the file', async () => {
    const file = inFolder('rotated-password');
    await writeFile(file, `${SCRAM_PASSWORD}\n`);
    await using open = await openBy({
      ...sasl('scram-sha-512'),
      KAFKA_SASL_USERNAME: ROTATED_USER,
      KAFKA_SASL_PASSWORD_FILE: file,
    });
    const topic = await makeTopic(open.io);
    let authenticatedWithSecond = () => false;
    const appending = appendUntil(open.io, topic, () => authenticatedWithSecond());
    await setScramPassword(ROTATED_USER, 'second');
    await expect
      .poll(() => open.lines(REFUSED))
      .toContainEqual({ reason: expect.stringContaining('refuses the user eve or the password') });
    // In the middle of a replacement a file is empty; the former password stays then.
    await writeFile(file, '');
    await expect
      .poll(() => open.lines('replaced files cannot be used; the former content stays in use').length)
      .toBe(1);
    await writeFile(file, 'second\n');
    const before = open.lines(AUTHENTICATED).length;
    authenticatedWithSecond = () => open.lines(AUTHENTICATED).length > before;
    await expectEachOnce(topic, await appending);
    expect(open.lines('replaced files are used from now on')).toHaveLength(1);
  });

  it('a token in a file is replaced, as Kubernetes does it', async () => {
    const mount = inFolder('mount');
    await mkdir(mount);
    let version = 0;
    const replace = async () => {
      version += 1;
      const data = join(mount, `..${version}`);
      await mkdir(data);
      await writeFile(join(data, 'token'), secured.issuer.token({ lifeS: 600 }));
      await symlink(`..${version}`, join(mount, '..next'));
      await rename(join(mount, '..next'), join(mount, '..data'));
    };
    await replace();
    await symlink('..data/token', join(mount, 'token'));
    await using open = await openBy({
      ...sasl('oauthbearer'),
      KAFKA_SASL_OAUTHBEARER_TOKEN_FILE: join(mount, 'token'),
    });
    const topic = await makeTopic(open.io);
    const replacements = () => open.lines('replaced files are used from now on').length;
    let isOver = false;
    const appending = appendUntil(open.io, topic, () => isOver);
    for (const wanted of [1, 2]) {
      await replace();
      await expect.poll(replacements).toBe(wanted);
    }
    isOver = true;
    await expectEachOnce(topic, await appending);
  });

  it('tokens of an endpoint are fetched ahead of their expiry, also over a failure of the endpoint', async () => {
    secured.issuer.answerBy({ status: 200, lifeS: 12 });
    await using open = await openBy(endpoint());
    const topic = await makeTopic(open.io);
    const asked = secured.issuer.asked.length;
    secured.issuer.answerBy({ status: 503 });
    let isOver = false;
    const appending = appendUntil(open.io, topic, () => isOver);
    await expect.poll(() => secured.issuer.asked.length).toBeGreaterThan(asked);
    secured.issuer.answerBy({ status: 200, lifeS: 3_600 });
    const before = open.lines(AUTHENTICATED).length;
    await expect.poll(() => open.lines(AUTHENTICATED).length).toBeGreaterThan(before);
    isOver = true;
    await expectEachOnce(topic, await appending);
  });

  it('certificates are replaced; while half of it is there, the former ones stay', async () => {
    const [certFile, keyFile] = [inFolder('own.crt'), inFolder('own.key')];
    const put = async (from: { certFile: string; keyFile: string }) => {
      await copyFile(from.certFile, certFile);
      await copyFile(from.keyFile, keyFile);
    };
    await put(secured.client);
    await using open = await openBy({
      KAFKA_BROKERS: secured.at.mtls,
      ...tls(),
      KAFKA_SSL_CERT_FILE: certFile,
      KAFKA_SSL_KEY_FILE: keyFile,
    });
    const topic = await makeTopic(open.io);
    /** A writer has connections of its own. */
    const append = async () => {
      await using writer = await open.io.writer();
      return writer.append({ topic, partition: 0, records: [record()] });
    };
    const stranger = await secured.otherAuthority.issue({ name: 'stranger' });
    await copyFile(stranger.certFile, certFile);
    expectAcknowledged(await append(), 1);
    expect(open.lines('replaced files cannot be used; the former content stays in use')).toEqual([
      expect.objectContaining({ reason: expect.stringContaining('is not the key of the certificate') }),
    ]);
    await copyFile(stranger.keyFile, keyFile);
    expect((await append()).fault?.code).toBe('unavailable');
    expect(open.lines(REFUSED)).toEqual([
      { reason: expect.stringContaining('does not accept the certificate in KAFKA_SSL_CERT_FILE') },
    ]);
    await put(await secured.authority.issue({ name: 'second-client' }));
    expectAcknowledged(await append(), 1);
  });
});

it('the whole system runs on SCRAM-SHA-512, while sessions end and are renewed, and its user is made anew', async () => {
  const file = inFolder('system-password');
  await writeFile(file, SCRAM_PASSWORD);
  const env = {
    ...sasl('scram-sha-512'),
    ...{ KAFKA_SASL_USERNAME: USER, KAFKA_SASL_PASSWORD_FILE: file },
    ...{ RUNLOG_TOPIC_PREFIX: `${uniqueName('system')}.`, RUNLOG_PARTITIONS: '2', RUNLOG_LOG_LEVEL: 'debug' },
  };
  await using up = await ServiceProcess.start('up', env);
  const [line] = readFileSync(new URL('../fixtures/short.events.jsonl', import.meta.url), 'utf8').split('\n');
  let sent = 0;
  const publish = async () => {
    const event = { ...(JSON.parse(line!) as object), event_id: `secured-${sent}`, run_id: 'secured' };
    const response = await fetch(`${up.addresses.ingest}/v1/events`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify(event),
    });
    if (response.status === 200) sent += 1;
    return response.status;
  };
  const shown = async () => (await fetch(`${up.addresses.gateway}/v1/runs/local/secured/default`)).json();
  const renewals = () => up.output.split(AUTHENTICATED).length - 1;
  const before = renewals();
  while (renewals() < before + 20) expect(await publish()).toBe(200);

  await deleteScramUser(USER);
  await expect.poll(() => up.output).toContain(`${REFUSED}"`);
  expect(up.output).toMatch(new RegExp(`refuses the user ${USER} or the password .*"msg":"${REFUSED}"`));
  await setScramPassword(USER, 'made-anew');
  await writeFile(file, 'made-anew');
  await expect.poll(publish).toBe(200);
  // An event that was sent twice is counted once more, and known as a repeat.
  await expect
    .poll(async () => {
      const run = (await shown()) as Record<string, number>;
      return run.total_events_received! - run.duplicates!;
    })
    .toBe(sent);
  expect(up.output.split('replaced files are used from now on').length - 1).toBe(1);
  expect(await up.end('SIGTERM')).toBe(0);
});

async function deleteScramUser(user: string): Promise<void> {
  await runTool(
    { classpath: secured.cluster.classpath, brokers: [secured.open] },
    {
      tool: 'kafka.admin.ConfigCommand',
      options: [
        '--alter',
        '--entity-type',
        'users',
        '--entity-name',
        user,
        '--delete-config',
        'SCRAM-SHA-512',
      ],
      input: '',
    },
  );
}

async function setScramPassword(user: string, password: string): Promise<void> {
  await run('java', [
    ...[
      '-XX:TieredStopAtLevel=1',
      '-cp',
      secured.cluster.classpath,
      'kafka.admin.ConfigCommand',
      '--bootstrap-server',
      secured.open,
    ],
    ...['--alter', '--entity-type', 'users', '--entity-name', user],
    ...['--add-config', `SCRAM-SHA-512=[iterations=4096,password=${password}]`],
  ]);
}

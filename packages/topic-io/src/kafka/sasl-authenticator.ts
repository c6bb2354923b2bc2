import SaslAuthenticator, { type SaslExchange } from 'kafkajs/src/broker/saslAuthenticator/index.js';
import RequestQueue, { type PushedRequest } from 'kafkajs/src/network/requestQueue/index.js';
import { ConnectionRefusal, mechanismRefusal } from './connection-refusal.ts';
import { KafkaFault, toKafkaFault } from './faults.ts';
import type { SaslLogin } from './sasl-login.ts';

/** Requests that may be sent before a connection has proved who it is. */
const UNAUTHENTICATED_APIS = new Set([
  17, // SaslHandshake
  18, // ApiVersions
  36, // SaslAuthenticate
]);

/**
 * A session is renewed after a part of its life between these two, so that not all connections do it in the same moment.
 * A token is used for a smaller part of its own life, so the renewal comes with a newer one.
 */
const SESSION_USED_MIN = 0.75;
const SESSION_USED_MAX = 0.85;
/** Brokers refuse a renewal within one second of the authentication before. */
const RENEWAL_MS_MIN = 1_100;

/** Requests that wait until their connection has proved again who it is. */
const held = new WeakMap<object, PushedRequest[]>();

/**
 * Replaces the way in which kafkajs authenticates a connection:
 * - it renews a session 10 s before its end, so one of at most 10 s again for each request;
 * - requests that were about to be sent go out amid the renewal, and the broker then ends the connection;
 * - it does not say which mechanisms a broker offers;
 * - a connection that was refused stays, and whatever is sent on it next looks like another fault.
 */
export function patchAuthentication(): void {
  SaslAuthenticator.prototype.authenticate = async function (this: SaslAuthenticator) {
    const { connection } = this;
    const login = connection.sasl;
    held.set(connection.requestQueue, []);
    try {
      await shakeHands(this, login);
      await login.authenticate(exchangeOf(this));
      const lifetimeMs = Number(this.sessionLifetime);
      connection.reauthenticationThreshold = thresholdMs(lifetimeMs, Math.random());
      login.authenticated({ broker: connection.broker, lifetimeMs });
      release(connection.requestQueue, null);
    } catch (error) {
      const fault = toKafkaFault(error);
      release(connection.requestQueue, fault);
      connection.socket?.destroy(fault);
      throw fault;
    }
  };
  const { push } = RequestQueue.prototype;
  RequestQueue.prototype.push = function (this: typeof RequestQueue.prototype, request) {
    const waiting = held.get(this);
    if (waiting === undefined || UNAUTHENTICATED_APIS.has(request.entry.apiKey)) push.call(this, request);
    else waiting.push(request);
  };
}

/**
 * Returns how long before the end of a session of this life it is renewed, in whole milliseconds; less than 0 means after
 * its end. `chance` is from 0 to below 1.
 */
export function thresholdMs(lifetimeMs: number, chance: number): number {
  const used = SESSION_USED_MIN + (SESSION_USED_MAX - SESSION_USED_MIN) * chance;
  return Math.floor(lifetimeMs - Math.max(lifetimeMs * used, RENEWAL_MS_MIN));
}

async function shakeHands(authenticator: SaslAuthenticator, login: SaslLogin): Promise<void> {
  const { connection } = authenticator;
  const { mechanism } = login;
  const { request, response } = authenticator.saslHandshake({ mechanism });
  const { errorCode, enabledMechanisms } = await connection.send({
    request,
    response: { decode: response.decode, parse: async (data) => data },
  });
  const refusal = mechanismRefusal({
    broker: connection.broker,
    mechanism,
    code: errorCode,
    offered: enabledMechanisms,
  });
  if (refusal !== null && connection.authenticatedAt !== null) {
    throw new KafkaFault(null, `${connection.broker} did not renew a session`, { cause: refusal });
  }
  if (refusal !== null) throw refusal;
}

function exchangeOf(authenticator: SaslAuthenticator): SaslExchange {
  const { connection } = authenticator;
  return {
    host: connection.host,
    port: connection.port,
    broker: connection.broker,
    logger: authenticator.logger.namespace('SaslAuthenticator'),
    isLost: () => !connection.isConnected(),
    async saslAuthenticate({ request, response }) {
      const { protocolAuthentication } = authenticator;
      if (protocolAuthentication === null) {
        throw new ConnectionRefusal(`${connection.broker} is of a release before Apache Kafka 1.0`);
      }
      const call = protocolAuthentication({ authBytes: await request.encode() });
      const { authBytes, sessionLifetimeMs } = await connection.send(call);
      authenticator.sessionLifetime = sessionLifetimeMs ?? '0';
      if (response === undefined) throw new KafkaFault(null, 'an exchange that ignores its answer');
      return response.parse(await response.decode(authBytes));
    },
  };
}

/** Sends what waited, or fails it. */
function release(queue: typeof RequestQueue.prototype, fault: KafkaFault | null): void {
  const waiting = held.get(queue) ?? [];
  held.delete(queue);
  for (const request of waiting) {
    if (fault !== null) {
      request.entry.reject(fault);
      continue;
    }
    try {
      queue.push(request);
    } catch (error) {
      request.entry.reject(error);
    }
  }
}

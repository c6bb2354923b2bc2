import { type Agent, type IncomingMessage, request } from 'node:http';

/** Posts a body and resolves to the status, whatever the answer says beside it. Rejects if the connection or the time ends. */
export function post(
  url: string,
  of: {
    agent: Agent;
    body: Buffer;
    headers: Readonly<Record<string, string>>;
    timeoutMs: number;
    signal: AbortSignal;
  },
): Promise<number> {
  return new Promise((resolve, reject) => {
    const headers = { ...of.headers, 'content-length': String(of.body.length) };
    const signal = AbortSignal.any([of.signal, AbortSignal.timeout(of.timeoutMs)]);
    const sent = request(
      url,
      { method: 'POST', agent: of.agent, headers, signal },
      (answer: IncomingMessage) => {
        answer.resume();
        answer.once('end', () => resolve(answer.statusCode ?? 0));
        answer.once('error', reject);
      },
    );
    sent.once('error', reject);
    sent.end(of.body);
  });
}

import { type Agent, request } from 'node:http';

/** Posts an NDJSON body to ingest. Rejects unless the answer is 200. */
export function post(to: { agent: Agent; url: string; body: string }): Promise<void> {
  return new Promise((resolve, reject) => {
    const headers = { 'content-type': 'application/x-ndjson' };
    const sent = request(`${to.url}/v1/events`, { agent: to.agent, method: 'POST', headers }, (answer) => {
      answer.resume();
      answer.on('end', () => {
        if (answer.statusCode === 200) resolve();
        else reject(new Error(`ingest answered ${answer.statusCode}`));
      });
      answer.on('error', reject);
    });
    sent.on('error', reject);
    sent.end(to.body);
  });
}

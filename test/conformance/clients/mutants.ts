import { changedSocket } from './changed-socket.ts';
import type { Surroundings } from './drive-client.ts';

/**
 * Wrong clients. Each is ours, with one change at its edge: what it hears, what it sends or what it reports. Some
 * scenario must fail for each.
 */
interface Mutant {
  /** The scenario that finds it, and the fault that it finds. */
  readonly found: { readonly by: string; readonly fault: RegExp };
  readonly change: (surroundings: Surroundings) => Partial<Surroundings>;
}

type Fields = Record<string, unknown>;

/** Changes each frame of the server before the client gets it; null drops it. */
const hearing =
  (change: (frame: Fields) => Fields | null): Mutant['change'] =>
  ({ webSocket }) => ({
    webSocket: changedSocket(webSocket, { hear: change }),
  });

const without = (name: string) => hearing((frame) => (Object.hasOwn(frame, name) ? null : frame));

/** Changes each report; null drops it. */
const reporting =
  (change: (line: Fields) => Fields | null): Mutant['change'] =>
  ({ report }) => ({
    report: (line) => {
      const changed = change(line as Fields);
      if (changed !== null) report(changed);
    },
  });

/** Changes each answer to a request for history. */
const asking =
  (change: (response: Response, nth: number) => Response | Promise<Response>): Mutant['change'] =>
  ({ fetch }) => {
    let nth = 0;
    return {
      fetch: async (...request) => {
        nth += 1;
        return change((await fetch(...request)) as Response, nth);
      },
    };
  };

export const mutants = {
  drops_a_page: {
    found: { by: 'resume-skipped-pages', fault: /handed over/ },
    change: asking(async (response, nth) => {
      const page = (await response.json()) as Fields;
      return Response.json(nth === 2 ? { ...page, events: [] } : page);
    }),
  },
  takes_the_first_page_for_all: {
    found: { by: 'resume-skipped-pages', fault: /handed over/ },
    change: asking(async (response) => Response.json({ ...((await response.json()) as Fields), next: null })),
  },
  takes_busy_for_gone: {
    found: { by: 'backfill-busy', fault: /gap after 41/ },
    change: asking((response) => (response.status === 503 ? new Response('{}', { status: 410 }) : response)),
  },
  takes_forbidden_for_good: {
    found: { by: 'backfill-forbidden', fault: /gap after 41/ },
    change: asking((response) => (response.status === 401 ? new Response('{}', { status: 410 }) : response)),
  },
  asks_again_for_what_is_gone: {
    found: { by: 'backfill-gone', fault: /requests for history|seen \["snapshot 41"\]|"entry 42"/ },
    change: asking((response) => (response.status === 410 ? new Response('{}', { status: 503 }) : response)),
  },
  hides_a_gap: {
    found: { by: 'backfill-gone', fault: /handed over/ },
    change: reporting((line) => (Object.hasOwn(line, 'gap') ? null : line)),
  },
  ignores_what_a_resume_skips: {
    found: { by: 'resume-skipped', fault: /handed over/ },
    change: hearing((frame) => {
      if (!Object.hasOwn(frame, 'resume')) return frame;
      const { skipped: _, ...resume } = frame.resume as Fields;
      return { ...frame, resume };
    }),
  },
  ignores_lag: {
    found: { by: 'lag', fault: /handed over/ },
    change: without('lag'),
  },
  ignores_prev: {
    found: { by: 'mismatch', fault: /step \d+ .*receive/ },
    change: ({ webSocket }) => {
      const seqs = new Map<unknown, unknown>();
      return {
        webSocket: changedSocket(webSocket, {
          hear: (frame) => {
            const { ch, snapshot, resume } = frame as { ch?: unknown; snapshot?: Fields; resume?: Fields };
            const prev = seqs.get(ch);
            const position = snapshot?.position as Fields | null | undefined;
            const seq = position?.seq ?? resume?.seq ?? frame.seq;
            if (seq !== undefined) seqs.set(ch, seq);
            return frame.prev === undefined || prev === undefined ? frame : { ...frame, prev };
          },
        }),
      };
    },
  },
  ignores_tips: {
    found: { by: 'tips', fault: /receive/ },
    change: without('tips'),
  },
  ignores_resets: {
    found: { by: 'reset', fault: /receive|handed/ },
    change: without('reset'),
  },
  ignores_drain: {
    found: { by: 'drain', fault: /end the connection/ },
    change: without('drain'),
  },
  ignores_replaces: {
    found: { by: 'emitters-replaced', fault: /emitters/ },
    change: hearing(({ replaces: _, ...frame }) => frame),
  },
  reads_one_frame_of_a_message: {
    found: { by: 'several-in-one-message', fault: /handed over/ },
    change: ({ webSocket }) => ({
      webSocket: changedSocket(webSocket, { read: (text) => text.split('\n')[0]! }),
    }),
  },
  comes_back_after_4500: {
    found: { by: 'stays-away-4500', fault: /give up/ },
    change: ({ webSocket }) => ({
      webSocket: changedSocket(webSocket, { close: (code) => (code === 4500 ? 4001 : code) }),
    }),
  },
  stays_away_after_4008: {
    found: { by: 'comes-back', fault: /ask for a connection/ },
    change: ({ webSocket }) => ({
      webSocket: changedSocket(webSocket, { close: (code) => (code === 4008 ? 4500 : code) }),
    }),
  },
  asks_for_history_without_its_key: {
    found: { by: 'key-history', fault: /without the key/ },
    change: ({ fetch }) => ({
      fetch: (address, request) => {
        const { authorization: _, ...headers } = request.headers;
        return fetch(address, { ...request, headers });
      },
    }),
  },
  asks_twice: {
    found: { by: 'resume', fault: /no reason/ },
    change: ({ webSocket }) => ({
      webSocket: changedSocket(webSocket, {
        send: (frame) => (Object.hasOwn(frame, 'sub') ? [frame, frame] : [frame]),
      }),
    }),
  },
  hands_over_twice: {
    found: { by: 'resume', fault: /handed over/ },
    change: ({ report }) => ({
      report: (line) => {
        report(line);
        if (Object.hasOwn(line, 'entry')) report(line);
      },
    }),
  },
} satisfies Record<string, Mutant>;

export type MutantName = keyof typeof mutants;

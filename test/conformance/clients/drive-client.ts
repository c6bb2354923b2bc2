import type { ChannelRefusal, RunUpdate } from '@runlog/client/run-update';
import {
  createStreamClient,
  type RunOptions,
  type StreamClient,
  type StreamClientOptions,
} from '@runlog/client/stream-client';
import { formatRunKey } from '@runlog/schema/run/run-key';
import { figuresChannel, indexChannel, runChannel } from '@runlog/schema/stream/channels';
import type { Command } from '../commands.ts';

/** Where a client runs: what it speaks with, and who hears its reports. */
export interface Surroundings {
  readonly webSocket: NonNullable<StreamClientOptions['webSocket']>;
  readonly fetch: NonNullable<StreamClientOptions['fetch']>;
  readonly random: () => number;
  readonly report: (line: object) => void;
}

/** Does with `packages/client` what the kit's commands say, and reports what it hands over. */
export class DrivenClient {
  readonly #surroundings: Surroundings;
  /** By channel, what ends its subscription. */
  readonly #endings = new Map<string, () => void>();
  #client: StreamClient | null = null;

  constructor(surroundings: Surroundings) {
    this.#surroundings = surroundings;
    surroundings.report({
      ready: { can: ['ack', 'backfill', 'feed', 'figures', 'filters', 'index', 'since'] },
    });
  }

  tell(command: Command): void {
    switch (command.do) {
      case 'connect':
        this.#connect(command);
        break;
      case 'subscribe_run':
        this.#followRun(command);
        break;
      case 'subscribe_figures':
        this.#followFigures(command.run);
        break;
      case 'subscribe_index':
        this.#followIndex(command);
        break;
      case 'unsubscribe':
        this.#endings.get(command.ch)?.();
        break;
      default: {
        const unreachable: never = command;
        throw new Error(`unknown command ${JSON.stringify(unreachable)}`);
      }
    }
  }

  close(): void {
    this.#client?.close();
  }

  #connect({ url, key }: Extract<Command, { do: 'connect' }>): void {
    const { webSocket, fetch, random, report } = this.#surroundings;
    this.#client = createStreamClient({
      ...{ url: url!, webSocket, fetch, random },
      ...(key === undefined ? {} : { key }),
      onStatus: ({ state, ...rest }) => report({ status: state, ...rest }),
      onFeed: ({ state }) => report({ feed: state }),
    });
  }

  #followRun({ run, since, filter, acknowledge }: Extract<Command, { do: 'subscribe_run' }>): void {
    const { min_interval_ms: minIntervalMs, ...entries } = filter ?? {};
    const options = {
      ...(since === undefined ? {} : { from: since }),
      ...(filter === undefined ? {} : { filter: entries }),
      ...(minIntervalMs === undefined ? {} : { minIntervalMs }),
      ...(acknowledge === undefined ? {} : { acknowledge }),
    } as RunOptions;
    const end = this.#client!.subscribeRun(run, (update) => this.#handOver(run, update), options);
    this.#endings.set(runChannel(run), end);
  }

  #handOver(run: string, update: RunUpdate | ChannelRefusal): void {
    const { report } = this.#surroundings;
    switch (update.kind) {
      case 'refused':
        report({ refused: { ch: runChannel(run), code: update.code } });
        return;
      case 'end':
        report({ end: { run, status: update.status } });
        return;
      case 'gap':
        report({ gap: { run, after: update.after, before: update.before, count: update.count } });
        return;
      case 'snapshot':
      case 'step': {
        if (update.kind === 'snapshot') report({ snapshot: { run, state: update.snapshot } });
        for (const { seq } of update.entries) report({ entry: { run, seq } });
        if (update.kind === 'step') report({ state: { run, state: update.snapshot } });
        return;
      }
      default: {
        const unreachable: never = update;
        throw new Error(`unknown update ${JSON.stringify(unreachable)}`);
      }
    }
  }

  #followFigures(run: string): void {
    const { report } = this.#surroundings;
    const ch = figuresChannel(run);
    const end = this.#client!.subscribeFigures(run, (update) => {
      if (update.kind === 'refused') return report({ refused: { ch, code: update.code } });
      const { position, figures } = update.figures;
      const last = Object.fromEntries(figures.map((figure) => [figure.name, figure.last]));
      report({ figures: { run, seq: position?.seq ?? null, figures: last } });
    });
    this.#endings.set(ch, end);
  }

  #followIndex({ glob, view }: Extract<Command, { do: 'subscribe_index' }>): void {
    const { report } = this.#surroundings;
    const ch = indexChannel(glob);
    const listener: Parameters<StreamClient['subscribeIndex']>[1] = (update) => {
      if (update.kind === 'refused') return report({ refused: { ch, code: update.code } });
      const { rows, total, counts, groups } = update;
      report({ index: { glob, rows: rows.map(formatRunKey), total, counts, groups } });
    };
    this.#endings.set(ch, this.#client!.subscribeIndex(glob, listener, view));
  }
}

import type { ReadingOptions, Recorded, RecordingReader } from '../recorded-source.ts';
import { csvSource } from './csv.ts';
import { jsonLinesSource } from './json-lines.ts';
import { mlflowSource } from './mlflow.ts';
import type { Source } from './source.ts';
import { tensorboardSource } from './tensorboard.ts';
import { wandbSource } from './wandb.ts';

export type SourceFormat = 'events' | 'tensorboard' | 'wandb' | 'mlflow' | 'csv';

export interface KnownSource {
  readonly path: string;
  readonly format: SourceFormat;
  /** The run of events that name none. wandb and MLflow name theirs, unless `isRunGiven`. */
  readonly runId: string;
  readonly isRunGiven: boolean;
}

export function openSource({ path, format, runId, isRunGiven }: KnownSource): Source {
  const given = isRunGiven ? runId : undefined;
  switch (format) {
    case 'events':
      return jsonLinesSource(path, runId);
    case 'tensorboard':
      return tensorboardSource(path, runId);
    case 'wandb':
      return wandbSource(path, given);
    case 'mlflow':
      return mlflowSource(path, given);
    case 'csv':
      return csvSource(path, runId);
    default: {
      const never: never = format;
      throw new Error(`unknown format ${String(never)}`);
    }
  }
}

/** Reads a source once, as it is. What runlog keeps no events of is told to `onLeftOut`. */
export function wholeReader(
  source: KnownSource,
  onLeftOut: (leftOut: { what: string; count: number }) => void,
): RecordingReader {
  return async function* read(_path: string, options: ReadingOptions): AsyncGenerator<Recorded> {
    for await (const item of openSource(source).read({ ...options, growing: false })) {
      if ('leftOut' in item) onLeftOut(item.leftOut);
      else yield item;
    }
  };
}

import { eachField, floatOf, textOf, type WireField } from './protobuf.ts';
import { type TensorValue, tensorValue } from './tensor-value.ts';

/** What a TensorBoard `Event` holds, as far as runlog has a use for it. */
export interface TensorboardEvent {
  readonly wallTimeSeconds: number;
  readonly step: number;
  readonly facts: readonly TensorboardFact[];
}

export type TensorboardFact =
  | { readonly kind: 'scalar'; readonly tag: string; readonly value: number }
  | { readonly kind: 'text'; readonly tag: string; readonly text: string }
  | { readonly kind: 'hparams'; readonly hparams: Readonly<Record<string, unknown>>; readonly group: string }
  | { readonly kind: 'end'; readonly isFailure: boolean }
  | { readonly kind: 'log'; readonly level: number; readonly text: string }
  | { readonly kind: 'session'; readonly status: number; readonly text: string }
  | { readonly kind: 'left_out'; readonly what: string };

/** The plugins of tags: only the first value of a tag need name its plugin. */
export type TagPlugins = Map<string, string>;
/** Above it tags are forgotten; then a value counts as what its tensor looks like. */
const TAGS_MAX = 100_000;

const leftOutPlugins: ReadonlyMap<string, string> = new Map([
  ['images', 'images'],
  ['histograms', 'histograms'],
  ['audio', 'audio clips'],
  ['pr_curves', 'precision-recall curves'],
  ['mesh', 'meshes'],
  ['custom_scalars', 'chart layouts'],
  ['graphs', 'graphs'],
  ['graph_run_metadata', 'graphs'],
]);

/** Reads an `Event`. Returns null if the bytes are none. */
export function tensorboardEvent(message: Buffer, plugins: TagPlugins): TensorboardEvent | null {
  let wallTimeSeconds = 0;
  let step = 0;
  const facts: TensorboardFact[] = [];
  let isWhole = true;
  const isRead = eachField(message, (field) => {
    switch (field.number) {
      case 1:
        wallTimeSeconds = floatOf(field);
        break;
      case 2:
        step = field.varint;
        break;
      case 4:
      case 8:
      case 9:
        facts.push({ kind: 'left_out', what: 'graphs' });
        break;
      case 5:
        isWhole &&= eachField(field.bytes, (value) => {
          if (value.number === 1) isWhole &&= summaryValue(value.bytes, plugins, facts);
        });
        break;
      case 6:
        facts.push({ kind: 'log', ...levelAndText(field, { level: 1, text: 2 }) });
        break;
      case 7: {
        const { level, text } = levelAndText(field, { level: 1, text: 3, otherText: 2 });
        facts.push({ kind: 'session', status: level, text });
        break;
      }
      default:
    }
  });
  return isRead && isWhole ? { wallTimeSeconds, step, facts } : null;
}

function summaryValue(message: Buffer, plugins: TagPlugins, facts: TensorboardFact[]): boolean {
  let tag = '';
  let plugin = '';
  let pluginContent: Buffer | null = null;
  let simple: number | null = null;
  let tensor: TensorValue | null = null;
  let other: string | null = null;
  let isWhole = true;
  const isRead = eachField(message, (field) => {
    switch (field.number) {
      case 1:
        tag = textOf(field);
        break;
      case 2:
        simple = floatOf(field);
        break;
      case 3:
      case 5:
        other = 'histograms';
        break;
      case 4:
        other = 'images';
        break;
      case 6:
        other = 'audio clips';
        break;
      case 8:
        tensor = tensorValue(field.bytes);
        isWhole &&= tensor !== null;
        break;
      case 9:
        ({ plugin, content: pluginContent } = pluginOf(field.bytes));
        break;
      default:
    }
  });
  if (!isRead || !isWhole) return false;
  if (plugin === '') plugin = plugins.get(tag) ?? '';
  else if (plugins.get(tag) !== plugin) {
    if (plugins.size >= TAGS_MAX) plugins.clear();
    plugins.set(tag, plugin);
  }
  if (plugin === 'hparams') hparamsFacts(tag, pluginContent, facts);
  else facts.push(factOf({ tag, plugin, simple, tensor, other }));
  return true;
}

function factOf(value: {
  tag: string;
  plugin: string;
  simple: number | null;
  tensor: TensorValue | null;
  other: string | null;
}): TensorboardFact {
  const { tag, plugin, simple, tensor } = value;
  const leftOut = value.other ?? leftOutPlugins.get(plugin);
  if (leftOut !== undefined && leftOut !== null) return { kind: 'left_out', what: leftOut };
  if (simple !== null) return { kind: 'scalar', tag, value: simple };
  switch (tensor?.kind) {
    case 'number':
      return { kind: 'scalar', tag, value: tensor.value };
    case 'texts':
      return { kind: 'text', tag, text: tensor.texts.join('\n') };
    default:
      return {
        kind: 'left_out',
        what: plugin === '' || plugin === 'scalars' ? 'arrays' : `"${plugin}" data`,
      };
  }
}

function pluginOf(metadata: Buffer): { plugin: string; content: Buffer | null } {
  let plugin = '';
  let content: Buffer | null = null;
  eachField(metadata, (field) => {
    if (field.number !== 1) return;
    eachField(field.bytes, (data) => {
      if (data.number === 1) plugin = textOf(data);
      if (data.number === 2) content = data.bytes;
    });
  });
  return { plugin, content };
}

function levelAndText(
  of: WireField,
  numbers: { level: number; text: number; otherText?: number },
): { level: number; text: string } {
  let level = 0;
  let text = '';
  eachField(of.bytes, (field) => {
    if (field.number === numbers.level) level = field.varint;
    if (field.number === numbers.text || field.number === numbers.otherText) text = textOf(field);
  });
  return { level, text };
}

/** `SessionEndInfo.status`. */
const SESSION_FAILED = 2;

/** Keras and PyTorch write hyperparameters, and the end of the session that had them, as data of the plugin. */
function hparamsFacts(tag: string, content: Buffer | null, facts: TensorboardFact[]): void {
  if (content === null) {
    facts.push({ kind: 'left_out', what: 'hyperparameters without values' });
    return;
  }
  eachField(content, (field) => {
    if (field.number === 3) {
      const hparams: Record<string, unknown> = {};
      let group = '';
      eachField(field.bytes, (info) => {
        if (info.number === 1) hparam(info.bytes, hparams);
        if (info.number === 4) group = textOf(info);
      });
      facts.push({ kind: 'hparams', hparams, group });
    }
    if (field.number === 4 && tag.endsWith('session_end_info')) {
      let status = 0;
      eachField(field.bytes, (info) => {
        if (info.number === 1) status = info.varint;
      });
      facts.push({ kind: 'end', isFailure: status === SESSION_FAILED });
    }
  });
}

/** An entry of a map to `google.protobuf.Value`. */
function hparam(entry: Buffer, hparams: Record<string, unknown>): void {
  let name = '';
  let value: unknown = null;
  eachField(entry, (field) => {
    if (field.number === 1) name = textOf(field);
    if (field.number !== 2) return;
    eachField(field.bytes, (kind) => {
      if (kind.number === 2) value = floatOf(kind);
      if (kind.number === 3) value = textOf(kind);
      if (kind.number === 4) value = kind.varint !== 0;
    });
  });
  if (name !== '' && name !== '__proto__') hparams[name] = value;
}

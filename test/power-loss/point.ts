import { SeededRandom } from '../simulation/seeded-random.ts';
import { Disk, type DiskImage, type Loss, losses, type SizeLoss, sizeLosses } from './disk.ts';
import type { Recording } from './recording.ts';

/** What is done to the bytes themselves after the cut. */
export const rots = ['none', 'bit', 'bits', 'zeros', 'noise'] as const;
export type Rot = (typeof rots)[number];

/** One damaged folder, all of which follows from the recording and the seed. */
export interface Point {
  readonly seed: number;
  /** The number of events that happened before the cut. */
  readonly cutAt: number;
  readonly loss: Loss;
  readonly sizeLoss: SizeLoss;
  readonly rot: Rot;
  readonly image: DiskImage;
  /** The number of operations that were acknowledged, and of those that had begun. */
  readonly acknowledged: number;
  readonly begun: number;
}

export function pointOf(recording: Recording, seed: number): Point {
  const random = new SeededRandom(seed).fork(`point of ${recording.seed}`);
  const { events } = recording;
  const cutAt = random.integer(1, events.length);
  const loss = random.pick(losses);
  const sizeLoss = random.pick(sizeLosses);
  const rot = random.chance(0.4) ? random.pick(rots.slice(1)) : 'none';
  const disk = new Disk({ sizeLoss });
  let acknowledged = 0;
  let begun = 0;
  for (const event of events.slice(0, cutAt)) {
    disk.apply(event);
    if (event.kind === 'acknowledged') acknowledged = event.operation + 1;
    if (event.kind === 'begin') begun = event.operation + 1;
  }
  const image = disk.cut(random, loss);
  if (rot !== 'none' && image !== null) damage(image, random, rot);
  return { seed, cutAt, loss, sizeLoss, rot, image, acknowledged, begun };
}

function damage(image: Map<string, Buffer>, random: SeededRandom, rot: Rot): void {
  const names = [...image.keys()].filter((name) => image.get(name)!.length > 0);
  if (names.length === 0) return;
  const name = names.includes('log.mdb') && random.chance(0.95) ? 'log.mdb' : random.pick(names);
  const content = image.get(name)!;
  const place = placeToDamage(content, random);
  switch (rot) {
    case 'none':
      return;
    case 'bit':
    case 'bits': {
      const count = rot === 'bit' ? 1 : random.integer(2, 6);
      for (let flip = 0; flip < count; flip += 1) {
        const at = Math.min(content.length - 1, place + (flip === 0 ? 0 : random.integer(0, 63)));
        content[at]! ^= 1 << random.integer(0, 7);
      }
      return;
    }
    case 'zeros':
    case 'noise': {
      const from = place - (place % 512);
      for (let at = from; at < Math.min(content.length, from + 512); at += 1) {
        content[at] = rot === 'zeros' ? 0 : random.integer(0, 255);
      }
      return;
    }
    default:
      rot satisfies never;
  }
}

/** Chooses among the pages that hold something, and often near a page's beginning, where its structure is. */
function placeToDamage(content: Buffer, random: SeededRandom): number {
  const pages = Math.ceil(content.length / 4_096);
  let page = 0;
  for (let attempt = 0; attempt < 20; attempt += 1) {
    page = random.chance(0.15) ? random.integer(0, Math.min(1, pages - 1)) : random.integer(0, pages - 1);
    if (content.subarray(page * 4_096, (page + 1) * 4_096).some((byte) => byte !== 0)) break;
  }
  const within = random.chance(0.4) ? random.integer(0, 170) : random.integer(0, 4_095);
  return Math.min(content.length - 1, page * 4_096 + within);
}

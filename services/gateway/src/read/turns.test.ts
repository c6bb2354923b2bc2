import { expect, it } from 'vitest';
import { ownTurn } from './turns.ts';

it('lets one of many go on in each turn of the event loop, in the order in which they asked', async () => {
  let turn = 0;
  let isOver = false;
  const count = () => {
    turn += 1;
    if (!isOver) setImmediate(count);
  };
  setImmediate(count);
  const steps: { who: number; turn: number }[] = [];
  const work = async (who: number) => {
    for (let step = 0; step < 5; step += 1) {
      await ownTurn();
      steps.push({ who, turn });
    }
  };
  await Promise.all([0, 1, 2].map(work));
  isOver = true;
  expect(steps.map(({ who }) => who)).toEqual(Array.from({ length: 15 }, (_, step) => step % 3));
  expect(new Set(steps.map((step) => step.turn)).size).toBe(15);
});

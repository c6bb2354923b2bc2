import { connection } from '../shell/connection.ts';
import { stopwatchText } from '../text/ages.ts';
import { counted, countText } from '../text/numbers.ts';
import { visibleText } from '../text/visible-text.ts';
import type { EmitterLine, GapInProof } from './proof-model.ts';

/** One emitter: its numbers, and those that are missing. */
export function EmitterProof({ emitter, onPlace }: { emitter: EmitterLine; onPlace(seq: number): void }) {
  const { id, last, arrived, missing, isExact, gaps, gapsLeftOut, seenSeq } = emitter;
  const about = isExact ? '' : '≥ ';
  return (
    <div class="proof-emitter">
      <p>
        <bdi class="mono proof-emitter-id">{visibleText(id)}</bdi>{' '}
        <span class="dim">
          numbers 1–{countText(last)} · {countText(arrived)} arrived ·{' '}
          <span class={missing > 0 ? 'warn' : ''}>
            {about}
            {countText(missing)} missing
          </span>{' '}
          · last at seq {countText(seenSeq)}
        </span>
      </p>
      {gaps.length > 0 && (
        <ul class="proof-gaps">
          {gaps.map((gap) => (
            <li key={`${gap.from}-${gap.to}`} class={`gap-${gap.state}`}>
              <Gap gap={gap} onPlace={onPlace} />
            </li>
          ))}
        </ul>
      )}
      {gapsLeftOut > 0 && <p class="dim">{counted(gapsLeftOut, 'older gap')} not listed.</p>}
    </div>
  );
}

function Gap({ gap, onPlace }: { gap: GapInProof; onPlace(seq: number): void }) {
  const { from, to, count, after } = gap;
  const range = from === to ? countText(from) : `${countText(from)}–${countText(to)}`;
  return (
    <>
      <span class="proof-range">{range}</span> {count > 0 && `${countText(count)} missing · `}
      <Standing gap={gap} />
      {after !== null && (
        <button type="button" class="text-button" onClick={() => onPlace(after)}>
          in the log
        </button>
      )}
    </>
  );
}

function Standing({ gap: { state, sinceMs } }: { gap: GapInProof }) {
  const nowMs = connection().clock.now.value;
  switch (state) {
    case 'waiting':
      if (sinceMs === null) return <>waiting, for longer than this page knows</>;
      return <>waiting {nowMs === null ? '' : stopwatchText(nowMs - sinceMs)}</>;
    case 'recovered':
      return <>recovered: all arrived later</>;
    case 'not_coming':
      return <>not coming: nobody waits for them any more</>;
    default: {
      const unreachable: never = state;
      throw new Error(`unknown state ${String(unreachable)}`);
    }
  }
}

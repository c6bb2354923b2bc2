import type { StoredEvent } from '@runlog/schema/http/gateway-api';
import { ageText } from '../text/ages.ts';
import { dayText } from '../text/dates.ts';
import { countText } from '../text/numbers.ts';
import { visibleText } from '../text/visible-text.ts';
import { type EventTimes, eventTimes } from './event-fields.ts';

/** When the event was sent by its sender's clock, when it was received, and its number. */
export function EventTimesLine({ stored }: { stored: StoredEvent }) {
  const times = eventTimes(stored);
  const { emitter_id: emitter, emitter_seq: number } = stored.event;
  return (
    <dl class="event-times">
      <dt>sent</dt>
      <dd>
        {momentText(times.sentMs)} <span class="dim">by the sender's clock</span>
      </dd>
      <dt>received</dt>
      <dd>
        {times.receivedMs === null ? 'not known' : momentText(times.receivedMs)}{' '}
        <span class={(times.laterMs ?? 0) < 0 ? 'warn' : 'dim'}>{differenceText(times)}</span>
      </dd>
      <dt>number</dt>
      <dd>
        {typeof number === 'number' ? countText(number) : 'none'}
        {typeof emitter === 'string' && (
          <>
            {' '}
            <span class="dim">
              of <bdi>{visibleText(emitter)}</bdi>
            </span>
          </>
        )}
      </dd>
    </dl>
  );
}

function differenceText({ laterMs }: EventTimes): string {
  if (laterMs === null) return '';
  if (laterMs < 0) return `the sender's clock is ${ageText(-laterMs)} ahead`;
  return `${ageText(laterMs)} later`;
}

/** With milliseconds, by which events differ. */
function momentText(ms: number): string {
  if (Number.isNaN(ms)) return 'no time';
  return `${dayText(ms)} ${new Date(ms).toISOString().slice(11, 23)}`;
}

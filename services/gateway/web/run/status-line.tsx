import { instantOf } from '@runlog/schema/events/instant';
import type { DeliveredSnapshot } from '@runlog/schema/run/snapshot';
import { isNoFilter } from '../log/log-filter.ts';
import { connection } from '../shell/connection.ts';
import { setOptions } from '../shell/route.ts';
import { useRunProof } from '../shell/run-proof.ts';
import { agoText } from '../text/ages.ts';
import { countText } from '../text/numbers.ts';
import { missingRanges } from './missing-ranges.ts';
import type { RunScreen } from './run-screen.ts';
import { shownOfAll } from './shown-of-all.ts';

/** So many characters tell the epochs apart that somebody may have seen. */
const EPOCH_CHARS = 4;

/** The position, what the log shows of all, what is missing, and the last verification. */
export function StatusLine({ screen }: { screen: RunScreen }) {
  const snapshot = screen.shown.value;
  const position = snapshot?.position ?? null;
  return (
    <footer class="status-line">
      {position !== null && (
        <span class="status-seq" title={`offset ${position.seq} of epoch ${position.epoch}`}>
          seq {position.epoch.slice(0, EPOCH_CHARS)}:<b>{countText(position.seq)}</b>
        </span>
      )}
      <LogShown screen={screen} snapshot={snapshot} />
      {snapshot !== null && snapshot.missing > 0 && <Missing snapshot={snapshot} />}
      {screen.at.value === null && <Verified runKey={screen.run.key} />}
      <span class="status-line-end">1–5 panes · space follow · f filter · t time · c copy link · ? keys</span>
    </footer>
  );
}

function LogShown({ screen, snapshot }: { screen: RunScreen; snapshot: DeliveredSnapshot | null }) {
  const { log, run, at } = screen;
  const { shown, total } = log.counts.value;
  const isPast = at.value !== null;
  const counts = {
    shown,
    total: isPast && snapshot !== null ? snapshot.total_events_received - snapshot.duplicates : total,
    isFiltered: log.around.value === null && !isNoFilter(log.filter.value),
    isCatchingUp: !isPast && run.isCatchingUp.value,
  };
  const { counts: text, hint } = shownOfAll(counts);
  return (
    <span>
      <span class="status-more">log shows </span>
      {text}
      {hint !== '' && <span class="status-hint"> · {hint}</span>}
    </span>
  );
}

function Missing({ snapshot }: { snapshot: DeliveredSnapshot }) {
  const ranges = missingRanges(snapshot.emitters);
  return (
    <span class="warn">
      {snapshot.missing_is_exact ? '' : '≥ '}
      {countText(snapshot.missing)} missing
      {ranges !== '' && <span class="status-more">: {ranges}</span>}
    </span>
  );
}

function Verified({ runKey }: { runKey: string }) {
  const verified = useRunProof(runKey).proof.value?.verified ?? null;
  if (verified === null) {
    return (
      <button
        type="button"
        class="text-button"
        title="the proof: its pane folds the whole history again and compares it (5)"
        onClick={() => setOptions('run', { pane: 'proof' })}
      >
        not verified
      </button>
    );
  }
  const nowMs = connection().clock.now.value;
  const age = nowMs === null ? '' : ` · ${agoText(nowMs - instantOf(verified.at))}`;
  if (!verified.is_equal)
    return (
      <span class="bad">
        ✗ differs from its events at seq {countText(verified.seq)}
        {age}
      </span>
    );
  return (
    <span class="good">
      ✓ verified to seq {countText(verified.seq)}
      {age}
    </span>
  );
}

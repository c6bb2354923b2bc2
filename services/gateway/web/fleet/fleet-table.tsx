import { formatRunKey } from '@runlog/schema/run/run-key';
import { useEffect, useMemo, useRef } from 'preact/hooks';
import { runAddress } from '../shell/address.ts';
import { connection } from '../shell/connection.ts';
import { isPrinting } from '../shell/printing.ts';
import { goTo } from '../shell/route.ts';
import { counted, countText } from '../text/numbers.ts';
import { FleetHeads } from './fleet-heads.tsx';
import { FleetLayout, groupsOf } from './fleet-layout.ts';
import { markedIn } from './fleet-marks.ts';
import { type FleetRowActions, GroupHead, RowView, rowElementId, UnknownRow } from './fleet-row.tsx';
import type { FleetScreen } from './fleet-screen.ts';
import { useFleetBox } from './use-fleet-box.ts';
import { useFleetKeys } from './use-fleet-keys.ts';
import { useFleetPlace } from './use-fleet-place.ts';

/** More rows than there are. Of these the table holds some hundred, which are printed. */
const PRINTED = { top: 0, height: 1e6 };

/** The rows of the runs. Only those in view are in the page; the table is one tab stop, and its keys are those of the view. */
export function FleetTable({ screen }: { screen: FleetScreen }) {
  const { store, cursor, marks } = screen;
  const scroller = useRef<HTMLDivElement>(null);
  const box = useFleetBox(scroller);
  const rows = store.rows.value;
  const isGrouped = store.by.value !== null;
  const layout = useMemo(() => {
    const total = rows?.total ?? 0;
    const groups = isGrouped ? groupsOf(rows?.groups ?? [], total) : null;
    return new FleetLayout({ total, groups, heights: box.value.heights });
  }, [rows?.total, rows?.groups, isGrouped, box.value.heights]);
  const isOnPaper = isPrinting.value;
  const slice = layout.slice(isOnPaper ? PRINTED : box.value);
  useEffect(() => {
    if (!isOnPaper) store.show(slice);
  }, [store, slice.from, slice.to]);
  useFleetPlace(scroller, { screen, box });

  const actions = useMemo(
    (): FleetRowActions => ({
      open(key) {
        store.flush();
        goTo(runAddress(key));
      },
      flush: () => store.flush(),
      mark: (key) => marks.toggle(key),
      point: (position) => cursor.moveTo(position),
    }),
    [store, cursor, marks],
  );
  useFleetKeys(screen, {
    open: actions.open,
    reveal(position) {
      const element = scroller.current;
      if (element === null) return;
      const { height, heights } = box.peek();
      const top = layout.topOf(position);
      const to = Math.min(top, Math.max(element.scrollTop, top + heights.row - height));
      // The head of its group comes along with the first row.
      element.scrollTo({ top: position === 0 ? 0 : to });
      document.querySelector<HTMLElement>('.fleet-table')?.focus({ preventScroll: true });
    },
    firstInView: () => slice.from,
  });

  const nowMs = connection().clock.now.value;
  const unknownSinceMs = connection().unknownSinceMs.value;
  const at = cursor.at.value;
  const marked = markedIn();
  const names = slice.items.flatMap((item) =>
    item.kind === 'run' ? [rows?.rowAt(item.position)?.run_id ?? ''] : [],
  );
  const spacer = (height: number, where: string) =>
    height > 0 &&
    !isOnPaper && (
      <tr key={where} class="fleet-spacer">
        <td style={{ height: `${height}px` }} />
      </tr>
    );
  return (
    <div
      class="fleet-frame"
      onPointerEnter={(event) => event.pointerType !== 'touch' && store.hold('pointer', true)}
      onPointerLeave={() => store.hold('pointer', false)}
    >
      <div class="fleet-scroll" ref={scroller}>
        <table
          class="fleet-table"
          // biome-ignore lint/a11y/noNoninteractiveElementToInteractiveRole: the keys go along its rows
          role="grid"
          aria-label="Runs"
          aria-rowcount={layout.total + 1}
          aria-activedescendant={at === null ? undefined : rowElementId(at.position)}
          tabIndex={0}
          onFocus={(event) => {
            if (event.target !== event.currentTarget) return;
            if (cursor.at.peek() === null) cursor.moveTo(slice.from);
            store.hold('focus', true);
          }}
          onBlur={() => store.hold('focus', false)}
        >
          <FleetHeads screen={screen} />
          <tbody>
            {spacer(slice.above, 'above')}
            {slice.items.map((item) => {
              if (item.kind === 'head')
                return <GroupHead key={`head ${item.group.from}`} group={item.group} by={store.by.value!} />;
              const row = rows?.rowAt(item.position) ?? null;
              if (row === null && isOnPaper) return null;
              if (row === null) return <UnknownRow key={item.position} position={item.position} />;
              const key = formatRunKey(row);
              return (
                <RowView
                  key={key}
                  {...{ row, runKey: key, names, nowMs, unknownSinceMs, actions }}
                  position={item.position}
                  isActive={at?.position === item.position}
                  isMarked={marked.includes(key)}
                />
              );
            })}
            {spacer(slice.below, 'below')}
          </tbody>
        </table>
        {/* Paper has only the rows that were there, and says how many were not. */}
        {isOnPaper && rows !== null && rows.known < rows.total && (
          <p>
            {counted(rows.known, 'run')} of {countText(rows.total)}
          </p>
        )}
      </div>
      {rows !== null && rows.moved > 0 && (
        <button type="button" class="fleet-moved" onClick={() => store.release()}>
          {counted(rows.moved, 'row')} moved <kbd>u</kbd>
        </button>
      )}
    </div>
  );
}

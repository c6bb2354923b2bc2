import { signal } from '@preact/signals';
import { render } from 'preact';
import { forgetEarlierDrawings } from '../../../services/gateway/web/shell/earlier-drawings.ts';
import { memo } from '../../../services/gateway/web/shell/memo.ts';

const ROWS = 40;

interface Row {
  readonly id: number;
}
const made: WeakRef<Row>[] = [];
function newRow(): Row {
  const row = { id: made.length };
  made.push(new WeakRef(row));
  return row;
}

const rows = signal<readonly Row[]>(Array.from({ length: ROWS }, newRow));

const RowView = memo(({ row }: { row: Row }) => <p>{row.id}</p>);

function List() {
  return (
    <div>
      {rows.value.map((row, at) => (
        <RowView key={at} row={row} />
      ))}
    </div>
  );
}

const kept = {
  /** Draws the list so many times; each time another row of it is new, as in a log that runs. */
  async draw(times: number) {
    for (let at = 0; at < times; at += 1) {
      rows.value = rows.value.with((at * 7) % ROWS, newRow());
      await new Promise((drawn) => setTimeout(drawn));
    }
    return document.querySelectorAll('p').length;
  },
  /** How many of all rows that were ever drawn are still held by something. */
  held: () => made.filter((row) => row.deref() !== undefined).length,
};
declare global {
  interface Window {
    kept: typeof kept;
  }
}
window.kept = kept;

forgetEarlierDrawings();
// A component in the children of an element is held by them as it was drawn first.
render(
  <main>
    <List />
  </main>,
  document.getElementById('app')!,
);

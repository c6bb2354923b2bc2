import { connection } from '../shell/connection.ts';
import { visibleText } from '../text/visible-text.ts';
import { explainGap } from './gap-explained.ts';
import type { GapRow } from './gap-rows.ts';

interface GapExplanationProps {
  readonly row: GapRow;
  onProof(): void;
  onClose(): void;
}

/** What is missing in a gap, what that means, and what to do. */
export function GapExplanation({ row, onProof, onClose }: GapExplanationProps) {
  const { title, facts, meaning, outlook, advice } = explainGap(row, connection().clock.now.value);
  return (
    <div class="gap-explained">
      <h2 class={row.state === 'recovered' ? '' : 'warn'}>{title}</h2>
      <dl>
        {facts.map(([name, fact]) => (
          <div key={name}>
            <dt>{name}</dt>
            <dd>
              <bdi>{visibleText(fact)}</bdi>
            </dd>
          </div>
        ))}
      </dl>
      <p>{meaning}</p>
      <p>{outlook}</p>
      <p>{advice}</p>
      <p class="gap-explained-end">
        <button type="button" onClick={onProof}>
          Proof of what arrived
        </button>
        <button type="button" onClick={onClose}>
          Close <kbd>esc</kbd>
        </button>
      </p>
    </div>
  );
}

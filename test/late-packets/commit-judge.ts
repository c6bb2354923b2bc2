/** What is known of one commit. Its record in every partition has its label as value. */
export interface Round {
  readonly label: string;
  outcome: 'running' | 'resolved' | 'rejected';
  /** Whether the broker was ever asked to commit it. */
  isAsked: boolean;
}

/**
 * Judges what is visible at any moment: nothing of a commit before the broker was asked for it, and nothing twice.
 * Between the partitions a commit becomes visible one after the other, so wholeness is judged at the end.
 */
export function judgeNow(rounds: readonly Round[], visible: readonly (readonly string[])[]): string[] {
  const violations: string[] = [];
  for (const [partition, labels] of visible.entries()) {
    const seen = new Set<string>();
    for (const label of labels) {
      if (seen.has(label)) violations.push(`${label} is twice in ${partition}`);
      seen.add(label);
      const round = rounds.find((one) => one.label === label);
      if (round === undefined) violations.push(`${label} in ${partition} is of nobody`);
      else if (!round.isAsked) violations.push(`${label} is visible in ${partition} before its commit`);
    }
  }
  return violations;
}

/** Judges what is visible when everything is decided: each commit is whole or absent, and there if it resolved. */
export function judgeEnd(rounds: readonly Round[], visible: readonly (readonly string[])[]): string[] {
  const violations = judgeNow(rounds, visible);
  for (const { label, outcome } of rounds) {
    const holding = visible.filter((labels) => labels.includes(label)).length;
    if (holding !== 0 && holding !== visible.length) {
      violations.push(`${label} (${outcome}) is torn: in ${holding} of ${visible.length} partitions`);
    }
    if (outcome === 'resolved' && holding === 0) violations.push(`${label} resolved and is absent`);
  }
  const order = rounds.map(({ label }) => label);
  for (const [partition, labels] of visible.entries()) {
    const places = labels.map((label) => order.indexOf(label));
    if (places.some((place, index) => index > 0 && place < places[index - 1]!)) {
      violations.push(`${partition} is out of order: ${labels.join(', ')}`);
    }
  }
  return violations;
}

import { printable } from '@runlog/service-kit/printable';
import type { Finding, Report, Status } from './finding.ts';

const MARK: Readonly<Record<Status, string>> = {
  ok: 'ok  ',
  warning: 'warn',
  failed: 'FAIL',
  skipped: 'skip',
};

/** Formats a line a finding under the name of its group, beneath it what to do, and a line that sums up. */
export function reportText(report: Report): string {
  const lines: string[] = [];
  let group: string | null = null;
  for (const finding of report.checks) {
    if (finding.group !== group) lines.push(finding.group);
    group = finding.group;
    lines.push(...findingLines(finding));
  }
  return `${[...lines, summaryLine(report)].join('\n')}\n`;
}

function findingLines({ status, name, message, remedy = [] }: Finding): string[] {
  // Some messages begin with what they are about.
  const text = message.startsWith(name) ? message : `${name}: ${message}`;
  const what = `  ${MARK[status]}  ${printable(text)}`;
  return [what, ...remedy.map((command) => `          ${printable(command)}`)];
}

function summaryLine({ ok, summary }: Report): string {
  const { ok: well, warnings, failed, skipped } = summary;
  const counts = `${well} ok, ${plural(warnings, 'warning')}, ${failed} failed, ${skipped} skipped`;
  return `${ok ? 'OK' : 'FAILED'}: ${counts}`;
}

function plural(count: number, what: string): string {
  return `${count} ${what}${count === 1 ? '' : 's'}`;
}

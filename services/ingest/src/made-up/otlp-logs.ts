/** A request of OTLP in JSON, for tests: the records of one resource and one scope. */
export function logsOf(
  records: readonly Readonly<Record<string, unknown>>[],
  resource: Readonly<Record<string, string>> = {},
): Record<string, unknown> {
  return {
    resourceLogs: [
      {
        resource: { attributes: Object.entries(resource).map(([key, value]) => attribute(key, value)) },
        scopeLogs: [{ scope: { name: 'test', version: '1' }, logRecords: records }],
      },
    ],
  };
}

export function attribute(key: string, value: string | number): Record<string, unknown> {
  return { key, value: typeof value === 'string' ? { stringValue: value } : { doubleValue: value } };
}

/** A log record with a time of its own. */
export function logRecord(at: number, more: Readonly<Record<string, unknown>> = {}): Record<string, unknown> {
  return {
    timeUnixNano: String(1_767_484_787_000_000_001n + BigInt(at) * 1_000_000n),
    severityNumber: 9,
    severityText: 'INFO',
    body: { stringValue: `line ${at}` },
    ...more,
  };
}

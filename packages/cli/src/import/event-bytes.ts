/** Writes an event as JSON. What JSON has no number for is written as ingest stores it: as text. */
export function eventBytes(event: Readonly<Record<string, unknown>>): Buffer {
  const text = JSON.stringify(event, (_name, value: unknown) =>
    typeof value === 'number' && !Number.isFinite(value) ? String(value) : value,
  );
  return Buffer.from(text);
}

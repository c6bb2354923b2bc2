/** Writes the command that reads the state of a run, as of an event if one is named. It is to be pasted into a shell. */
export function curlLine(of: {
  /** The page's own address, with the `/` at its end. */
  readonly url: string;
  readonly key: string;
  readonly at: number | null;
  readonly needsKey: boolean;
}): string {
  const { url, key, at, needsKey } = of;
  const address = `${url}v1/runs/${key}${at === null ? '' : `?at=${at}`}`;
  const header = needsKey ? ` -H "Authorization: Bearer $RUNLOG_KEY"` : '';
  return `curl -s${header} '${address.replaceAll("'", '%27')}'`;
}

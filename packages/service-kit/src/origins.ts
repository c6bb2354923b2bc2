/** Returns what is wrong with a variable that lists origins; `*` stands for any. */
export function originFaults(variable: string, origins: readonly string[] = []): string[] {
  return origins
    .filter((origin) => origin !== '*' && !isOrigin(origin))
    .map((origin) => `${variable} holds "${origin}": an origin is like https://board.example:8443`);
}

/** A host may hold a semicolon, by the rules of URLs, but such a one would end a part of a Content-Security-Policy. */
function isOrigin(text: string): boolean {
  return URL.canParse(text) && new URL(text).origin === text && /^https?:\/\/[\w.[\]:-]+$/.test(text);
}

// A tarball install has no npm links for runlog's own packages. There `@runlog/NAME/FILE` is FILE.ts of packages/NAME
// or services/NAME, next to this file. In a checkout the links come first.
import { existsSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

const root = new URL('../../../', import.meta.url);

/** Is passed to `module.registerHooks`, where it exists. */
export function resolveSync(specifier, context, next) {
  try {
    return next(specifier, context);
  } catch (error) {
    return next(ownFile(specifier, error), context);
  }
}

/** Is loaded by `module.register`, which Node 26 deprecates and older versions need. */
export async function resolve(specifier, context, next) {
  try {
    return await next(specifier, context);
  } catch (error) {
    return await next(ownFile(specifier, error), context);
  }
}

/** Returns the URL of a file of our own packages. If there is none, it throws the error of the search for the links. */
function ownFile(specifier, error) {
  const [, name, file] = /^@runlog\/([^/]+)\/(.+)$/.exec(specifier) ?? [];
  if (name === undefined) throw error;
  for (const place of ['packages', 'services']) {
    const url = new URL(`${place}/${name}/src/${file}.ts`, root);
    if (existsSync(fileURLToPath(url))) return url.href;
  }
  throw error;
}

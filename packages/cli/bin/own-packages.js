// Where runlog is installed from its tarball, npm has made no links for its own packages: `@runlog/NAME/FILE` is
// FILE.ts of packages/NAME or services/NAME beside this file. In a checkout the links come first.
import { existsSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

const root = new URL('../../../', import.meta.url);

/** For `module.registerHooks`, where it exists. */
export function resolveSync(specifier, context, next) {
  try {
    return next(specifier, context);
  } catch (error) {
    return next(ownFile(specifier, error), context);
  }
}

/** For `module.register`, which Node 26 deprecates and older ones need. */
export async function resolve(specifier, context, next) {
  try {
    return await next(specifier, context);
  } catch (error) {
    return await next(ownFile(specifier, error), context);
  }
}

/** URL of a file of our own packages; throws what the search for the links threw where there is none. */
function ownFile(specifier, error) {
  const [, name, file] = /^@runlog\/([^/]+)\/(.+)$/.exec(specifier) ?? [];
  if (name === undefined) throw error;
  for (const place of ['packages', 'services']) {
    const url = new URL(`${place}/${name}/src/${file}.ts`, root);
    if (existsSync(fileURLToPath(url))) return url.href;
  }
  throw error;
}

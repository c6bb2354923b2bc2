// Where runlog is installed from its tarball, npm has made no links for its own packages: `@runlog/NAME/FILE` is
// FILE.ts of packages/NAME or services/NAME beside this file. In a checkout the links come first.
import { existsSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

const root = new URL('../../../', import.meta.url);

export async function resolve(specifier, context, next) {
  try {
    return await next(specifier, context);
  } catch (error) {
    const [, name, file] = /^@runlog\/([^/]+)\/(.+)$/.exec(specifier) ?? [];
    if (name === undefined) throw error;
    for (const place of ['packages', 'services']) {
      const url = new URL(`${place}/${name}/src/${file}.ts`, root);
      if (existsSync(fileURLToPath(url))) return await next(url.href, context);
    }
    throw error;
  }
}

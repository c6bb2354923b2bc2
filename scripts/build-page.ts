/** Bundles the page into services/gateway/dist/page, which a tarball brings along. `npm pack` does this first. */
import { mkdir, rm, writeFile } from 'node:fs/promises';
import { bundlePage } from '@runlog/gateway/http/bundle-page';
import { builtPageFolder } from '@runlog/gateway/http/page-files';

const { html, assets } = await bundlePage();
await rm(builtPageFolder, { recursive: true, force: true });
await mkdir(new URL('assets/', builtPageFolder), { recursive: true });
await writeFile(new URL('index.html', builtPageFolder), html);
for (const [file, body] of assets) await writeFile(new URL(`assets/${file}`, builtPageFolder), body);

#!/usr/bin/env node
// This is plain JavaScript that any Node can parse, so that a user of an old one reads what is wrong instead of a
// syntax error.
const [major, minor] = process.versions.node.split('.').map(Number);
if (major < 20 || (major === 20 && minor < 19)) {
  process.stderr.write(`runlog needs Node 20.19 or newer; this is ${process.versions.node}\n`);
  process.exit(1);
}

const { register, registerHooks } = await import('node:module');
// Node 20 has only `register`; Node 26 warns about it.
if (registerHooks === undefined) register('./own-packages.js', import.meta.url);
else registerHooks({ resolve: (await import('./own-packages.js')).resolveSync });
const tsx = await import('tsx/esm/api');
tsx.register();
const { main } = await import('../src/main.ts');
await main(process.argv.slice(2));

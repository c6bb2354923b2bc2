import { cp, mkdir, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const FONTS = ['DejaVuSans.ttf', 'DejaVuSans-Bold.ttf', 'DejaVuSansMono.ttf', 'DejaVuSansMono-Bold.ttf'];

/**
 * Makes DejaVu, from npm, the only fonts that one browser finds on the machine: pictures look the same wherever they are
 * taken, and the page itself loads no font. Returns the browser's environment.
 */
export async function pictureFonts(work: string): Promise<Record<string, string>> {
  const from = join(dirname(fileURLToPath(import.meta.resolve('dejavu-fonts-ttf/package.json'))), 'ttf');
  const to = join(work, 'fonts');
  await mkdir(to);
  for (const font of FONTS) await cp(join(from, font), join(to, font));
  const prefers = (family: string, font: string) =>
    `<match target="pattern"><test name="family"><string>${family}</string></test><edit name="family" mode="prepend" binding="strong"><string>${font}</string></edit></match>`;
  const file = join(work, 'fonts.conf');
  await writeFile(
    file,
    [
      '<?xml version="1.0"?><!DOCTYPE fontconfig SYSTEM "fonts.dtd"><fontconfig>',
      `<dir>${to}</dir><cachedir>${join(work, 'fonts-cache')}</cachedir>`,
      prefers('monospace', 'DejaVu Sans Mono'),
      ...['sans-serif', 'system-ui'].map((family) => prefers(family, 'DejaVu Sans')),
      '</fontconfig>\n',
    ].join('\n'),
  );
  return { FONTCONFIG_FILE: file };
}

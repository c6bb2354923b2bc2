import { writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

/**
 * Makes DejaVu, from npm, the fonts of the machine for one browser: pictures look the same wherever they are taken, and the
 * page itself loads no font. Returns the browser's environment.
 */
export async function pictureFonts(folder: string): Promise<Record<string, string>> {
  const fonts = join(dirname(fileURLToPath(import.meta.resolve('dejavu-fonts-ttf/package.json'))), 'ttf');
  const file = join(folder, 'fonts.conf');
  const prefers = (family: string, font: string) =>
    `<match target="pattern"><test name="family"><string>${family}</string></test><edit name="family" mode="prepend" binding="strong"><string>${font}</string></edit></match>`;
  await writeFile(
    file,
    [
      '<?xml version="1.0"?><!DOCTYPE fontconfig SYSTEM "fonts.dtd"><fontconfig>',
      `<dir>${fonts}</dir><cachedir>${join(folder, 'fonts-cache')}</cachedir>`,
      // Whatever is asked for, nothing else is there to be taken.
      `<selectfont><rejectfont><glob>${fonts}/*Serif*</glob><glob>${fonts}/*Condensed*</glob><glob>${fonts}/*Math*</glob><glob>${fonts}/*ExtraLight*</glob></rejectfont></selectfont>`,
      prefers('monospace', 'DejaVu Sans Mono'),
      ...['sans-serif', 'system-ui'].map((family) => prefers(family, 'DejaVu Sans')),
      '</fontconfig>\n',
    ].join('\n'),
  );
  return { FONTCONFIG_FILE: file };
}

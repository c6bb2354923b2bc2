/** Takes pictures of every view of the page, in both themes and at three widths, over data that are the same each time. */
import { mkdir, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { launchChromium } from '../test/support/chromium.ts';
import { PICTURE_WIDTHS, type PictureShape, pictureTheView, THEMES } from './pictures/picture.ts';
import { pictureFonts } from './pictures/picture-fonts.ts';
import { pictureViews } from './pictures/picture-views.ts';
import { openScene } from './pictures/scene.ts';

const USAGE = `npm run pictures -- [--to FOLDER] [--only NAMES] [--themes dark,light] [--widths 1400,1100,380]
npm run pictures -- --docs

Starts gateways over runs that are made the same each time, and takes a picture of every view as NAME-THEME-WIDTH.png. FOLDER
is made below the system's folder for temporary files if none is named. NAMES are beginnings of names, with commas between
them. --docs takes those of the documents and puts them into docs/. --list prints the names.
`;

/** The pictures of the documents, by their file in docs/. */
const documented: Readonly<Record<string, { view: string } & PictureShape>> = {
  'page.png': { view: 'run-live', theme: 'dark', width: 1_400 },
  'fleet.png': { view: 'fleet-71', theme: 'dark', width: 1_400 },
  'compare.png': { view: 'compare', theme: 'dark', width: 1_400 },
  'travel.png': { view: 'run-travel', theme: 'dark', width: 1_400 },
  'light.png': { view: 'run-proof', theme: 'light', width: 1_400 },
  'phone.png': { view: 'fleet-71', theme: 'dark', width: 380 },
};

const { values } = parseArgs({
  options: {
    to: { type: 'string' },
    only: { type: 'string', default: '' },
    themes: { type: 'string', default: THEMES.join(',') },
    widths: { type: 'string', default: PICTURE_WIDTHS.join(',') },
    docs: { type: 'boolean', default: false },
    list: { type: 'boolean', default: false },
    help: { type: 'boolean', default: false },
  },
});

if (values.help) process.stdout.write(USAGE);
else if (values.list) process.stdout.write(`${pictureViews.map(({ name }) => name).join('\n')}\n`);
else await takePictures();

async function takePictures(): Promise<void> {
  const folder = values.docs
    ? fileURLToPath(new URL('../docs', import.meta.url))
    : (values.to ?? (await mkdtemp(join(tmpdir(), 'runlog-pictures-'))));
  await mkdir(folder, { recursive: true });
  const work = await mkdtemp(join(tmpdir(), 'runlog-picture-work-'));
  const browser = await launchChromium({ env: await pictureFonts(work) });
  try {
    const views = pictureViews.filter(({ name }) => shapesOf(name).length > 0);
    for (const scene of new Set(views.map(({ scene }) => scene))) {
      await using gateway = await openScene(scene, work);
      for (const view of views.filter((each) => each.scene === scene)) {
        const shapes = shapesOf(view.name);
        const faults = await pictureTheView(view, { browser, gateway, folder, shapes });
        process.stdout.write(`${[view.name, ...faults].join('\n  ')}\n`);
      }
    }
  } finally {
    await browser.close();
    await rm(work, { recursive: true, force: true });
  }
  process.stdout.write(`${folder}\n`);
}

/** The pictures of a view that are asked for, with their files. */
function shapesOf(view: string): (PictureShape & { file: string })[] {
  if (values.docs) {
    return Object.entries(documented).flatMap(([file, of]) => (of.view === view ? [{ ...of, file }] : []));
  }
  if (!values.only.split(',').some((beginning) => view.startsWith(beginning))) return [];
  return THEMES.filter((theme) => values.themes.split(',').includes(theme)).flatMap((theme) =>
    values.widths
      .split(',')
      .map((width) => ({ theme, width: Number(width), file: `${view}-${theme}-${width}.png` })),
  );
}

import type { Page } from 'playwright-core';

/** The log of a run's view. */
export const logOf = (page: Page) => page.getByRole('grid', { name: 'Events, oldest first' });

/** A row of the log by a part of its text. */
export const rowOf = (page: Page, text: string | RegExp) =>
  logOf(page).getByRole('row').filter({ hasText: text });

/** The texts of the rows that are in the page, from top to bottom. */
export const rowTexts = (page: Page): Promise<string[]> =>
  logOf(page).evaluate((grid) =>
    [...grid.querySelectorAll('[role=row]')]
      .sort((one, other) => Number(one.ariaRowIndex) - Number(other.ariaRowIndex))
      .map((row) =>
        [...row.querySelectorAll('[role=gridcell]')]
          .map((cell) => cell.textContent?.trim() ?? '')
          .filter((text) => text !== '')
          .join(' '),
      ),
  );

/** The texts of the rows that are in view, from top to bottom, with the date that stands above them. */
export const rowTextsInView = (page: Page): Promise<string[]> =>
  logOf(page).evaluate((grid) => {
    const frame = grid.parentElement!;
    const { top, bottom } = frame.getBoundingClientRect();
    return [...frame.querySelectorAll('.line')]
      .map((row) => ({ row, box: row.getBoundingClientRect() }))
      .filter(({ box }) => (box.top + box.bottom) / 2 > top && (box.top + box.bottom) / 2 < bottom)
      .sort((one, other) => one.box.top - other.box.top)
      .map(({ row }) => [...row.children].map((cell) => cell.textContent?.trim()).join(' '));
  });

/** Scrolls the log by so many of its heights; the beginning and the end are as far as it goes. */
export const scrollLog = (page: Page, heights: number) =>
  logOf(page).evaluate((list, by) => {
    list.scrollTop += by * list.clientHeight;
  }, heights);

/** A figure of the header, by the name that stands before it. */
export const figureOf = (page: Page, name: string) =>
  page
    .locator('dt')
    .filter({ hasText: new RegExp(`^${name}$`) })
    .locator('xpath=following-sibling::dd')
    .innerText();

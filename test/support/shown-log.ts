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

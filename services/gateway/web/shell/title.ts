import { useEffect } from 'preact/hooks';
import { visibleText } from '../text/visible-text.ts';

/** `✗ failed · run · runlog`. Parts that are empty are left out. */
export function titleOf(parts: readonly string[]): string {
  return [...parts, 'runlog']
    .filter((part) => part !== '')
    .map(visibleText)
    .join(' · ');
}

/** Has the page's title say this for as long as the component is in the page. */
export function useTitle(...parts: readonly string[]): void {
  const title = titleOf(parts);
  useEffect(() => {
    document.title = title;
    return () => {
      document.title = titleOf([]);
    };
  }, [title]);
}

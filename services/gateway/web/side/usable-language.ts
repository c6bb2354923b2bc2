/**
 * Loaded before uPlot, which makes a number format for the browser's language as soon as it is loaded. In a container without a
 * locale Chromium calls it `en-US@posix`, which no format takes, and the whole page would not start.
 */
try {
  new Intl.NumberFormat(navigator.language);
} catch {
  Object.defineProperty(navigator, 'language', { value: 'en-US', configurable: true });
}

import { useEffect, useState } from 'preact/hooks';

/** Returns whether lines can be told apart by colours. Where the system forces its own, they cannot. */
export function useHasColours(): boolean {
  const [hasColours, setHasColours] = useState(() => !matchMedia('(forced-colors: active)').matches);
  useEffect(() => {
    const query = matchMedia('(forced-colors: active)');
    const read = () => setHasColours(!query.matches);
    query.addEventListener('change', read);
    return () => query.removeEventListener('change', read);
  }, []);
  return hasColours;
}

import { formatAddress } from './address.ts';
import { route } from './route.ts';

/** The way out of the page of somebody else: the same view, whole. It opens beside the page that has the frame. */
export function LinkOut() {
  const address = route.value;
  if (!address.embed) return null;
  return (
    <a
      class="link-out"
      href={`./${formatAddress({ ...address, embed: false })}`}
      target="_blank"
      rel="noopener"
    >
      open in runlog
    </a>
  );
}

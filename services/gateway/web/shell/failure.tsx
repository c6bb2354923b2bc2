import { visibleText } from '../text/visible-text.ts';
import { fleetAddress } from './address.ts';
import { connection } from './connection.ts';
import { linkTo } from './route.ts';

/** Why the page cannot show what its address says. */
export type PageFailure =
  | { readonly kind: 'unknown_address'; readonly text: string }
  | { readonly kind: 'name_too_long'; readonly text: string }
  | { readonly kind: 'unknown_run'; readonly key: string }
  | { readonly kind: 'deleted'; readonly key: string }
  | { readonly kind: 'forbidden'; readonly key: string; readonly message: string }
  | { readonly kind: 'refused_origin'; readonly message: string }
  | { readonly kind: 'server_away' };

/** One sentence that says what is wrong, and one action. */
export function Failure({ of }: { of: PageFailure }) {
  const { title, sentence } = describeFailure(of);
  return (
    <section class="failure" role="alert">
      <h1>{title}</h1>
      <p>
        <bdi>{sentence}</bdi>
      </p>
      <p>
        <Action of={of} />
      </p>
    </section>
  );
}

function Action({ of }: { of: PageFailure }) {
  switch (of.kind) {
    case 'server_away':
      return (
        <button type="button" onClick={() => connection().reconnectNow()}>
          Try now
        </button>
      );
    case 'refused_origin':
      return (
        <button type="button" onClick={() => location.reload()}>
          Try again
        </button>
      );
    default:
      return (
        <a class="button" href={linkTo(fleetAddress())}>
          See all runs
        </a>
      );
  }
}

/** The words of a failure. */
export function describeFailure(of: PageFailure): { readonly title: string; readonly sentence: string } {
  switch (of.kind) {
    case 'unknown_address':
      return {
        title: 'No such page',
        sentence: `“${shortened(of.text)}” is no address of this page: a run has one like #cluster/run/group.`,
      };
    case 'name_too_long':
      return {
        title: 'No run has such a name',
        sentence: `A part of “${shortened(of.text)}” is longer than the 64 characters that a name may have.`,
      };
    case 'unknown_run':
      return {
        title: 'No such run yet',
        sentence: `${of.key} has sent no event, or was deleted; it appears here with its first one.`,
      };
    case 'deleted':
      return {
        title: 'Deleted',
        sentence: `${of.key} was deleted while it was shown; if it begins anew, it appears here.`,
      };
    case 'forbidden':
      return {
        title: 'Not for this key',
        sentence: `The gateway does not show ${of.key}: ${shortened(of.message)}.`,
      };
    case 'refused_origin':
      return {
        title: 'This address may not read from the gateway',
        sentence: `The gateway says: ${visibleText(of.message)}.`,
      };
    case 'server_away':
      return {
        title: 'The gateway does not answer',
        sentence: 'Nobody answers at the address of this page; it goes on trying by itself.',
      };
    default: {
      const unreachable: never = of;
      throw new Error(`unknown failure ${String(unreachable)}`);
    }
  }
}

const CHARS_MAX = 200;

function shortened(text: string): string {
  const shown = visibleText(text);
  return shown.length > CHARS_MAX ? `${shown.slice(0, CHARS_MAX)}…` : shown;
}

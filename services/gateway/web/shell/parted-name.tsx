import { nameParts } from '../text/names.ts';

/** A name that is cut, where there is no room, so that it can be told from the names around it. */
export function PartedName({
  name,
  others,
  kind,
}: {
  name: string;
  others?: Iterable<string>;
  kind?: string;
}) {
  return (
    <bdi class={kind === undefined ? 'name' : `name ${kind}`} title={name}>
      {nameParts(name, others).map(({ text, isKept }, at) => (
        <span key={at} class={isKept ? undefined : 'name-cut'}>
          {text}
        </span>
      ))}
    </bdi>
  );
}

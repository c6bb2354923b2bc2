import { messageOf } from '@runlog/topic-io/error-message';
import { readSecret } from '@runlog/topic-io/kafka/secrets';

/** Says what is wrong with a secret that may be in its variable or in the file that `…_FILE` names. */
export function secretFileFault(name: string, variables: Readonly<Record<string, unknown>>): string | null {
  const file = variables[`${name}_FILE`];
  if (typeof file !== 'string') return null;
  if (variables[name] !== undefined) return `${name} and ${name}_FILE are both set: set one of them`;
  try {
    readSecret({ file });
    return null;
  } catch (error) {
    return `${name}_FILE=${file} cannot be used: ${messageOf(error)}`;
  }
}

/**
 * Returns a function that gives the secret of a variable, or of its file as that is now, which `secretFileFault` has accepted.
 * While the file is being replaced, the former secret stays.
 */
export function followedSecret(
  value: string | undefined,
  file: string | undefined,
): () => string | undefined {
  if (file === undefined) return () => value;
  let known = readSecret({ file });
  return () => {
    try {
      known = readSecret({ file });
    } catch {
      // It is missing or empty for a moment.
    }
    return known;
  };
}

import { z } from 'zod';

/** The types of configuration values, parsed from the text of the environment. A range is part of its message. */
export const environment = {
  text: () => z.string().min(1),
  host: () => z.string().min(1),
  /** Port 0 means any free port. */
  port: () => integer(0, 65_535),
  integer,
  /** An address, without the slashes at its end. */
  url: (example: string) =>
    z
      .url({ protocol: /^https?$/, error: `must be an http or https URL, such as ${example}` })
      .transform((text) => text.replace(/\/+$/, '')),
  flag: () =>
    z
      .enum(['true', 'false', '1', '0'], { error: 'must be true or false' })
      .transform((value) => value === 'true' || value === '1'),
  list: () =>
    z
      .string()
      .transform((value) =>
        value
          .split(',')
          .map((part) => part.trim())
          .filter((part) => part !== ''),
      )
      .refine((parts) => parts.length > 0, 'must be a comma-separated list'),
};

function integer(min: number, max: number) {
  return z
    .string()
    .regex(/^\d{1,15}$/, `must be a whole number from ${min} to ${max}`)
    .transform(Number)
    .refine((value) => value >= min && value <= max, `must be a whole number from ${min} to ${max}`);
}

/** Every fault of the environment at once. `main` prints it and exits with 2. */
export class ConfigError extends Error {
  readonly faults: readonly string[];

  constructor(faults: readonly string[]) {
    super(`configuration: ${faults.join('; ')}`);
    this.name = 'ConfigError';
    this.faults = faults;
  }
}

/** Formats every fault on a line of its own, for a person. */
export function describeConfigError(error: ConfigError): string {
  return `configuration is not usable:\n${error.faults.map((fault) => `  - ${fault}\n`).join('')}`;
}

/** Parses the environment by a schema whose keys are variable names. An empty variable counts as not set. */
export function readConfig<Schema extends z.ZodType>(
  schema: Schema,
  env: Readonly<Record<string, string | undefined>>,
): z.infer<Schema> {
  const set = Object.fromEntries(
    Object.entries(env).filter(([, value]) => value !== undefined && value !== ''),
  );
  const result = schema.safeParse(set);
  if (result.success) return result.data;
  throw new ConfigError(
    result.error.issues.map((issue) => {
      const name = issue.path.join('.');
      const sent = set[name];
      const received = sent === undefined || isSecret(name) ? '' : ` (is "${sent}")`;
      return `${name === '' ? '' : `${name} `}${issue.message}${received}`;
    }),
  );
}

/**
 * Does the same, and adds the faults that only several variables together show. These are reported even if other
 * variables cannot be read, unless they name one of those.
 */
export function readCheckedConfig<Schema extends z.ZodType>(
  schema: Schema,
  env: Readonly<Record<string, string | undefined>>,
  faultsOf: (variables: z.infer<Schema>) => readonly string[],
): z.infer<Schema> {
  let unreadable: readonly string[] = [];
  let readable = env;
  try {
    readConfig(schema, env);
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error;
    unreadable = error.faults;
    const names = new Set(unreadable.map(nameIn));
    readable = Object.fromEntries(Object.entries(env).filter(([name]) => !names.has(name)));
  }
  const variables = readConfig(schema, readable);
  const names = unreadable.map(nameIn);
  const together = faultsOf(variables).filter((fault) => !names.some((name) => fault.includes(name)));
  const faults = [...new Set([...unreadable, ...together])];
  if (faults.length > 0) throw new ConfigError(faults);
  return variables;
}

function nameIn(fault: string): string {
  return fault.split(' ')[0]!;
}

export function isSecret(name: string): boolean {
  return /PASSWORD|PASSPHRASE|SECRET|TOKEN|_KEY$/.test(name) && !name.endsWith('_FILE');
}

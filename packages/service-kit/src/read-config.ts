import { z } from 'zod';

/** Environment values are text; these are the shapes configuration is made of. Ranges are part of the message. */
export const environment = {
  text: () => z.string().min(1),
  host: () => z.string().min(1),
  /** 0 = any free port. */
  port: () => integer(0, 65_535),
  integer,
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

/** Every fault of the environment at once; `main` prints it and exits 2. */
export class ConfigError extends Error {
  readonly faults: readonly string[];

  constructor(faults: readonly string[]) {
    super(`configuration: ${faults.join('; ')}`);
    this.name = 'ConfigError';
    this.faults = faults;
  }
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

function isSecret(name: string): boolean {
  return /PASSWORD|SECRET|TOKEN|_KEY$/.test(name);
}

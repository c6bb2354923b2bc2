/** The settings that bound what a broker takes at once: it refuses a batch that is larger, or that no segment can hold. */
const BOUNDING = ['max.message.bytes', 'segment.bytes'] as const;

/** How large a batch of records may be, as the topic's settings say. One record alone is a batch too. */
export interface BatchBound {
  /** Infinity if the settings do not say. */
  readonly bytesMax: number;
  readonly setting: (typeof BOUNDING)[number] | null;
}

export function batchBoundOf(settings: Readonly<Record<string, string>>): BatchBound {
  const unbounded: BatchBound = { bytesMax: Number.POSITIVE_INFINITY, setting: null };
  return BOUNDING.reduce((least, setting) => {
    const bytesMax = Number(settings[setting] ?? Number.NaN);
    return bytesMax < least.bytesMax ? { bytesMax, setting } : least;
  }, unbounded);
}

/** Where an administrator's command goes. */
export interface AdminAccess {
  readonly brokers: readonly string[];
  /** Whether clients must prove who they are, and so the administrator too. */
  readonly commandConfig: boolean;
}

const SOMEWHERE: AdminAccess = { brokers: ['HOST:9092'], commandConfig: false };

/** Returns the beginning of a command of Kafka's own tools. */
export function adminTool(tool: string, { brokers, commandConfig }: AdminAccess): string {
  const config = commandConfig ? ' --command-config admin.properties' : '';
  return `${tool} --bootstrap-server ${brokers.join(',')}${config}`;
}

/** Returns the command by which an administrator changes settings of a topic. */
export function alterCommand(
  topic: string,
  settings: Readonly<Record<string, string>>,
  access: AdminAccess = SOMEWHERE,
): string {
  const added = Object.entries(settings).map(([name, value]) =>
    value.includes(',') ? `${name}=[${value}]` : `${name}=${value}`,
  );
  return (
    `${adminTool('kafka-configs.sh', access)} --alter --entity-type topics ` +
    `--entity-name ${topic} --add-config ${added.join(',')}`
  );
}

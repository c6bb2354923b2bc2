import { ConfigResourceTypes, Kafka, logLevel } from 'kafkajs';

/** Does what an administrator does with `kafka-configs.sh --alter`: from then on the topic has exactly these settings. */
export async function alterTopic(
  brokers: readonly string[],
  topic: string,
  settings: Readonly<Record<string, string>>,
): Promise<void> {
  const kafka = new Kafka({ brokers: [...brokers], clientId: 'by-hand', logLevel: logLevel.NOTHING });
  const admin = kafka.admin();
  await admin.connect();
  try {
    const configEntries = Object.entries(settings).map(([name, value]) => ({ name, value }));
    await admin.alterConfigs({
      validateOnly: false,
      resources: [{ type: ConfigResourceTypes.TOPIC, name: topic, configEntries }],
    });
  } finally {
    await admin.disconnect();
  }
}

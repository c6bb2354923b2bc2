import { z } from 'zod';

/** OTLP in JSON, as far as this service says what it wants; unknown fields are ignored. */
const attributeSchema = z.object({ key: z.string().optional(), value: z.object({}).nullish() });
const attributes = z.array(attributeSchema).nullish();
const nanoseconds = z.union([z.string().regex(/^\d{0,20}$/), z.int().min(0)]).nullish();

export const logRecordSchema = z.object({
  timeUnixNano: nanoseconds,
  observedTimeUnixNano: nanoseconds,
  severityNumber: z.union([z.int(), z.string()]).nullish(),
  severityText: z.string().nullish(),
  body: z.object({}).nullish(),
  attributes,
  traceId: z.string().nullish(),
  spanId: z.string().nullish(),
  eventName: z.string().nullish(),
});

const someLogs = z.object({
  resourceLogs: z
    .array(
      z.object({
        resource: z.object({ attributes }).nullish(),
        scopeLogs: z
          .array(
            z.object({
              scope: z
                .object({ name: z.string().nullish(), version: z.string().nullish(), attributes })
                .nullish(),
              logRecords: z.array(logRecordSchema).nullish(),
            }),
          )
          .nullish(),
      }),
    )
    .nullable(),
});

/** An ExportLogsServiceRequest. One that has members, and no logs among them, is none. */
export const exportLogsRequestSchema = z.union([someLogs, z.strictObject({})]);

/** An ExportLogsServiceResponse. `partialSuccess` counts what was refused for good and is among the rejected events. */
export const exportLogsResponseSchema = z.object({
  partialSuccess: z.object({ rejectedLogRecords: z.string(), errorMessage: z.string() }).optional(),
});

/** A google.rpc.Status. Its message begins with the code of the fault. */
export const rpcStatusSchema = z.object({ code: z.int(), message: z.string() });

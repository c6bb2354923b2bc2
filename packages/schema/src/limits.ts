/** Every bound of runlog that more than one package knows, with its unit and where it comes from. */

const KIB = 1024;
const MIB = 1024 * KIB;

// --- what an emitter may send ---
/** The largest request body, before and after inflation. */
export const BODY_BYTES_MAX = 4 * MIB;
export const BODY_EVENTS_MAX = 1_000;
/** Far below the broker's `max.message.bytes` of 1 MiB, so that no accepted event can be refused by the broker. */
export const EVENT_BYTES_MAX = 256 * KIB;
export const EVENT_DEPTH_MAX = 64;
export const EVENT_ID_CHARS_MAX = 128;
/** A million events a second for twelve days. Sums over emitters stay exact integers. */
export const EMITTER_SEQ_MAX = 2 ** 40;
/** The number of rejected events that `errors` of an answer lists. Any others are counted. */
export const ERRORS_LISTED_MAX = 100;
/** The bytes of bodies that are read and not yet answered, of all requests. Beyond this ingest answers 503. */
export const INGEST_BYTES_IN_FLIGHT_MAX = 64 * MIB;
/** The bytes that the topic of rejected events keeps of each. */
export const REJECTED_BYTES_MAX = 64 * KIB;

// --- what a snapshot may hold: together below 512 KiB for any input (evolve.test.ts in run-state) ---
export const EVENT_LOG_ENTRIES_MAX = 100;
export const MILESTONES_MAX = 100;
/** The limit is in bytes of JSON, including the ellipsis. */
export const MESSAGE_BYTES_MAX = 1 * KIB;
export const METADATA_CHARS_MAX = 256;
/** The limit is in bytes of JSON: 256 characters of ASCII fit, but 256 control characters (six bytes each) do not. */
export const METADATA_BYTES_MAX = 288;
export const SLOT_IDS_MAX = 256;
export const SLOT_ID_CHARS_MAX = 64;
export const EVENT_TYPES_MAX = 64;
export const EMITTERS_MAX = 64;
export const EMITTER_GAPS_MAX = 20;
/** The window covers the largest body, so a body that is sent again as a whole is recognised as a whole. */
export const EVENT_ID_WINDOW = BODY_EVENTS_MAX + 24;
export const ACTIVITY_BUCKET_SECONDS = 10;
export const ACTIVITY_BUCKETS_MAX = 60;

// --- the stream protocol ---
export const STREAM_FRAME_BYTES_MAX = 64 * KIB;
export const STREAM_CHANNELS_MAX = 1_000;
export const STREAM_INDEX_ROWS_MAX = 1_000;
/** The bytes that a socket may have unsent before its channels are marked as behind instead of queued. */
export const STREAM_QUEUE_BYTES_HIGH = 256 * KIB;
/** How long a socket may stay above the mark before it is closed as a slow client. */
export const STREAM_STUCK_MS_MAX = 30_000;
export const STREAM_HEARTBEAT_MS = 25_000;
export const STREAM_PONG_MS_MAX = 10_000;
export const STREAM_AUTH_MS_MAX = 10_000;
/** How long a client ahead of the gateway's fold waits for the fold before it is reset. */
export const STREAM_AHEAD_MS_MAX = 10_000;
export const STREAM_RECONNECT_MS_MIN = 500;
export const STREAM_RECONNECT_MS_MAX = 20_000;

// --- REST ---
export const RUNS_PAGE_DEFAULT = 100;
export const RUNS_PAGE_MAX = 1_000;
export const EVENTS_PAGE_DEFAULT = 100;
export const EVENTS_PAGE_MAX = 1_000;

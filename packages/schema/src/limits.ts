/** Every bound of runlog that more than one package knows, with its unit and where it comes from. */

const KIB = 1024;
const MIB = 1024 * KIB;

// --- what an emitter may send ---
/** The largest request body, before and after inflation. */
export const BODY_BYTES_MAX = 4 * MIB;
export const BODY_EVENTS_MAX = 1_000;
/** The same of a body from a sender that judges by the status alone. */
export const SENDER_BODY_BYTES_MAX = 16 * MIB;
export const SENDER_BODY_EVENTS_MAX = 10_000;
/** The same for a sender that sends what is refused for ever (Ray). It bounds memory: places of so many events take some 20 MB. */
export const SENDER_KEYED_EVENTS_MAX = 200_000;
/** Far below the broker's `max.message.bytes` of 1 MiB, so that no accepted event can be refused by the broker. */
export const EVENT_BYTES_MAX = 256 * KIB;
/** What an events topic must take. One that takes less is a mistake: most events would be rejected. */
export const EVENTS_TOPIC_BYTES_MIN = 8 * KIB;
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

// --- what a snapshot may hold: together below this for any input (evolve.test.ts in run-state) ---
/** Half of what a broker takes as one record, so that no input makes a run that cannot be stored. */
export const SNAPSHOT_BYTES_MAX = 512 * KIB;
/** What the topics of snapshots and figures must take: the largest value with its key and headers. */
export const SNAPSHOT_RECORD_BYTES_MAX = SNAPSHOT_BYTES_MAX + 4 * KIB;
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
export const EMITTERS_MAX = 512;
/** The gaps that one emitter keeps, and those that all emitters of a run share evenly. */
export const EMITTER_GAPS_MAX = 20;
export const RUN_GAPS_MAX = 768;
/** The ids of its newest numbers that one emitter keeps, and those that all emitters of a run share evenly. */
export const EMITTER_IDS_MAX = 64;
export const RUN_EMITTER_IDS_MAX = 2_048;
/** The ranges of repeated records that a run keeps. */
export const REPEAT_RANGES_MAX = 64;
export const ATTEMPTS_MAX = 16;
export const LANDMARKS_MAX = 128;
/** The scalars of an event's `data` that its entry shows, and the longest text among them. */
export const ENTRY_VALUES_MAX = 8;
export const ENTRY_VALUE_CHARS_MAX = 64;
/** The bytes of JSON that the values of one entry take at most. Values that do not fit are left out. */
export const ENTRY_VALUES_BYTES_MAX = 768;
/** The same for an entry's message, metadata and values together: beside a long message there is room for few values. */
export const ENTRY_SAID_BYTES_MAX = 1_152;
/** The window covers the largest body, so a body that is sent again as a whole is recognised as a whole. */
export const EVENT_ID_WINDOW = BODY_EVENTS_MAX + 24;
export const ACTIVITY_BUCKET_SECONDS = 10;
export const ACTIVITY_BUCKETS_MAX = 60;

// --- what the figures of a run may hold ---
export const FIGURES_MAX = 48;
/** When a figure has as many points, neighbours are merged. */
export const FIGURE_POINTS_MAX = 192;
export const FIGURE_NAME_CHARS_MAX = 64;
/** The limit is in bytes of JSON: 64 letters of any alphabet fit, but 64 control characters do not. */
export const FIGURE_NAME_BYTES_MAX = 192;
/** The names of refused figures that a run tells apart. */
export const FIGURES_REFUSED_MAX = 64;

/** The newest points of a run that a row of the index shows. */
export const SPARK_POINTS_MAX = 24;

// --- the stream protocol ---
export const STREAM_FRAME_BYTES_MAX = 64 * KIB;
export const STREAM_CHANNELS_MAX = 1_000;
export const STREAM_INDEX_ROWS_DEFAULT = 200;
export const STREAM_INDEX_ROWS_MAX = 1_000;
/** The index views of one connection. Each is computed once for all who share it, but somebody pays for each. */
export const STREAM_VIEWS_MAX = 16;
/** The greatest `min_interval_ms` of a subscription. */
export const STREAM_MIN_INTERVAL_MS_MAX = 60_000;
/** A client that acknowledges and is so far behind counts as slow, although its socket takes everything. */
export const STREAM_UNACKNOWLEDGED_MS_MAX = 2_000;
/** The bytes that a socket may have unsent before its channels are marked as behind instead of queued. */
export const STREAM_QUEUE_BYTES_HIGH = 256 * KIB;
/** How long a socket may stay above the mark before it is closed as a slow client. */
export const STREAM_STUCK_MS_MAX = 30_000;
export const STREAM_HEARTBEAT_MS = 25_000;
export const STREAM_PONG_MS_MAX = 10_000;
export const STREAM_AUTH_MS_MAX = 10_000;
/** How long a client ahead of the gateway's fold waits for the fold before it is reset. */
export const STREAM_AHEAD_MS_MAX = 10_000;
/**
 * After so long it is looked whether the log can have the run of such a client at all. By then a log that does not answer
 * has been noticed, so its last answer is newer than the client's question.
 */
export const STREAM_AHEAD_LOOK_MS = 2_500;
export const STREAM_RECONNECT_MS_MIN = 500;
export const STREAM_RECONNECT_MS_MAX = 20_000;

// --- tokens, and what an address may ask for ---
export const TOKEN_MS_MAX = 300_000;
export const TOKEN_CHARS_MAX = 512;
/** The channels of one stream of server-sent events. The ids of its events hold a position of each run. */
export const EVENT_STREAM_CHANNELS_MAX = 32;
export const EVENT_ID_TEXT_CHARS_MAX = 1_024;

// --- REST ---
export const RUNS_PAGE_DEFAULT = 100;
export const RUNS_PAGE_MAX = 1_000;
/** A cursor holds a sort value, which may be a long name, and a key. */
export const RUNS_CURSOR_CHARS_MAX = 4_096;
export const EVENTS_PAGE_DEFAULT = 100;
export const EVENTS_PAGE_MAX = 1_000;
/** The bytes of the log, records of all runs, that are read for one page of events. */
export const EVENTS_PAGE_LOG_BYTES_MAX = 4 * MIB;
/** The values that one filter may list. */
export const FILTER_VALUES_MAX = 64;
/** The longest text that a query may search for. */
export const QUERY_CHARS_MAX = 256;
/** The conditions of one `where`, and the characters of each. */
export const WHERE_CONDITIONS_MAX = 8;
export const WHERE_CHARS_MAX = 64;
/** The groups that an answer lists. The runs of any others are in its total. */
export const RUN_GROUPS_MAX = 200;
/** How long a run is folded up to a place in its past before the answer says how far that came. */
export const PAST_FOLD_MS_MAX = 5_000;

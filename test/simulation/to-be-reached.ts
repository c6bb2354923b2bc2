/**
 * The situations that some of any fifteen hundred histories must contain: each kind of fault, and what only some of
 * them lead to. A part of the simulation that is never reached would prove nothing.
 */
export const toBeReached: readonly string[] = [
  ...['crash', 'stop', 'freeze', 'emitter dies', 'outage', 'loss', 'rebalance', 'rebuild', 'compaction'],
  ...[
    'retention',
    'truncation',
    'retirement',
    'poison',
    'disconnect',
    'stall',
    'leap',
    'events deleted',
    'upgrade',
  ],
  'a tombstone is removed',
  'a run is retired by age',
  'an event keeps a run that was to be retired by age',
  'a run begins anew after it was retired',
  'a process refuses other events',
  'events are deleted before anything stored includes them',
  'a rebuild after events were lost',
  'a rebuild after the events were deleted',
  'an older process ends',
  'a newer process ends',
  'a rebuild by a newer fold',
  'entries are left out, and said to be',
];

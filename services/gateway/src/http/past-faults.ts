import { PAST_FOLD_MS_MAX } from '@runlog/schema/limits';
import { HttpFault } from '@runlog/service-kit/http-server';

/** Answers a fold that came only as far as `reached` on the way to `seq`. */
export function tooFar(reached: number, seq: number): HttpFault {
  return new HttpFault(
    'too_far',
    `${PAST_FOLD_MS_MAX / 1_000} s were enough to fold this run up to ${reached} of ${seq}; ` +
      'the same request goes on from there',
  );
}

export function cannotRead(): HttpFault {
  return new HttpFault('log_unavailable', 'the log cannot be read here');
}

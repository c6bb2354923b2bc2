import { messageOf } from '../error-message.ts';
import type { BearerToken } from './bearer-token.ts';
import type { MskIamSasl } from './config.ts';
import { ConnectionRefusal } from './connection-refusal.ts';
import { KafkaFault } from './faults.ts';

/**
 * Amazon's own package, which brings 29 MB of the AWS SDK. It is loaded only if it is asked for, and is not installed
 * with runlog: docs/decisions/security.md.
 */
export const MSK_SIGNER = 'aws-msk-iam-sasl-signer-js';
export const MSK_SIGNER_VERSION = '1.0.3';

/** Returns a function that signs a new token with the credentials that the AWS SDK finds. */
export function mskTokenFetcher({ region }: MskIamSasl): () => Promise<BearerToken> {
  return async () => {
    const { generateAuthToken } = await signer();
    try {
      const { token, expiryTime } = await generateAuthToken({ region });
      return { token, expiresAtMs: expiryTime };
    } catch (error) {
      throw new KafkaFault(
        null,
        `there are no AWS credentials to sign a token for region ${region} with: ${messageOf(error)}`,
      );
    }
  };
}

interface Signer {
  generateAuthToken(options: { region: string }): Promise<{ token: string; expiryTime: number }>;
}

async function signer(): Promise<Signer> {
  try {
    return (await import(MSK_SIGNER)) as Signer;
  } catch (error) {
    throw new ConnectionRefusal(`the package ${MSK_SIGNER} cannot be loaded: ${messageOf(error)}`);
  }
}

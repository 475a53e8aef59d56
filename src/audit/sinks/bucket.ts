/** Objects into S3-compatible storage: PutObject, signed with AWS Signature Version 4. */
import { hash } from 'node:crypto';
import { AwsV4Signer } from 'aws4fetch';
import { readSecret } from '../../lib/secret.ts';
import type { BucketSettings, CheckpointPushSettings } from '../../model/settings.ts';
import { refusedBy, sendHttp } from './http.ts';

export type ObjectLock = NonNullable<NonNullable<CheckpointPushSettings['s3']>['lock']>;

export interface ObjectToPut {
  /** Behind the bucket's prefix; of letters, digits and `/ _ . -`. */
  readonly name: string;
  readonly body: Uint8Array;
  readonly contentType: string;
  /** Until when nobody may change or remove it; the bucket must have object lock. */
  readonly lock?: ObjectLock | undefined;
}

export class Bucket {
  readonly #settings: BucketSettings;
  readonly #nowMs: () => number;

  constructor(settings: BucketSettings, nowMs: () => number) {
    this.#settings = settings;
    this.#nowMs = nowMs;
  }

  /**
   * Writes an object where there is none of its name yet; one that is there is left as it is.
   * @returns whether it was written
   * @throws SluiceError `secret-unreadable`, `sink-unreachable`, `sink-refused`
   */
  async put({ name, body, contentType, lock }: ObjectToPut): Promise<boolean> {
    const { accessKeyId, secretAccessKey, sessionToken, region, caFile } = this.#settings;
    const url = this.#urlOf(name);
    const signer = new AwsV4Signer({
      method: 'PUT',
      url: url.href,
      service: 's3',
      region,
      accessKeyId: await readSecret(accessKeyId),
      secretAccessKey: await readSecret(secretAccessKey),
      ...(sessionToken !== undefined && { sessionToken: await readSecret(sessionToken) }),
      headers: {
        'content-type': contentType,
        // Asked for with object lock; the digest in the signature is the other one.
        'content-md5': hash('md5', body, 'base64'),
        'x-amz-content-sha256': hash('sha256', body, 'hex'),
        'if-none-match': '*',
        ...this.#lockHeaders(lock),
      },
      datetime: new Date(this.#nowMs()).toISOString().replace(/[:-]|\.\d{3}/g, ''),
    });
    const { headers } = await signer.sign();
    const answer = await sendHttp({ method: 'PUT', url, headers: Object.fromEntries(headers), body, caFile });
    // 412 is what If-None-Match asks for; 409 comes where two wrote at once.
    if (answer.status === 412 || answer.status === 409) return false;
    if (answer.status !== 200) throw refusedBy(url, answer);
    return true;
  }

  #lockHeaders(lock: ObjectLock | undefined): Record<string, string> {
    if (lock === undefined) return {};
    return {
      'x-amz-object-lock-mode': lock.mode.toUpperCase(),
      'x-amz-object-lock-retain-until-date': new Date(this.#nowMs() + lock.forMs).toISOString(),
    };
  }

  #urlOf(name: string): URL {
    const { endpoint, bucket, prefix, pathStyle } = this.#settings;
    const url = new URL(endpoint);
    if (!pathStyle) url.hostname = `${bucket}.${url.hostname}`;
    const root = url.pathname.replace(/\/$/, '');
    url.pathname = `${root}${pathStyle ? `/${bucket}` : ''}/${prefix}${name}`;
    return url;
  }
}

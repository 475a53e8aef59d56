/** What a client's certificate makes of its connection: a principal, nothing, or its end with an entry that says why. */
import type { TLSSocket } from 'node:tls';
import {
  AuthenticationError,
  type AuthenticationErrorCode,
  principalFromCertificate,
} from '../../identity/identity.ts';
import { messageOf } from '../../lib/errors.ts';
import type { Principal } from '../../model/principal.ts';
import type { Arrival } from './parts.ts';
import type { ConnectionParts } from './parts.ts';

type Address = Pick<Arrival, 'address' | 'addressPort'>;

interface CertificateFailure {
  readonly code: AuthenticationErrorCode;
  readonly detail: string;
  readonly claimedId?: string | undefined;
}

/**
 * Looks at the certificate after the handshake, which itself lets every client through. One that the CAs do not vouch
 * for ends the connection even where none is needed: whoever shows it means to be known by it.
 *
 * @returns the principal; `null` where there is no certificate or no rule for it, so that a token has to say who it is;
 *   `refused` where the connection must end
 */
export function clientCertificate(
  secure: TLSSocket,
  from: Address,
  parts: ConnectionParts,
): Principal | 'refused' | null {
  const { listen, authentication } = parts.settings;
  const clientAuth = listen.tls?.clientAuth ?? 'none';
  const certificate = clientAuth === 'none' ? undefined : secure.getPeerX509Certificate();
  if (certificate === undefined) {
    if (clientAuth !== 'required') return null;
    refuse(
      { code: 'certificate-missing', detail: 'no client certificate was sent; this port requires one' },
      from,
      parts,
    );
    return 'refused';
  }
  if (!secure.authorized) {
    const why = String(secure.authorizationError);
    const code =
      why === 'CERT_HAS_EXPIRED' ? 'expired' : why === 'CERT_NOT_YET_VALID' ? 'not-yet-valid' : 'certificate-untrusted';
    const detail = `the client certificate was not accepted: ${why}; valid ${certificate.validFrom} to ${certificate.validTo}`;
    refuse({ code, detail, claimedId: certificate.subject.replaceAll('\n', ',') }, from, parts);
    return 'refused';
  }
  if (authentication.certificates.length === 0) return null;
  try {
    return principalFromCertificate({ raw: certificate.raw }, authentication.certificates, parts.clock.nowMs());
  } catch (error) {
    const failure: CertificateFailure =
      error instanceof AuthenticationError ? error : { code: 'certificate-invalid', detail: messageOf(error) };
    refuse(failure, from, parts);
    // Trusted but unmapped: it says nothing about who the client is, so a token still may where the port takes them.
    return authentication.mechanisms.length === 0 ? 'refused' : null;
  }
}

function refuse(failure: CertificateFailure, { address, addressPort }: Address, parts: ConnectionParts): void {
  const { code, detail, claimedId = '' } = failure;
  parts.logger.info({ address, code, reason: detail }, 'a client certificate was refused');
  parts.gate.authenticationFailed(
    { code, detail, claimedId, claimedIssuer: 'mtls' },
    {
      port: parts.settings.name,
      address,
      addressPort,
      clientId: '',
      softwareName: '',
      softwareVersion: '',
      mechanism: 'MTLS',
      tls: true,
    },
  );
}

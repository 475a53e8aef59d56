/** The door of the identity part: credentials in, principals out. */
export { AuthenticationError, authenticationErrors } from './authentication-error.ts';
export type { AuthenticationErrorCode } from './authentication-error.ts';
export { principalFromCertificate } from './certificate-principal.ts';
export { checkCertificateMappings, checkIssuers } from './issuer-check.ts';
export { createTokenVerifier } from './token-verifier.ts';
export type { TokenVerifier, TokenVerifierOptions } from './token-verifier.ts';

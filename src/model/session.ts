/** What is known of the client's side of a connection, before and after it proved who it is. */
export interface ClientFacts {
  readonly port: string;
  /** The client's own address, after PROXY protocol where configured. */
  readonly address: string;
  readonly addressPort: number;
  /** `client.id` of the first authenticated request; empty where the client sent none. */
  readonly clientId: string;
  /** From ApiVersions v3+ (KIP-511); empty where unknown. */
  readonly softwareName: string;
  readonly softwareVersion: string;
  /** SASL mechanism in upper case, `MTLS`, or empty before authentication. */
  readonly mechanism: string;
  readonly tls: boolean;
}

import type { Socket } from 'node:net';
import type { Gate } from '../../gate/gate.ts';
import type { TokenVerifier } from '../../identity/identity.ts';
import type { Clock } from '../../lib/clock.ts';
import type { Logger } from '../../lib/logger.ts';
import type { Principal } from '../../model/principal.ts';
import type { KafkaPortSettings } from '../../model/settings.ts';
import type { AddressBook } from './addresses.ts';
import type { BrokerTarget, ClusterView } from './cluster.ts';
import type { KafkaObserver } from './observer.ts';
import type { Reader } from './reads.ts';

/** What the connection is given by its port. */
export interface ConnectionParts {
  readonly settings: KafkaPortSettings;
  readonly gate: Gate;
  readonly verifier: TokenVerifier;
  readonly cluster: ClusterView;
  readonly addresses: AddressBook;
  readonly logger: Logger;
  readonly observer: KafkaObserver;
  readonly clock: Clock;
}

/** How the client came in. */
export interface Arrival {
  readonly socket: Socket;
  /** Where the socket's bytes go; the connection sets it before it returns to the event loop. */
  readonly reader: Reader;
  readonly target: BrokerTarget;
  readonly address: string;
  readonly addressPort: number;
  readonly tls: boolean;
  /** From the client's certificate, where it has one that a rule maps. */
  readonly certificatePrincipal: Principal | null;
}

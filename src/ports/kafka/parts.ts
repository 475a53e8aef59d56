import type { Gate } from '../../gate/gate.ts';
import type { TokenVerifier } from '../../identity/identity.ts';
import type { Clock } from '../../lib/clock.ts';
import type { Logger } from '../../lib/logger.ts';
import type { KafkaPortSettings } from '../../model/settings.ts';
import type { AddressBook } from './addresses.ts';
import type { ClusterView } from './cluster.ts';
import type { KafkaObserver } from './observer.ts';

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

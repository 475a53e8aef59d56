/** Whether the gateway can do its work now, with the reason for each part that cannot. */

export interface HealthCheck {
  readonly name: string;
  readonly ok: boolean;
  /** For the person who looks: what it is waiting for, or what is in force. */
  readonly detail: string;
}

export interface Readiness {
  readonly ready: boolean;
  readonly checks: readonly HealthCheck[];
}

/** The state of the parts, as they tell it. */
export interface GatewayState {
  readonly draining: boolean;
  /** Until everything is up and signals are heeded: whoever waits for readiness may then stop the gateway properly. */
  readonly starting?: boolean;
  /** Absent where this process serves by itself. */
  readonly workers?: { readonly wanted: number; readonly up: number; readonly crashLooping: boolean };
  readonly policy: { readonly revision: string; readonly lastLoadOk: boolean };
  readonly audit: {
    readonly writable: boolean;
    readonly lost: number;
    readonly mode: 'strict' | 'available';
    /** Places that checkpoints do not reach. */
    readonly failing?: readonly string[];
  };
  readonly ports: readonly { readonly name: string; readonly ready: boolean; readonly detail: string }[];
  readonly issuers: readonly { readonly issuer: string; readonly usable: boolean; readonly keys: number }[];
}

/** Ready is: every check holds and no drain has begun. */
export function gatewayReadiness(state: GatewayState): Readiness {
  const { draining, starting = false, policy, audit } = state;
  const rejected = policy.lastLoadOk ? '' : '; the files as they are now were rejected';
  const checks: HealthCheck[] = [
    ...(starting ? [{ name: 'process', ok: false, detail: 'starting' }] : []),
    ...(draining ? [{ name: 'process', ok: false, detail: 'draining: no new connections are taken' }] : []),
    ...(state.workers === undefined ? [] : [workersCheck(state.workers)]),
    { name: 'policy', ok: true, detail: `revision ${policy.revision}${rejected}` },
    {
      name: 'audit',
      // In `available` mode the gateway works on without its log, as it was told to.
      ok: audit.writable || audit.mode === 'available',
      detail: `${audit.writable ? 'writable' : 'cannot be written'}${audit.lost > 0 ? `; ${audit.lost} entries lost` : ''}`,
    },
    // The gateway works on: what does not arrive is tried again, and is on its own disk.
    ...(audit.failing ?? []).map((sink) => ({
      name: `audit/${sink}`,
      ok: true,
      detail: 'checkpoints do not arrive; they are tried again',
    })),
    ...state.ports.map(({ name, ready, detail }) => ({ name: `port/${name}`, ok: ready, detail })),
    // An issuer that is away does not take the gateway out of service: tokens of the others still work.
    ...state.issuers.map(({ issuer, usable, keys }) => ({
      name: `issuer/${issuer}`,
      ok: true,
      detail: usable ? `${keys} keys` : 'no usable keys: its tokens are refused',
    })),
  ];
  return { ready: checks.every((check) => check.ok), checks };
}

/** One worker too few is no reason to send clients away: it is replaced within a moment. */
function workersCheck({ wanted, up, crashLooping }: NonNullable<GatewayState['workers']>): HealthCheck {
  const ok = up > 0 && !crashLooping;
  const detail = crashLooping ? `${up} of ${wanted} up; they end as soon as they start` : `${up} of ${wanted} up`;
  return { name: 'workers', ok, detail };
}

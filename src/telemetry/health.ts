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

/** Ready is: every check holds and no drain has begun. */
export function readiness(checks: readonly HealthCheck[], draining: boolean): Readiness {
  const all = draining
    ? [{ name: 'process', ok: false, detail: 'draining: no new connections are taken' }, ...checks]
    : checks;
  return { ready: all.every((check) => check.ok), checks: all };
}

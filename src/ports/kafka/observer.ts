/** What the port tells whoever counts: the composition root hangs metrics on it. Calls are cheap and never throw. */
export interface KafkaObserver {
  connectionOpened(port: string): void;
  connectionClosed(port: string, reason: string): void;
  /**
   * @param outcome `forwarded`, `answered` (by the gateway itself), or `refused`
   * @param count how many took as long, 1 where absent
   */
  requestHandled(
    port: string,
    api: string,
    version: number,
    outcome: RequestOutcome,
    milliseconds: number,
    count?: number,
  ): void;
  bytes(port: string, direction: 'from-client' | 'to-client', count: number): void;
  upstreamFailed(port: string, reason: string): void;
}

export type RequestOutcome = 'forwarded' | 'answered' | 'refused';

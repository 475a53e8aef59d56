/** TLS termination: the gateway beside haproxy. A second haproxy on the load's core speaks TLS for the load. */
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { createCertificateAuthority } from '../../harness/certificates.ts';
import type { BenchOptions } from '../options.ts';
import { startHaproxy } from '../peers/haproxy.ts';
import type { Peer } from '../peers/peer.ts';
import { policyOf } from '../peers/policies.ts';
import { startSluice } from '../peers/sluice.ts';
import type { ScenarioResult } from '../report.ts';
import { type Cell, runRounds } from '../rounds.ts';
import { rowsOf } from '../rows.ts';
import { type Stage, setStage } from '../stage.ts';
import { profiled } from './gateways.ts';
import { type Scenario, cellName, figuresOf, onStage } from './scenario.ts';

const connections = 4;
const inFlight = 5;
const sizes = [16_384, 102_400] as const;

export const tls: Scenario = {
  name: 'tls',
  about: 'TLS 1.3 taken off by the gateway and by haproxy, produce and fetch of 16 KB and 100 KB',
  run,
};

async function run(options: BenchOptions): Promise<ScenarioResult> {
  const stage = await setStage(1);
  return onStage(stage, async () => {
    const { folder, broker, idp, openingFile } = stage;
    const authority = await createCertificateAuthority(join(folder, 'tls'));
    const files = await authority.serverFiles('gateway');
    const serverPemFile = join(folder, 'server.pem');
    await writeFile(serverPemFile, files.cert + files.key, { mode: 0o600 });
    const haproxy = options.profile ? null : await stage.add(startHaproxy(folder, broker, { serverPemFile }));
    const common = { idp, openingFile, policy: policyOf(10, 1), inspect: options.profile };
    const gateway = await startSluice(folder, broker, { name: 'sluice', ...common, tls: files });
    await stage.add(Promise.resolve(gateway));
    const peers: Peer[] = [];
    for (const peer of [haproxy, gateway]) {
      const secured = peer === null ? null : await throughTls(stage, peer);
      if (secured !== null) peers.push(secured);
    }
    const cells = (['produce', 'fetch'] as const).flatMap((operation) =>
      sizes.map((frameBytes): Cell => {
        const exchange = stage.frames.exchange(operation, frameBytes);
        return { name: `${cellName(exchange)} TLS`, exchange, connections, inFlight };
      }),
    );
    const { result: samples, text } = await profiled(gateway, options, () => runRounds(stage, peers, cells, options));
    const rows = rowsOf(samples, 'haproxy');
    const own = rows.filter(({ peer }) => peer === 'sluice');
    const figures = figuresOf(own, 'cpu ÷ haproxy', (row) => row.cpuRatio?.median ?? Number.NaN);
    return { rows, figures, samples, notes: stage.missing, anchor: 'haproxy', ...(text !== undefined && { text }) };
  });
}

/** The same peer, reached by a load that speaks no TLS. */
async function throughTls(stage: Stage, peer: Peer): Promise<Peer | null> {
  const client = await stage.add(
    startHaproxy(stage.folder, peer, { name: `tls-client-of-${peer.name}`, tlsToUpstream: true }),
  );
  return client === null ? null : { ...peer, port: client.port, loadSidePid: client.pid };
}

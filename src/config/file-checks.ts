/** Looks at the files that the settings name: they exist, parse, and belong together. */
import { X509Certificate, createPrivateKey } from 'node:crypto';
import type { KeyObject } from 'node:crypto';
import { access, constants, readFile, stat } from 'node:fs/promises';
import { isIP } from 'node:net';
import { dirname, relative } from 'node:path';
import { messageOf } from '../lib/errors.ts';
import type {
  AuditSettings,
  ClientTlsSettings,
  KafkaPortSettings,
  SecretSource,
  ServerTlsSettings,
  Settings,
} from '../model/settings.ts';
import type { KeyPath, PlacedProblem } from './problem.ts';
import { checkRecording } from './recording-checks.ts';

const pemBytesMax = 1_048_576;

export interface FileFindings {
  readonly problems: PlacedProblem[];
  readonly warnings: PlacedProblem[];
}

/** @param has whether a path stands in the document: TLS may be given in two places */
export async function checkFiles(
  settings: Settings,
  has: (at: KeyPath) => boolean,
  nowMs: number,
): Promise<FileFindings> {
  const findings: FileFindings = { problems: [], warnings: [] };
  await checkFolder(settings.policyDirectory, ['policies'], findings);
  await checkAuditFolder(settings.audit.directory, findings);
  await checkAuditKey(settings.audit, findings);
  if (settings.recording !== undefined) await checkRecording(settings.recording, has(['recording']), findings);
  for (const [index, port] of settings.ports.entries())
    await checkPortFiles(port, ['ports', index], has, findings, nowMs);
  for (const [index, issuer] of settings.issuers.entries()) {
    if (issuer.caFile !== undefined)
      await certificates(issuer.caFile, ['identity', 'issuers', index, 'ca'], findings, nowMs);
  }
  return findings;
}

async function checkFolder(path: string, at: KeyPath, findings: FileFindings): Promise<void> {
  const found = await stat(path).catch(() => null);
  if (found === null)
    findings.problems.push({
      at,
      message: `There is no folder ${path}. Make it, or run \`sluice init\` for a starter.`,
    });
  else if (!found.isDirectory())
    findings.problems.push({ at, message: `${path} is not a folder. Name the folder that holds the policy files.` });
}

/** The log makes its own folder; what can be known before is whether it may. */
async function checkAuditFolder(path: string, findings: FileFindings): Promise<void> {
  const at = ['audit', 'directory'];
  let folder = path;
  for (;;) {
    const found = await stat(folder).catch(() => null);
    if (found !== null && !found.isDirectory())
      return void findings.problems.push({ at, message: `${folder} is not a folder.` });
    if (found !== null) break;
    folder = dirname(folder);
  }
  const writable = await access(folder, constants.W_OK | constants.X_OK).then(
    () => true,
    () => false,
  );
  if (!writable)
    findings.problems.push({ at, message: `The audit log cannot be written: this user may not write to ${folder}.` });
}

/** The key is made at the first start: its folder has to be one that takes it, and not that of the log itself. */
async function checkAuditKey({ directory, checkpoint }: AuditSettings, findings: FileFindings): Promise<void> {
  const at = ['audit', 'checkpoint', 'key'];
  const { keyFile, push } = checkpoint;
  const within = relative(directory, keyFile);
  if (within === '' || !within.startsWith('..'))
    findings.warnings.push({
      at,
      message: `The key ${keyFile} is within the audit folder: whoever is given a copy of the log is given its key too.`,
    });
  const there = await access(keyFile, constants.R_OK).then(() => null, codeOf);
  if (there === 'EACCES') findings.problems.push({ at, message: `This user may not read the audit key ${keyFile}.` });
  const parent = dirname(keyFile);
  const unwritable = there === 'ENOENT' && (await access(parent, constants.W_OK).then(() => null, codeOf)) === 'EACCES';
  if (unwritable)
    findings.problems.push({
      at,
      message: `The audit key is made at the first start, and this user may not write to ${parent}. Name another place with audit.checkpoint.key.`,
    });
  if (push?.directory === undefined) return;
  const found = await stat(push.directory).catch(() => null);
  if (found === null || !found.isDirectory())
    findings.problems.push({
      at: ['audit', 'checkpoint', 'push', 'directory'],
      message: `There is no folder ${push.directory}. Make it, on storage where what is written stays.`,
    });
}

function codeOf(error: unknown): string {
  return error instanceof Error && 'code' in error ? String(error.code) : '';
}

async function checkPortFiles(
  port: KafkaPortSettings,
  at: KeyPath,
  has: (at: KeyPath) => boolean,
  findings: FileFindings,
  nowMs: number,
): Promise<void> {
  const { tls } = port.listen;
  if (tls !== undefined) {
    const tlsAt = has([...at, 'tls']) ? [...at, 'tls'] : [...at, 'listen', 'tls'];
    await checkServerTls(tls, port, tlsAt, findings, nowMs);
  }
  const { upstream } = port;
  if (upstream.tls !== undefined) await checkClientTls(upstream.tls, [...at, 'upstream', 'tls'], findings, nowMs);
  if (upstream.sasl === undefined) return;
  const [source, key] =
    upstream.sasl.mechanism === 'OAUTHBEARER'
      ? [upstream.sasl.clientSecret, 'clientSecret']
      : [upstream.sasl.password, 'password'];
  await checkSecret(source, [...at, 'upstream', 'sasl', key], findings);
}

async function checkServerTls(
  tls: ServerTlsSettings,
  port: KafkaPortSettings,
  at: KeyPath,
  findings: FileFindings,
  nowMs: number,
): Promise<void> {
  const chain = await certificates(tls.certFile, [...at, 'cert'], findings, nowMs);
  await checkKey(tls.keyFile, chain?.[0], [...at, 'key'], findings);
  if (tls.clientCaFile !== undefined) await certificates(tls.clientCaFile, [...at, 'clientCa'], findings, nowMs);
  const leaf = chain?.[0];
  if (leaf === undefined) return;
  const names =
    port.advertise.mode === 'sni'
      ? [port.advertise.bootstrapHost, port.advertise.hostPattern.replace('$(nodeId)', '1')]
      : [port.advertise.host];
  for (const name of names) {
    const matches = isIP(name) === 0 ? leaf.checkHost(name) : leaf.checkIP(name);
    if (matches === undefined)
      findings.warnings.push({
        at: [...at, 'cert'],
        message: `The certificate is not valid for ${name}, which this port advertises: clients that check the name will refuse it.`,
      });
  }
}

async function checkClientTls(
  tls: ClientTlsSettings,
  at: KeyPath,
  findings: FileFindings,
  nowMs: number,
): Promise<void> {
  if (tls.caFile !== undefined) await certificates(tls.caFile, [...at, 'ca'], findings, nowMs);
  if (tls.certFile === undefined || tls.keyFile === undefined) return;
  const chain = await certificates(tls.certFile, [...at, 'cert'], findings, nowMs);
  await checkKey(tls.keyFile, chain?.[0], [...at, 'key'], findings);
}

/** A missing secret is a warning: a check in CI rarely has them, and a gateway that starts without says so again. */
async function checkSecret(source: SecretSource, at: KeyPath, findings: FileFindings): Promise<void> {
  if ('env' in source && (process.env[source.env] ?? '') === '') {
    findings.warnings.push({
      at,
      message: `The environment variable ${source.env} is not set here. The gateway needs it to reach the brokers.`,
    });
  }
  if (!('file' in source)) return;
  const failure = await access(source.file, constants.R_OK).then(() => null, messageOf);
  if (failure !== null) findings.warnings.push({ at, message: `The secret cannot be read here: ${failure}.` });
}

async function certificates(
  path: string,
  at: KeyPath,
  findings: FileFindings,
  nowMs: number,
): Promise<readonly X509Certificate[] | null> {
  const pem = await readPem(path, at, findings);
  if (pem === null) return null;
  const blocks =
    pem.match(/-----BEGIN (?:TRUSTED )?CERTIFICATE-----[^-]+-----END (?:TRUSTED )?CERTIFICATE-----/g) ?? [];
  if (blocks.length === 0) {
    findings.problems.push({
      at,
      message: `${path} holds no certificate in PEM form ("-----BEGIN CERTIFICATE-----").`,
    });
    return null;
  }
  try {
    const parsed = blocks.map((block) => new X509Certificate(block));
    const expired = parsed.find((certificate) => certificate.validToDate.getTime() < nowMs);
    if (expired !== undefined)
      findings.warnings.push({
        at,
        message: `A certificate in ${path} expired on ${expired.validToDate.toISOString().slice(0, 10)}.`,
      });
    return parsed;
  } catch (error) {
    findings.problems.push({ at, message: `${path} holds a certificate that does not parse: ${messageOf(error)}.` });
    return null;
  }
}

async function checkKey(
  path: string,
  leaf: X509Certificate | undefined,
  at: KeyPath,
  findings: FileFindings,
): Promise<void> {
  const pem = await readPem(path, at, findings);
  if (pem === null) return;
  const key = parseKey(pem);
  if (key === null) {
    const encrypted = pem.includes('ENCRYPTED');
    findings.problems.push({
      at,
      message: `${path} ${encrypted ? 'is encrypted: store the key without a passphrase, readable by this user only' : 'holds no private key in PEM form'}.`,
    });
  } else if (leaf !== undefined && !leaf.checkPrivateKey(key)) {
    findings.problems.push({ at, message: `The key in ${path} does not belong to the certificate beside it.` });
  }
}

function parseKey(pem: string): KeyObject | null {
  try {
    return createPrivateKey(pem);
  } catch {
    return null; // The library's message may quote the file; what matters is said by the caller.
  }
}

async function readPem(path: string, at: KeyPath, findings: FileFindings): Promise<string | null> {
  try {
    const { size } = await stat(path);
    if (size > pemBytesMax) throw new Error(`it is larger than ${pemBytesMax} bytes`);
    return await readFile(path, 'utf8');
  } catch (error) {
    findings.problems.push({ at, message: `The file ${path} cannot be read: ${messageOf(error)}.` });
    return null;
  }
}

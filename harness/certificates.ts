/**
 * A certificate authority for tests and the demo. Everything is written as PEM files into one folder; Java's clients and
 * brokers read PEM too (`ssl.truststore.type=PEM`, `ssl.keystore.type=PEM` with `keyStoreFile`), so no keytool is needed.
 */
import 'reflect-metadata';
import type { webcrypto } from 'node:crypto';
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import {
  AuthorityKeyIdentifierExtension,
  BasicConstraintsExtension,
  ExtendedKeyUsageExtension,
  KeyUsageFlags,
  KeyUsagesExtension,
  Name,
  PemConverter,
  SubjectAlternativeNameExtension,
  SubjectKeyIdentifierExtension,
  X509CertificateGenerator,
} from '@peculiar/x509';
import type { Extension, JsonGeneralNames, JsonNameParams, X509Certificate } from '@peculiar/x509';

export interface CertificateFiles {
  readonly certFile: string;
  readonly keyFile: string;
  /** Private key and chain in one file, as `ssl.keystore.location` with type PEM wants it. */
  readonly keyStoreFile: string;
  /** PEM. */
  readonly cert: string;
  readonly key: string;
}

export interface CertificateOptions {
  /** `CN=a,O=b`, or, for what a string cannot say, the relative names in order: `[{ CN: ['a'] }, { O: ['b'] }]`. `CN=<name>` by default. */
  readonly subject?: string | JsonNameParams;
  readonly dns?: readonly string[];
  readonly ips?: readonly string[];
  readonly uris?: readonly string[];
  readonly emails?: readonly string[];
  readonly notBefore?: Date;
  readonly notAfter?: Date;
}

export interface CertificateAuthority {
  readonly caFile: string;
  /** PEM. */
  readonly ca: string;
  /** For a server; DNS `localhost` and IP 127.0.0.1 unless the options name others. */
  serverFiles(name: string, options?: CertificateOptions): Promise<CertificateFiles>;
  /** For a client. */
  clientFiles(name: string, options?: CertificateOptions): Promise<CertificateFiles>;
}

interface Authority {
  readonly certificate: X509Certificate;
  readonly keys: webcrypto.CryptoKeyPair;
  readonly folder: string;
}

const algorithm = { name: 'ECDSA', namedCurve: 'P-256', hash: 'SHA-256' };
const dayMs = 86_400_000;

/** Makes a CA whose certificate is `<folder>/<name>.pem`; the folder is made where it is missing. */
export async function createCertificateAuthority(folder: string, name = 'ca'): Promise<CertificateAuthority> {
  await mkdir(folder, { recursive: true });
  const keys = await newKeyPair();
  const certificate = await X509CertificateGenerator.createSelfSigned({
    serialNumber: newSerial(),
    name: [{ CN: [`Sluice test ${name}`] }],
    keys,
    signingAlgorithm: algorithm,
    ...validity({}),
    extensions: [
      new BasicConstraintsExtension(true, 1, true),
      new KeyUsagesExtension(KeyUsageFlags.keyCertSign | KeyUsageFlags.cRLSign, true),
      await SubjectKeyIdentifierExtension.create(keys.publicKey),
    ],
  });
  const caFile = join(folder, `${name}.pem`);
  await writeFile(caFile, pem(certificate));
  const authority: Authority = { certificate, keys, folder };
  return {
    caFile,
    ca: pem(certificate),
    serverFiles: (file, options = {}) => {
      const named = options.dns !== undefined || options.ips !== undefined;
      return issue(
        authority,
        file,
        'serverAuth',
        named ? options : { ...options, dns: ['localhost'], ips: ['127.0.0.1'] },
      );
    },
    clientFiles: (file, options = {}) => issue(authority, file, 'clientAuth', options),
  };
}

async function issue(
  authority: Authority,
  name: string,
  usage: 'serverAuth' | 'clientAuth',
  options: CertificateOptions,
): Promise<CertificateFiles> {
  const keys = await newKeyPair();
  const certificate = await X509CertificateGenerator.create({
    serialNumber: newSerial(),
    subject: new Name(options.subject ?? [{ CN: [name] }]),
    issuer: authority.certificate.subjectName,
    publicKey: keys.publicKey,
    signingKey: authority.keys.privateKey,
    signingAlgorithm: algorithm,
    ...validity(options),
    extensions: await extensionsOf(authority, keys, usage, options),
  });
  const cert = `${pem(certificate)}${pem(authority.certificate)}`;
  const key = `${PemConverter.encode(await crypto.subtle.exportKey('pkcs8', keys.privateKey), 'PRIVATE KEY')}\n`;
  const at = (suffix: string): string => join(authority.folder, `${name}${suffix}`);
  const files = { certFile: at('.pem'), keyFile: at('-key.pem'), keyStoreFile: at('-keystore.pem'), cert, key };
  await writeFile(files.certFile, cert);
  await writeFile(files.keyFile, key, { mode: 0o600 });
  await writeFile(files.keyStoreFile, key + cert, { mode: 0o600 });
  return files;
}

async function extensionsOf(
  authority: Authority,
  keys: webcrypto.CryptoKeyPair,
  usage: 'serverAuth' | 'clientAuth',
  options: CertificateOptions,
): Promise<Extension[]> {
  const usageOid = usage === 'serverAuth' ? '1.3.6.1.5.5.7.3.1' : '1.3.6.1.5.5.7.3.2';
  const names: JsonGeneralNames = [
    ...(options.dns ?? []).map((value) => ({ type: 'dns', value }) as const),
    ...(options.ips ?? []).map((value) => ({ type: 'ip', value }) as const),
    ...(options.uris ?? []).map((value) => ({ type: 'url', value }) as const),
    ...(options.emails ?? []).map((value) => ({ type: 'email', value }) as const),
  ];
  return [
    new BasicConstraintsExtension(false, undefined, true),
    new KeyUsagesExtension(KeyUsageFlags.digitalSignature, true),
    new ExtendedKeyUsageExtension([usageOid]),
    await SubjectKeyIdentifierExtension.create(keys.publicKey),
    await AuthorityKeyIdentifierExtension.create(authority.keys.publicKey),
    ...(names.length === 0 ? [] : [new SubjectAlternativeNameExtension(names)]),
  ];
}

/** An hour back, so that a clock that runs behind still takes it. */
function validity(options: CertificateOptions): { notBefore: Date; notAfter: Date } {
  return {
    notBefore: options.notBefore ?? new Date(Date.now() - dayMs / 24),
    notAfter: options.notAfter ?? new Date(Date.now() + 30 * dayMs),
  };
}

function newKeyPair(): Promise<webcrypto.CryptoKeyPair> {
  return crypto.subtle.generateKey(algorithm, true, ['sign', 'verify']);
}

/** 16 random bytes, positive (RFC 5280 §4.1.2.2). */
function newSerial(): string {
  return `01${crypto.randomUUID().replaceAll('-', '').slice(2)}`;
}

function pem(certificate: X509Certificate): string {
  return `${certificate.toString('pem')}\n`;
}

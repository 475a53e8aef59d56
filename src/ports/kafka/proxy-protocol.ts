/**
 * PROXY protocol version 2 (haproxy's proxy-protocol.txt §2.2): the balancer in front says who the client is.
 * Only the binary version is taken; a connection without it is refused where it is required, for anyone who may
 * leave it out may also forge it.
 */
import { SluiceError } from '../../lib/errors.ts';

const signature = Buffer.from('0d0a0d0a000d0a515549540a', 'hex');
const fixedBytes = 16;
/** Addresses of two IPv6 ends are 36 bytes; the rest is room for extensions, which are skipped. */
const proxyHeaderBytesMax = 2_064;

export interface ProxyHeader {
  /** `null` for LOCAL connections (health checks) and address families other than TCP over IP: the socket's own address holds. */
  readonly address: string | null;
  readonly port: number;
  /** Bytes the header took; what follows is the client's. */
  readonly bytes: number;
}

/**
 * @returns `null` while more bytes are needed
 * @throws SluiceError `proxy-header-invalid`
 */
export function parseProxyHeader(bytes: Buffer): ProxyHeader | null {
  const seen = Math.min(bytes.length, signature.length);
  if (!bytes.subarray(0, seen).equals(signature.subarray(0, seen)))
    throw invalid('the signature of version 2 is missing');
  if (bytes.length < fixedBytes) return null;
  const versionAndCommand = bytes.readUInt8(12);
  if (versionAndCommand >> 4 !== 2) throw invalid('the version is not 2');
  const command = versionAndCommand & 0x0f;
  if (command > 1) throw invalid('the command is neither LOCAL nor PROXY');
  const length = bytes.readUInt16BE(14);
  if (fixedBytes + length > proxyHeaderBytesMax) throw invalid(`it is longer than ${proxyHeaderBytesMax} bytes`);
  if (bytes.length < fixedBytes + length) return null;
  const total = fixedBytes + length;
  const family = bytes.readUInt8(13);
  if (command === 0) return { address: null, port: 0, bytes: total };
  if (family === 0x11) {
    if (length < 12) throw invalid('the IPv4 addresses are cut short');
    return { address: bytes.subarray(16, 20).join('.'), port: bytes.readUInt16BE(24), bytes: total };
  }
  if (family === 0x21) {
    if (length < 36) throw invalid('the IPv6 addresses are cut short');
    return { address: ipv6Text(bytes.subarray(16, 32)), port: bytes.readUInt16BE(48), bytes: total };
  }
  return { address: null, port: 0, bytes: total };
}

/** Shortened as in RFC 5952, by way of the URL parser. */
function ipv6Text(bytes: Buffer): string {
  const groups: string[] = [];
  for (let at = 0; at < 16; at += 2) groups.push(bytes.readUInt16BE(at).toString(16));
  return new URL(`http://[${groups.join(':')}]`).hostname.slice(1, -1);
}

function invalid(detail: string): SluiceError<'proxy-header-invalid'> {
  return new SluiceError(
    'proxy-header-invalid',
    `The connection does not begin with a PROXY protocol v2 header: ${detail}. Let the balancer send it, or set proxyProtocol: off.`,
  );
}

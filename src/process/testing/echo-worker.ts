/** A worker that answers each byte with itself, and ends at once when it is asked to. For tests only. */
import { Socket } from 'node:net';
import { HandedSockets, Link, linkFile, type WorkerReport } from '../process.ts';

const pipe = new Socket({ fd: linkFile, readable: true, writable: true });
const link: Link<WorkerReport, object> = new Link(pipe, {
  message: () => process.exit(0),
  closed: () => process.exit(1),
});
new HandedSockets((report) => link.send(report)).open((socket) => socket.on('data', (bytes) => socket.write(bytes)));

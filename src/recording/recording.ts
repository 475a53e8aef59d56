/** The door of the recording part: what a session read and wrote, kept encrypted, and read again by whoever may. */
export type { ItemKind, RecordedItem, RecordedSession, Recordings, SessionRecorder } from './contract.ts';

/** The door of the recording part: what a session read and wrote, kept encrypted, and read again by whoever may. */
export type { RecordedItem, Recordings, SessionRecorder } from './contract.ts';
export { listRecordings } from './catalogue.ts';
export type { StoredRecording } from './catalogue.ts';
export { eraseRecording } from './erase.ts';
export type { RecordingEvents } from './events.ts';
export type { StoredItem } from './format.ts';
export { isSessionId } from './header.ts';
export type { RecordingHeader } from './header.ts';
export { FileKeyWrapper, addWrappingKey, wrappingKeyIds } from './key-wrapper.ts';
export { leaveNotice } from './notices.ts';
export { openRecording } from './reader.ts';
export type { OpenRecording, ReadResult } from './reader.ts';
export { openRecordings } from './recordings.ts';
export type { RunningRecordings } from './recordings.ts';
export { readTogether } from './session-items.ts';

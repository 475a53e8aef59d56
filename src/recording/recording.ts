/** The door of the recording part: what a session read and wrote, kept encrypted, and read again by whoever may. */
export type { ItemKind, RecordedItem, RecordedSession, Recordings, SessionRecorder } from './contract.ts';
export { listRecordings } from './catalogue.ts';
export type { StoredRecording } from './catalogue.ts';
export { eraseRecording } from './erase.ts';
export type { RecordingEvents, RecordingLoss, RecordingTotals } from './events.ts';
export type { StoredItem } from './format.ts';
export { isSessionId } from './header.ts';
export type { RecordingHeader } from './header.ts';
export { FileKeyWrapper, addWrappingKey } from './key-wrapper.ts';
export type { KeyWrapper, WrappedKey } from './key-wrapper.ts';
export { leaveNotice } from './notices.ts';
export { openRecording } from './reader.ts';
export type { OpenRecording, ReadParts, ReadResult, Reading } from './reader.ts';
export { readTogether } from './session-items.ts';
export type { SessionItem } from './session-items.ts';
export { openRecordings } from './recordings.ts';
export type { RecordingsOptions, RunningRecordings } from './recordings.ts';

import { SluiceError } from '../lib/errors.ts';
import { canonicalText } from './canonical-json.ts';
import type { EntryDraft } from './draft.ts';

export const typePrefix = 'dev.sluice.audit.';

/**
 * One line of the log without its line end: a CloudEvents 1.0 event in structured JSON form, canonical by RFC 8785, so
 * that its bytes can be hashed and compared. The envelope's own names are written in their canonical order here
 * (RFC 8785 §3.2.3: by UTF-16 code units); only `data` has to be sorted.
 *
 * @param time RFC 3339 in UTC
 * @throws SluiceError `entry-malformed` where `data` holds what JSON cannot carry: a mistake of the emitter
 */
export function entryLine(draft: EntryDraft, id: string, source: string, time: string): string {
  const subject = draft.subject === undefined ? '' : `"subject":${JSON.stringify(draft.subject.toWellFormed())},`;
  return (
    `{"data":${canonicalData(draft)},"datacontenttype":"application/json","id":${JSON.stringify(id)},` +
    `"source":${JSON.stringify(source)},"specversion":"1.0",${subject}"time":${JSON.stringify(time)},` +
    `"type":${JSON.stringify(typePrefix + draft.code)}}`
  );
}

function canonicalData(draft: EntryDraft): string {
  try {
    return canonicalText(draft.data);
  } catch (cause) {
    throw malformed(draft.code, cause);
  }
}

function malformed(code: string, cause: unknown): SluiceError<'entry-malformed'> {
  return new SluiceError('entry-malformed', `An audit entry ${code} holds data that JSON cannot carry.`, { cause });
}

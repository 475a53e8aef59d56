/** What happens to recordings, in the words of the audit log. */
import { auditEvent } from '../audit/audit.ts';
import type { AuditLog, EntryDraft, RecordingData } from '../audit/audit.ts';
import { auditDetailCharsMax } from '../lib/limits.ts';
import { printable } from '../lib/printable.ts';
import type { RecordingEvents, RecordingHeader } from '../recording/recording.ts';
import { instant } from '../lib/instant.ts';

/** Enters them in the log. */
export function recordingEntries(audit: AuditLog): RecordingEvents {
  const enter = (draft: EntryDraft): void => void audit.append(draft);
  const detail = (text: string): string => printable(text, auditDetailCharsMax);
  return {
    async started(header) {
      enter(auditEvent('recording.started', dataOf(header)));
      await audit.durable();
    },
    rotated: (header, segment, bytes, digest) =>
      enter(auditEvent('recording.rotated', { ...dataOf(header), segment, bytes, digest })),
    closed: (header, totals, digest) =>
      enter(auditEvent('recording.closed', { ...dataOf(header), totals: { ...totals }, digest })),
    failed: (header, cause, totals, lost) =>
      enter(
        auditEvent('recording.failed', {
          ...dataOf(header),
          cause: detail(cause),
          totals: { ...totals },
          lost: { ...lost },
        }),
      ),
    lost: (session, cause, lost) =>
      enter(auditEvent('recording.lost', { session_id: session, cause: detail(cause), lost: { ...lost } })),
    erased: (header, cause, by, atMs) =>
      enter(auditEvent('recording.erased', { ...dataOf(header), cause, by: detail(by), at: instant(atMs) })),
    read: (header, purpose, by, atMs) =>
      enter(
        auditEvent('recording.read', {
          ...dataOf(header),
          purpose: detail(purpose),
          by: detail(by),
          at: instant(atMs),
        }),
      ),
    durable: async () => await audit.durable(),
  };
}

function dataOf({ recording, session, port, principal, level, tags }: RecordingHeader): RecordingData {
  return { recording, session_id: session, port, principal: { ...principal }, level, tags: { ...tags } };
}

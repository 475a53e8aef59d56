/** How policy files become a revision in force, and what is told of it. */
import { Worker } from 'node:worker_threads';
import { auditEvent } from '../audit/audit.ts';
import type { AuditLog } from '../audit/audit.ts';
import type { ConfigProblem, PolicyFile } from '../config/config.ts';
import type { Logger } from '../lib/logger.ts';
import { programBeside } from '../lib/program.ts';
import { checkPolicies } from '../policy/policy.ts';
import type { CheckResult, PolicyContext } from '../policy/policy.ts';
import type { Metrics } from '../telemetry/telemetry.ts';

/** So little is read sooner than a thread starts. */
const charsAtOnce = 32_768;
/** A thread that has had nothing to do for so long is let go, with the documents that it remembers. */
const idleMs = 3_600_000;

/** What the thread is asked. */
export interface CheckQuestion {
  readonly files: readonly PolicyFile[];
  readonly context: PolicyContext;
  readonly nowMs: number;
}

/**
 * Reads and checks policy files in a thread of its own: a large set takes seconds, in which whoever serves clients or
 * writes the audit log must not stand still. It remembers what it has read, so that an edit costs what it changes. One
 * question at a time.
 */
export class PolicyChecker {
  #thread: Worker | null = null;
  #timer: NodeJS.Timeout | null = null;

  /** @throws what the thread threw, or that it ended */
  async check(question: CheckQuestion): Promise<CheckResult> {
    const { files, context, nowMs } = question;
    const chars = files.reduce((sum, { text }) => sum + text.length, 0);
    if (chars <= charsAtOnce && this.#thread === null) return checkPolicies(files, context, nowMs);
    if (this.#timer !== null) clearTimeout(this.#timer);
    const thread = (this.#thread ??= this.#start());
    try {
      return await new Promise<CheckResult>((resolve, reject) => {
        thread.once('message', resolve);
        thread.once('error', reject);
        thread.once('exit', (code) => reject(new Error(`the thread that reads policies ended with code ${code}`)));
        // oxlint-disable-next-line unicorn/require-post-message-target-origin -- a thread has no origin
        thread.postMessage(question);
      });
    } finally {
      for (const event of ['message', 'error', 'exit']) thread.removeAllListeners(event);
      // A defect of a thread that is let go is no defect of the gateway.
      thread.on('error', () => {});
      this.#timer = setTimeout(() => this.close(), idleMs).unref();
    }
  }

  close(): void {
    if (this.#timer !== null) clearTimeout(this.#timer);
    const thread = this.#thread;
    this.#thread = null;
    void thread?.terminate();
  }

  #start(): Worker {
    const thread = new Worker(programBeside('policy-thread', import.meta.url));
    thread.unref();
    thread.once('exit', () => {
      if (this.#thread === thread) this.#thread = null;
    });
    return thread;
  }
}

/** A revision in force, as reports know it. */
export interface LoadedPolicies {
  readonly revision: string;
  /** Names of the documents. */
  readonly policies: readonly string[];
}

const problemsInEntryMax = 10;

export interface PolicyReports {
  onLoaded(policies: LoadedPolicies, previous: LoadedPolicies | null, warnings: readonly ConfigProblem[]): void;
  onRejected(problems: readonly ConfigProblem[], inForce: LoadedPolicies): void;
}

export function policyReports(
  { audit, metrics, logger }: { audit: AuditLog; metrics: Metrics; logger: Logger },
  changed: () => void,
): PolicyReports {
  return {
    onLoaded(policies, previous, warnings) {
      const { revision, policies: documents } = policies;
      const entry = { revision, previous_revision: previous?.revision ?? 'none', documents };
      audit.append(auditEvent('policy.loaded', entry));
      metrics.policyLoaded(revision, documents.length);
      logger.info({ revision, previous: previous?.revision, documents: documents.length }, 'policies loaded');
      for (const warning of warnings) logger.warn({ place: placeOf(warning) }, warning.message);
      changed();
    },
    onRejected(problems, { revision }) {
      const listed = problems
        .slice(0, problemsInEntryMax)
        .map(({ path, line, column, message }) => ({ path, line, column, message }));
      const entry = { revision_in_force: revision, problems: listed, problems_total: problems.length };
      audit.append(auditEvent('policy.rejected', entry));
      metrics.policyRejected();
      for (const problem of listed) logger.error({ place: placeOf(problem) }, problem.message);
      const message = 'the policy edit was rejected; the last good revision stays in force';
      logger.error({ problems: problems.length, in_force: revision }, message);
    },
  };
}

export function placeOf({ path, line, column }: ConfigProblem): string {
  return `${path}:${line}:${column}`;
}

/** The door of the policy part: documents in, decisions out. Pure: no sockets, no files, no clock of its own. */
export type { Access, CompileResult, PolicyContext, PolicyProblem, PolicySet, PolicySource } from './contract.ts';
export { KnownDocuments, assemblePolicies, checkPolicies, compilePolicies } from './compile.ts';
export type { CheckedDocument, CheckResult, PolicyBundle } from './compile.ts';
export { diffPolicies, formatDiff } from './diff.ts';
export type { DiffLine, DocumentDiff, PolicyDiff } from './diff.ts';
export { explain } from './explain.ts';
export type { Explanation, Obstacle, RuleVerdict } from './explain.ts';

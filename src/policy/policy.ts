/** The door of the policy part: documents in, decisions out. Pure: no sockets, no files, no clock of its own. */
export type { Access, CompileResult, PolicyContext, PolicyProblem, PolicySet, PolicySource } from './contract.ts';
export { compilePolicies } from './compile.ts';

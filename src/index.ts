// The public library: everything that may be imported from "comp-llm", and nothing else.
export { CompError, type ErrorKind } from "./errors.ts";
export type * from "./events.ts";
export { type PruneRequest, prune as pruneCheckpoint } from "./node/prune.ts";
export type { CalibrationText, PruneOptions } from "./options.ts";

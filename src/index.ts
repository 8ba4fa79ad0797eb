// The public library: everything that may be imported from "comp-llm", and nothing else.
export { CompError, type ErrorKind } from "./errors.ts";
export type * from "./events.ts";
export { removeLowest } from "./importance/by-score.ts";
export type { Criterion, CriterionContext, MlpMatrices, NeuronStatistics, Removal } from "./importance/criterion.ts";
export { type PruneRequest, prune as pruneCheckpoint } from "./node/prune.ts";
export { type CurveRequest, curve as traceCurve } from "./node/trace-curve.ts";
export type { CalibrationText, CompareOptions, CurveOptions, EvalOptions, PruneOptions } from "./options.ts";
export { type Preset, presets } from "./presets.ts";

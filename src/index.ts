// The public library: everything that may be imported from "comp-llm", and nothing else.
export { CompError, type ErrorKind } from "./errors.ts";
export type * from "./events/common.ts";
export type * from "./events/compare.ts";
export type * from "./events/curve.ts";
export type * from "./events/eval.ts";
export type * from "./events/generate.ts";
export type * from "./events/prune.ts";
export { removeLowest } from "./importance/by-score.ts";
export type { Criterion, CriterionContext, MlpMatrices, NeuronStatistics, Removal } from "./importance/criterion.ts";
export { type Preset, presets } from "./method/presets.ts";
export { type PruneRequest, prune as pruneCheckpoint } from "./node/prune.ts";
export { type CurveRequest, curve as traceCurve } from "./node/trace-curve.ts";
export type { CompareOptions } from "./options/compare.ts";
export type { CurveOptions } from "./options/curve.ts";
export type { EvalOptions } from "./options/eval.ts";
export type { CalibrationText, PruneOptions } from "./options/prune.ts";

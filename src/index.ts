// The public library: everything that may be imported from "comp-llm", and nothing else. Nine functions, all of them from paths
// on this machine to a stream of events that ends in "done"; `inspect` answers at once. `readText` reads what they take as text;
// `inspectCache` and `clearCache` are about what runs keep for later ones.
export { CompError, type ErrorKind } from "./errors.ts";
export type * from "./events/bench.ts";
export type * from "./events/cache.ts";
export type * from "./events/common.ts";
export type * from "./events/compare.ts";
export type * from "./events/fit.ts";
export type * from "./events/model.ts";
export type * from "./events/prune.ts";
export type * from "./events/vocabulary.ts";
export type { BlockCosts } from "./importance/block-costs.ts";
export type { Criterion, CriterionContext, Removal } from "./importance/criterion.ts";
export { byScore, removeLowest, type Scores } from "./importance/one-shot.ts";
export type { OutputProjection, ProjectionStatistics } from "./linalg/projection.ts";
export type { OwnCriterion } from "./method/resolve-method.ts";
export { type BenchRequest, bench } from "./node/bench.ts";
export { clearCache, inspectCache } from "./node/cache.ts";
export { type CompareRequest, compare } from "./node/compare.ts";
export { type EvaluateRequest, evaluate } from "./node/evaluate.ts";
export { type FitRequest, fit } from "./node/fit.ts";
export {
  type CurveRequest,
  curve,
  type GenerateRequest,
  generate,
  type InspectRequest,
  inspect,
  type VocabularyRequest,
  vocabulary,
} from "./node/measure.ts";
export { type PruneRequest, prune } from "./node/prune.ts";
export { readText } from "./node/read-text.ts";
export { type VerifyRequest, verifyCheckpoint } from "./node/verify.ts";
export type { BenchOptions } from "./options/bench.ts";
export type { DeviceName } from "./options/common.ts";
export type { CompareOptions } from "./options/compare.ts";
export type { CurveOptions } from "./options/curve.ts";
export type { DtypeName } from "./options/dtypes.ts";
export type { EvalOptions } from "./options/eval.ts";
export type { FitOptions } from "./options/fit.ts";
export type { GenerateOptions } from "./options/generate.ts";
export { type Preset, presets } from "./options/presets.ts";
export type { CalibrationText, PruneOptions, RecordedOptions } from "./options/prune.ts";
export type { VerifyOptions } from "./options/verify.ts";

// The method that trials go by, and what a method weighs tokens by.
import type { Criterion } from "../importance/criterion.ts";
import { type DecoderSpec, normsOutputs } from "../model/spec/decoder-spec.ts";
import { recoveries } from "../recover/index.ts";
import type { Recovery } from "../recover/recovery.ts";
import type { Method } from "./method.ts";

/** The same method by another criterion, towards each layer's own output and without the choice of a ridge: for trials, which only rank. */
export const trialMethod = (method: Method, spec: DecoderSpec, criterion: Criterion): Method => ({
  ...method,
  criterion,
  recovery: method.recovery.towardsDense === true ? recoveries["least-squares"] : method.recovery,
  choosesRidge: false,
  importance: "none",
  tokenScale: scalesTokens(spec, criterion, method.recovery),
});

/** Where norms follow the projections and the metric is the loss's; what a bias makes up for is the mean of all tokens alike. */
export const scalesTokens = (
  spec: DecoderSpec,
  { needsFisherFactor }: Criterion,
  { towardsDense, addsBias }: Recovery,
): boolean => normsOutputs(spec) && (needsFisherFactor === true || towardsDense === true) && addsBias !== true;

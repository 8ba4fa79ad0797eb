import { expect, test } from "vitest";
import type { Fit, JudgedMix } from "../../src/events/fit.ts";
import { renderFitVerdict } from "../../src/report/fit.ts";
import { pruneResult } from "../helpers/prune-result.ts";

const mix = (over: Partial<JudgedMix>): JudgedMix => ({
  ...{ dtype: "q4_k_m", sparsity: 0.1, bytes: 9e7, klDivergence: 0.3 },
  ...over,
});
const plain = mix({ dtype: "q3_k_m", sparsity: 0, klDivergence: 0.5 });

/** Of a model with a divergence of 0.40212. */
const verdictOf = (over: Partial<Fit>): string[] =>
  renderFitVerdict({ mixes: [mix({})], plain, result: pruneResult, ...over });

test("what quantizing alone would give stands beside what was pruned", () => {
  expect(verdictOf({})).toEqual(["instead         q3_k_m, nothing pruned: 90.0 MB, KL divergence about 0.5"]);
});

test("where it gives more, it is said to be the answer", () => {
  expect(verdictOf({ plain: { ...plain, klDivergence: 0.3 } })).toEqual([
    "instead         q3_k_m, nothing pruned: 90.0 MB, KL divergence about 0.3",
    "beware          just quantize: --dtype q3_k_m --sparsity 0 has the smaller divergence",
  ]);
});

test("where there is none, or it was taken, that is said", () => {
  const { plain: _, ...without } = { plain, mixes: [mix({})], result: pruneResult };
  expect(renderFitVerdict(without)).toEqual(["instead         no type meets the limit without pruning"]);
  const whole = { ...pruneResult, sparsity: { all: 0, decoder: 0 } };
  expect(verdictOf({ result: whole })).toEqual(["instead         nothing: it is a plain quantization"]);
});

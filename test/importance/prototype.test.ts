// Against the research prototype, which keeps whole matrices up to date instead of pending factors.
import { readFileSync } from "node:fs";
import { expect, test } from "vitest";
import type { Removal } from "../../src/importance/criterion.ts";
import { type CriterionName, criteria } from "../../src/importance/index.ts";
import { referenceGemm as gemm } from "../../src/linalg/reference-gemm.ts";
import { gramOf, randomMatrix } from "../linalg/random-matrix.ts";

interface Fixture {
  readonly tokens: number;
  readonly size: number;
  readonly hidden: number;
  readonly runs: Readonly<Record<string, { readonly order: number[]; readonly costs: number[] }>>;
}

// Printed by fixtures/greedy.py.
const fixture: Fixture = JSON.parse(readFileSync(new URL("fixtures/greedy.json", import.meta.url), "utf8"));
const { tokens, size, hidden } = fixture;
const gram = Float32Array.from(gramOf(randomMatrix(tokens, size, 11), tokens));
const fisherFactor = Float32Array.from(gramOf(randomMatrix(hidden, hidden, 13), hidden));
const projection = {
  weight: Float32Array.from(randomMatrix(hidden, size, 12)),
  inputSize: size,
  outputSize: hidden,
};

const rank = (name: CriterionName): Promise<Removal> => {
  const statistics = { gram, mean: new Float32Array(0), tokenCount: tokens, fisherFactor };
  return criteria[name].rank(projection, statistics, 140, { gemm, random: Math.random });
};

test.each([
  ["obs", "obs"],
  ["loss", "obs with loss covariance"],
  ["condition", "condition"],
] as const)("%s removes the prototype's neurons in the prototype's order", async (name, run) => {
  const { order } = await rank(name);
  expect([...order]).toEqual(fixture.runs[run]!.order);
});

test.each([
  ["obs", "obs"],
  ["loss", "obs with loss covariance"],
] as const)("%s charges the prototype's costs", async (name, run) => {
  const { costs } = await rank(name);
  fixture.runs[run]!.costs.forEach((cost, i) => {
    expect(costs[i]! / cost).toBeCloseTo(1, 3);
  });
});

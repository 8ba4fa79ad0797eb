// Against the research prototype, which keeps whole matrices up to date instead of pending factors.
import { readFileSync } from "node:fs";
import { expect, test } from "vitest";
import type { Removal } from "../../src/importance/criterion.ts";
import { criteria } from "../../src/importance/index.ts";
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
const lossCovariance = Float32Array.from(gramOf(randomMatrix(hidden, hidden, 13), hidden));
const empty = new Float32Array(0);
const mlp = {
  gateProj: empty,
  upProj: empty,
  downProj: Float32Array.from(randomMatrix(hidden, size, 12)),
  hiddenSize: hidden,
  intermediateSize: size,
};

const rank = (name: "obs" | "condition", over: object = {}): Promise<Removal> =>
  criteria[name].rank(mlp, { gram, mean: empty, tokenCount: tokens, ...over }, 140, { gemm, random: Math.random });

test.each([
  ["obs", "obs", {}],
  ["obs with loss covariance", "obs", { lossCovariance }],
  ["condition", "condition", {}],
] as const)("%s removes the prototype's neurons in the prototype's order", async (run, name, over) => {
  const { order } = await rank(name, over);
  expect([...order]).toEqual(fixture.runs[run]!.order);
});

test.each([
  ["obs", {}],
  ["obs with loss covariance", { lossCovariance }],
] as const)("%s charges the prototype's costs", async (run, over) => {
  const { costs } = await rank("obs", over);
  fixture.runs[run]!.costs.forEach((cost, i) => {
    expect(costs[i]! / cost).toBeCloseTo(1, 3);
  });
});

// The decision by hand: layers of 1000 parameters, 400 of attention and 30 for each of 20 neurons.

import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { neuronsOnly } from "../../src/allocation/curves.ts";
import { decide, type Findings, keepInfluential } from "../../src/allocation/decide.ts";
import { reachedSparsity } from "../../src/allocation/equal-widths.ts";
import { sizesOf } from "../../src/model/spec/parts.ts";
import { methodOf } from "../helpers/method.ts";
import { smallSpec } from "../helpers/specs.ts";

const EVEN = { widths: "equal" };
const LOSS = { widths: "per-layer", multipleOf: 5 };
const GLOBAL = { preset: "flap", recovery: "none", multipleOf: 5 };

const decision = (options: object, findings: Findings, sparsity: number, spec = smallSpec(4)) =>
  decide(spec, findings, methodOf({ sparsityOf: "decoder", prune: "mlp", layers: 0, ...options }, spec), sparsity);
const widthsOf = (...of: Parameters<typeof decision>): number[] =>
  decision(...of).spec.layers.map((layer) => sizesOf(layer).intermediateSize);

/** Costs of the 15 neurons that may go of each layer, all alike within a layer. */
const costs = (...each: number[]) => each.map((cost) => neuronsOnly(new Float64Array(15).fill(cost)));

describe("which layers go", () => {
  const influences = [0.3, 0.1, 0.2, 0.1];

  test.each<[string, object, number, number[]]>([
    ["none", { layers: 0 }, 0.2, [0, 1, 2, 3]],
    ["those that are named, whatever they matter", { layers: [2, 0] }, 0.5, [1, 3]],
    ["so many of least influence", { layers: 2 }, 0.5, [0, 2]],
    ["of equals the later", { layers: 1 }, 0.25, [0, 1, 2]],
    ["as many as fit into half", { layers: "half" }, 0.5, [0, 1, 2]],
    ["as many as suffice", { layers: "only", preset: "shortgpt", prune: undefined }, 0.5, [0, 2]],
    ["as few as leave 0.4 of the width", { layers: "auto", preset: "osscar" }, 0.6, [0, 2]],
  ])("%s", (_, options, sparsity, kept) => {
    expect(decision({ ...EVEN, ...options }, { influences }, sparsity).keptLayers).toEqual(kept);
  });

  test("influences alone: the lowest go, nothing when none is asked for", () => {
    expect(keepInfluential(smallSpec(5), [0.5, 0.1, 0.3, 0.05, 0.4], 2)).toEqual([0, 2, 4]);
    expect(keepInfluential(smallSpec(3), [0.1, 0.1, 0.1], 1)).toEqual([0, 1]);
    expect(keepInfluential(smallSpec(2), [1, 2], 0)).toEqual([0, 1]);
  });
});

describe("what the others keep", () => {
  test("even: 1440 of 4000 parameters are 12 neurons of each layer, 440 are 5 of three", () => {
    expect(widthsOf(EVEN, {}, 0.36)).toEqual([8, 8, 8, 8]);
    expect(widthsOf({ ...EVEN, layers: [0] }, {}, 0.36)).toEqual([15, 15, 15]);
  });

  test("even, with a protected layer", () => {
    expect(widthsOf({ preset: "llm-pruner", spare: [1, 0] }, {}, 0.36)).toEqual([20, 4, 4, 4]);
  });

  test.each([
    ["loss", LOSS],
    ["global", GLOBAL],
  ])("%s: the cheapest give, in steps of five", (_, options) => {
    expect(widthsOf(options, { costs: costs(1, 4, 3, 2) }, 0.15)).toEqual([5, 20, 20, 15]);
  });

  test("loss: each layer that stays by its own costs", () => {
    // layers 1 and 3 are gone, half of all; 0.05 more are 200 parameters, two steps of 150
    const options = { ...LOSS, layers: [1, 3] };
    expect(decision(options, { costs: costs(5, 1, 2, 1) }, 0.55)).toMatchObject({
      keptLayers: [0, 2],
      spec: { layers: [{ channel: { intermediateSize: 20 } }, { channel: { intermediateSize: 10 } }] },
    });
  });

  test("nothing goes at sparsity 0", () => {
    expect(decision(EVEN, {}, 0).spec).toEqual(smallSpec(4));
    expect(decision(LOSS, { costs: costs(1, 2, 3, 4) }, 0).spec).toEqual(smallSpec(4));
  });

  test.each<[string, object, number]>([
    ["even", { ...EVEN, multipleOf: 1 }, 0.57],
    ["loss", LOSS, 0.45],
    ["global", GLOBAL, 0.45],
  ])("%s: what is asked for is reached, with a step to spare at most", (_, options, most) => {
    const cost = fc.double({ min: 0.01, max: 100, noNaN: true });
    const check = fc.property(
      fc.double({ min: 0, max: most, noNaN: true }),
      fc.tuple(cost, cost, cost, cost),
      (sparsity, each) => {
        const { spec } = decision(options, { costs: costs(...each) }, sparsity);
        const reached = reachedSparsity(smallSpec(4), spec, "decoder");
        expect(reached).toBeGreaterThanOrEqual(sparsity - 1e-9);
        expect(reached).toBeLessThan(sparsity + (5 * 30) / 4000 + 1e-9);
      },
    );
    fc.assert(check, { numRuns: 50 });
  });
});

describe("what else it tells", () => {
  const [twoLayers, orders] = [smallSpec(2), [Int32Array.of(1), Int32Array.of(2)]];

  test("by loss, how many times the divergence equal widths would have: 5 · 1 + 5 · 3 over 10 · 1", () => {
    expect(decision(LOSS, { costs: costs(1, 3) }, 0.15, twoLayers).equalCostRatio).toBe(2);
  });

  test("no such ratio where equal widths cannot reach the sparsity", () => {
    const whole = costs(1, 3).map((layer) => ({ ...layer, restOfMlp: 1, heads: Float64Array.of(1, 1) }));
    const { equalCostRatio, spec } = decision({ ...LOSS, prune: "all" }, { costs: whole }, 0.6, twoLayers);
    expect(equalCostRatio).toBeUndefined();
    expect(reachedSparsity(twoLayers, spec, "decoder")).toBeGreaterThanOrEqual(0.6);
  });

  test("none at all by another allocation", () => {
    expect(decision(EVEN, { costs: costs(1, 3) }, 0.15, twoLayers)).not.toHaveProperty("equalCostRatio");
    expect(decision(GLOBAL, { costs: costs(1, 3) }, 0.15, twoLayers)).not.toHaveProperty("equalCostRatio");
  });

  test("orders of neurons are handed on", () => {
    expect(decision(GLOBAL, { costs: costs(1, 3), orders }, 0.15, twoLayers).orders).toBe(orders);
    expect(decision(LOSS, { costs: costs(1, 3) }, 0.15, twoLayers).orders).toBeUndefined();
  });

  test("findings that hold for every sparsity are left as they are", () => {
    const findings = { influences: [0.3, 0.1], costs: costs(1, 3), orders };
    const before = structuredClone(findings);
    for (const sparsity of [0.1, 0.3]) decision({ ...LOSS, layers: 1 }, findings, sparsity, twoLayers);
    expect(findings).toEqual(before);
  });
});

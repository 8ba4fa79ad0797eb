import { describe, expect, test } from "vitest";
import { type LayerCosts, neuronsOnly } from "../../src/allocation/curves.ts";
import { continuedCosts, equalOverOwn, ownOverEqual, predictedDivergence } from "../../src/allocation/predicted.ts";
import { equalSpec, perLayerSpec } from "../../src/allocation/sizes.ts";
import { methodOf } from "../helpers/method.ts";
import { layersAt, smallSpec } from "../helpers/specs.ts";

describe("the divergence of a layer cut to other sizes", () => {
  const costs = { neurons: Float64Array.of(1, 2, 3), restOfMlp: 10, heads: Float64Array.of(20, 40) };
  const full = { intermediateSize: 4, numAttentionHeads: 4, numKeyValueHeads: 2 };

  test.each([
    ["nothing", {}, 0],
    ["two neurons", { intermediateSize: 2 }, 3],
    ["the whole MLP", { intermediateSize: 0 }, 16],
    ["a query head of each group", { numAttentionHeads: 2 }, 20],
    ["the whole attention and a neuron", { intermediateSize: 3, numAttentionHeads: 0, numKeyValueHeads: 0 }, 61],
  ])("%s", (_, cut, expected) => {
    expect(predictedDivergence(costs, full, { ...full, ...cut })).toBe(expected);
  });
});

describe("costs that go on", () => {
  test("grow as they grew, and end where they are told", () => {
    const measured = Float64Array.from({ length: 160 }, (_, i) => 1.01 ** i);
    const continued = continuedCosts(measured, 200);
    expect(continued.subarray(0, 160)).toEqual(measured);
    continued.subarray(160).forEach((cost, i) => {
      expect(cost / 1.01 ** (160 + i)).toBeCloseTo(1, 2);
    });
    expect(continuedCosts(measured, 100)).toEqual(measured.subarray(0, 100));
  });

  test("are level where they fell, or were nothing", () => {
    expect(continuedCosts(Float64Array.of(3, 2, 1), 5)).toEqual(Float64Array.of(3, 2, 1, 1, 1));
    expect(continuedCosts(new Float64Array(2), 4)).toEqual(new Float64Array(4));
    expect(continuedCosts(Float64Array.of(2), 3)).toEqual(Float64Array.of(2, 2, 2));
  });
});

describe("the other choice of widths", () => {
  // of 2 · 1000 parameters 300 go: 5 neurons of 30 in each layer, or 10 in the cheaper one
  const [spec, keptLayers] = [smallSpec(2), layersAt(0, 1)];
  const method = methodOf({ sparsityOf: "decoder", layers: 0, multipleOf: 5, widths: "equal" }, spec);
  const flat = (length: number, ...each: number[]) => each.map((cost) => new Float64Array(length).fill(cost));
  const equal = { keptLayers, spec: equalSpec(spec, keptLayers, method, 0.15) };
  const ownOf = (costs: LayerCosts[]) => ({ keptLayers, spec: perLayerSpec(spec, keptLayers, costs, method, 0.15) });

  test("equal over own: 5 · 1 + 5 · 3 over 10 · 1", () => {
    const costs = flat(15, 1, 3).map(neuronsOnly);
    expect(equalOverOwn(spec, ownOf(costs), costs, method, 0.15)).toBe(20 / 10);
  });

  test("own over equal, from the 5 of each that were removed: 10 · 1 over 5 · 1 + 5 · 3", () => {
    expect(ownOverEqual(spec, equal, flat(5, 1, 3), method)).toBe(10 / 20);
  });

  test("both are 1 where layers cost the same", () => {
    const costs = flat(15, 2, 2).map(neuronsOnly);
    expect(equalOverOwn(spec, ownOf(costs), costs, method, 0.15)).toBe(1);
    expect(ownOverEqual(spec, equal, flat(5, 2, 2), method)).toBe(1);
  });

  test("costs belong to the layers that stay", () => {
    const three = smallSpec(3);
    const kept = layersAt(0, 2);
    const sparsity = (1000 + 300) / 3000;
    const chosen = { keptLayers: kept, spec: equalSpec(three, kept, method, sparsity) };
    expect(ownOverEqual(three, chosen, flat(5, 1, 3), method)).toBe(10 / 20);
  });

  test("costs that rise are continued: the second five neurons of the cheap layer cost more than the first", () => {
    const rising = Float64Array.from({ length: 5 }, (_, i) => 1.2 ** i);
    const dear = rising.map((cost) => 3 * cost);
    const five = rising.reduce((sum, cost) => sum + cost, 0);
    const ten = five * (1 + 1.2 ** 5);
    expect(ownOverEqual(spec, equal, [rising, dear], method)).toBeCloseTo(ten / (4 * five), 12);
  });

  test("nothing is said without costs, where nothing costs, or where equal widths are out of reach", () => {
    expect(ownOverEqual(spec, equal, flat(0, 1, 3), method)).toBeUndefined();
    expect(ownOverEqual(spec, equal, flat(5, 0, 0), method)).toBeUndefined();
    const costs = flat(15, 1, 3).map(neuronsOnly);
    expect(equalOverOwn(spec, ownOf(costs), costs, method, 0.6)).toBeUndefined();
  });
});

// The numbers that a share comes to, by hand. A layer of the tiny Qwen 3 MoE has 3,936 weights in its matrices: 1,536 in an attention
// of four query heads in two groups, 256 for each of these heads; and for each of six experts, of which a token goes to two, 384 and
// a row of 16 in the router. So an expert of each layer is 0.1016 of all, a head of each group 0.1301, and a layer a third.
import { describe, expect, test } from "vitest";
import { type CutShare, firstShares, settleShare } from "../../src/allocation/shares.ts";
import { methodOf } from "../helpers/method.ts";
import { tinySpec } from "../helpers/specs.ts";

const spec = tinySpec("qwen3-moe");
const methodWith = (options: object) =>
  methodOf({ sparsityOf: "decoder", experts: "auto", multipleOf: 1, prune: "all", ...options }, spec);

const settled = (share: Partial<CutShare>, sparsity: number, options: object = {}) =>
  settleShare(spec, methodWith(options), { layers: 0, heads: 0, experts: 0, ...share }, sparsity);

const experts = (count: number) => ({ experts: { kind: "count", count } });

describe("experts give at least their share of what is to go", () => {
  test.each<[string, Partial<CutShare>, number, number]>([
    ["none of it", { experts: 0 }, 0.2, 0],
    ["half of 0.2", { experts: 0.5 }, 0.2, 1],
    ["three quarters of it", { experts: 0.75 }, 0.2, 2],
    ["all of it", { experts: 1 }, 0.2, 2],
    ["all that they can, which is not enough", { experts: 1 }, 0.5, 4],
    ["all of what a layer leaves of 0.4: 0.0667, an expert of two layers 0.0678", { experts: 1, layers: 1 }, 0.4, 1],
    ["nothing, where a layer gives enough", { experts: 1, layers: 1 }, 0.3, 0],
    ["all of what a head of each group leaves of 0.2", { experts: 1, heads: 1 }, 0.2, 1],
  ])("%s", (_, share, sparsity, count) => {
    expect(settled(share, sparsity)).toMatchObject(experts(count));
  });
});

// Half of the width and four experts less leave 0.496; half of the width alone 0.707, and with a layer less 0.472.
test.each([
  [0.25, 0],
  [0.5, 1],
])(
  "the first are shares of experts beside the fewest layers, and the fewest without experts: of %f",
  (sparsity, layers) => {
    expect(firstShares(spec, methodWith({}), sparsity, [0, 1])).toEqual([
      { layers: 0, heads: 0, experts: 0 },
      { layers: 0, heads: 0, experts: 1 },
      { layers, heads: 0, experts: 0 },
    ]);
  },
);

test("layers and heads go by number", () => {
  expect(settled({ layers: 1, heads: 1 }, 0.6)).toMatchObject({
    layers: { kind: "count", count: 1 },
    heads: { kind: "count", heads: 1, kvGroups: 0 },
  });
});

test.each<[object, object]>([
  [{ layers: 0 }, { layers: { kind: "none" } }],
  [{ layers: [2] }, { layers: { kind: "list", removed: [2] } }],
  [{ prune: "mlp" }, { heads: { kind: "none" } }],
  [{ heads: 0 }, { heads: { kind: "none" } }],
  [{ kvGroups: 1 }, { heads: { kind: "count", kvGroups: 1, heads: 0 } }],
])("what is not open stays as it was asked for: %j", (options, rules) => {
  expect(settled({ layers: 1, heads: 1 }, 0.5, options)).toMatchObject(rules);
});

test.each<[string, Partial<CutShare>, number]>([
  ["a negative share", { experts: -0.25 }, 0.2],
  ["more than all", { experts: 1.25 }, 0.2],
  ["layers that came back", { layers: -1 }, 0.2],
  ["all layers", { layers: 3 }, 0.2],
  ["heads that came back", { heads: -1 }, 0.2],
  ["all heads of a group", { heads: 2 }, 0.2],
  ["what even a neuron an expert does not reach", { experts: 0 }, 0.55],
])("there is no such thing as %s", (_, share, sparsity) => {
  expect(settled(share, sparsity)).toBeUndefined();
});

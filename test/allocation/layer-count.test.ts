// How many layers go, on four layers of 1000 parameters each: 400 of attention, 30 a neuron.
import { describe, expect, test } from "vitest";
import { anyLayers, mostReachable, planLayers, whyOutOfReach } from "../../src/allocation/layer-count.ts";
import { methodOf } from "../helpers/method.ts";
import { layersAt, smallSpec } from "../helpers/specs.ts";

const spec = smallSpec(4);
const cutOf = (layers: unknown, sparsity: number, over: object = {}) =>
  planLayers(spec, methodOf({ sparsityOf: "decoder", prune: "mlp", layers, ...over }, spec), sparsity);

describe("the rule", () => {
  test("none: no layer, and calibration has nothing to choose", () =>
    expect(cutOf(0, 0.5)).toEqual({ count: 0, removed: [] }));

  test("list: those, sorted and each once", () => expect(cutOf([3, 1, 3], 0.2)).toEqual({ count: 2, removed: [1, 3] }));

  test("count: so many, which ones is open", () => expect(cutOf(3, 0.2)).toEqual({ count: 3, removed: undefined }));

  // k layers are k / 4
  test.each([
    [0, 0],
    [0.49, 0],
    [0.5, 1],
    [0.95, 1],
  ])("half: at sparsity %f the most within half of it are %i", (sparsity, count) =>
    expect(cutOf("half", sparsity)).toEqual({ count, removed: count === 0 ? [] : undefined }),
  );

  test.each([
    [0, 0],
    [0.25, 1],
    [0.26, 2],
    [0.5, 2],
    [0.75, 3],
  ])("only: at sparsity %f the fewest that reach it are %i", (sparsity, count) =>
    expect(cutOf("only", sparsity).count).toBe(count),
  );

  // With 0.4 of the width, 8 neurons, a layer has 640 parameters: k layers less reach 1 − 0.16 (4 − k).
  // With 0.1, 2 neurons, it has 460: 1 − 0.115 (4 − k), which counts beyond 0.84 only.
  test.each([
    [0.36, 0],
    [0.37, 1],
    [0.52, 1],
    [0.53, 2],
    [0.68, 2],
    [0.69, 3],
    [0.84, 3],
    [0.885, 3],
  ])("fewest: at sparsity %f no more than %i have to go", (sparsity, count) => {
    expect(cutOf("auto", sparsity, { preset: "osscar" }).count).toBe(count);
  });

  test("search: the fewest are where trials begin", () => {
    expect(methodOf({ layers: "auto" }, spec).layers).toEqual({ kind: "search" });
    expect(cutOf("auto", 0.53).count).toBe(2);
  });

  test("fewest: heads that go by number come on top", () => {
    // a head of 5 elements is 200 parameters: 440 are left of a layer at 8 neurons, 1 − 0.11 · 4 without removing any
    expect(cutOf("auto", 0.56, { prune: "all", kvGroups: 1 }).count).toBe(0);
    expect(cutOf("auto", 0.57, { prune: "all", kvGroups: 1 }).count).toBe(1);
  });

  test("all parameters include embeddings and norms: layers alone reach less", () => {
    // a layer with its norms is 1020 of 4 · 1020 + 110
    expect(cutOf("only", 1020 / 4190, { sparsityOf: "all" }).count).toBe(1);
    expect(cutOf("only", 0.25, { sparsityOf: "all" }).count).toBe(2);
  });
});

describe("refused", () => {
  test.each<[unknown, number, string, string]>([
    [[3, 9], 0.2, "option", "--layers names layer 9; the model has layers 0 to 3"],
    [[0, 1, 2, 3], 0.2, "budget", "--layers removes 4 layers of 4; at least one has to stay"],
    [4, 0.2, "budget", "--layers removes 4 layers of 4; at least one has to stay"],
    ["only", 0.76, "budget", "a sparsity of 0.76 cannot be reached by removing whole layers alone"],
    [
      "auto",
      0.89,
      "budget",
      "a sparsity of 0.89 cannot be reached; 0.885 is the most, with one layer left, which keeps 10 % of its neurons",
    ],
  ])("%j at %f: %s", (layers, sparsity, kind, message) => {
    expect(() => cutOf(layers, sparsity)).toThrow(expect.objectContaining({ kind, message }));
  });
});

test("which stay, where it does not matter or is known", () => {
  expect(anyLayers(spec, { count: 2, removed: layersAt(0, 2) })).toEqual([1, 3]);
  expect(anyLayers(spec, { count: 2, removed: undefined })).toEqual([2, 3]);
  expect(anyLayers(spec, { count: 0, removed: [] })).toEqual([0, 1, 2, 3]);
});

describe("how far a sparsity can be reached", () => {
  // one neuron of 30 parameters stays beside 400 of attention: 570 of 1000 may go
  const method = (over: object = {}) => methodOf({ sparsityOf: "decoder", layers: 0, ...over }, spec);

  test("down to one neuron a layer, by the hundredth", () => {
    expect(mostReachable(spec, method(), 0.95)).toBeCloseTo(0.57, 9);
    expect(mostReachable(spec, method(), 0.3)).toBe(0.3);
    expect(mostReachable(spec, method({ multipleOf: 64 }), 0.95)).toBe(0);
  });

  test("what stands against it, nothing where it is reached", () => {
    expect(whyOutOfReach(spec, method(), 0.57)).toBeUndefined();
    expect(whyOutOfReach(spec, method(), 0.6)).toBe(
      "a sparsity of 0.6 cannot be reached by removing neurons alone; 0.570 is the most",
    );
    expect(whyOutOfReach(spec, method({ layers: "only", preset: "shortgpt" }), 0.8)).toContain("whole layers alone");
  });

  test("what is wrong at any sparsity is no reason but an error", () => {
    expect(() => whyOutOfReach(spec, method({ layers: [7] }), 0.2)).toThrow("--layers names layer 7");
  });
});

import { describe, expect, test } from "vitest";
import { anyLayers, planLayers, planPrune } from "../../src/allocation/plan.ts";
import { pruneOptions } from "../../src/method/presets.ts";
import { openModel } from "../../src/model/model.ts";
import { countParameters } from "../../src/model/spec/parameters.ts";
import { openPath } from "../../src/node/open-path.ts";
import type { PruneOptions } from "../../src/options/prune.ts";
import { DEMO_MODEL } from "../helpers/built.ts";

const F16 = { format: "safetensors", dtype: "F16" } as const;

const options = (input: object): PruneOptions => pruneOptions({ widths: "equal", ...input });
const checkpoint = await openPath(DEMO_MODEL);
const model = await openModel(checkpoint);
const layersOf = (input: object) => planLayers(model.spec, options(input));

describe("the option layers", () => {
  test("auto removes none while the neurons suffice", () =>
    expect(layersOf({ sparsity: 0.4 })).toEqual({ count: 0, removed: undefined }));

  test("auto removes the fewest that leave the others a width worth having", () => {
    const { count } = layersOf({ sparsity: 0.7 });
    expect(count).toBeGreaterThan(0);
    const width = (removed: number): number =>
      planPrune(model, options({ sparsity: 0.7, layers: removed }), F16).intermediateSize.after;
    expect(width(count)).toBeGreaterThanOrEqual(0.4 * 512 - 32);
  });

  test("auto says how far it gets", () => {
    // one layer of 52 neurons, its attention and norms, the embeddings and the last norm are left
    const left = 2048 * 128 + 128 * 384 + 3 * 128 * 52 + 3 * 128;
    const most = (1 - left / countParameters(model.spec).total).toFixed(3);
    expect(() => layersOf({ sparsity: 0.9 })).toThrow(
      `a sparsity of 0.9 cannot be reached; ${most} is the most, with one layer left, which keeps 10 % of its neurons`,
    );
    expect(layersOf({ sparsity: Number(most) - 0.001 }).count).toBe(7);
  });

  test("half takes as many as stay within half of the sparsity, only as many as reach it", () => {
    // an eighth of the decoder's matrices is one layer
    const of = { sparsityOf: "decoder" };
    expect(layersOf({ sparsity: 0.5, layers: "half", ...of }).count).toBe(2);
    expect(layersOf({ sparsity: 0.49, layers: "half", ...of }).count).toBe(1);
    expect(layersOf({ sparsity: 0.5, layers: "only", ...of }).count).toBe(4);
    expect(layersOf({ sparsity: 0.51, layers: "only", ...of }).count).toBe(5);
    expect(() => layersOf({ sparsity: 0.9, layers: "only" })).toThrow(
      "cannot be reached by removing whole layers alone",
    );
  });

  test("a list is sorted and holds each once", () =>
    expect(layersOf({ layers: [5, 2, 5] })).toEqual({ count: 2, removed: [2, 5] }));

  test("a layer that is not there", () =>
    expect(() => layersOf({ layers: [3, 9] })).toThrow("--layers names layer 9; the model has layers 0 to 7"));

  test("all of them", () =>
    expect(() => layersOf({ layers: 8 })).toThrow("--layers removes 8 layers of 8; at least one has to stay"));

  test("which stay", () => {
    expect(anyLayers(model.spec, { count: 2, removed: [2, 5] })).toEqual([0, 1, 3, 4, 6, 7]);
    expect(anyLayers(model.spec, { count: 2, removed: undefined })).toHaveLength(6);
  });
});

describe("the plan", () => {
  test("tells the parameters of the demo model, counted by hand, and what goes", () => {
    // embeddings 2048 · 128, attention 128 · (128 + 64 + 64 + 128), MLP 3 · 128 · 512, two norms a layer and one more
    const layer = 128 * 384 + 3 * 128 * 512;
    const before = 2048 * 128 + 8 * (layer + 2 * 128) + 128;
    const plan = planPrune(model, options({ sparsity: 0.2 }), F16);
    const after = before - 8 * 3 * 128 * (512 - plan.intermediateSize.after);
    expect(plan).toMatchObject({
      family: "llama",
      parameters: { before, after },
      decoderParameters: { before: 8 * layer },
      bytes: { before: 2 * before, after: 2 * after },
      layers: { before: 8, after: 8 },
      layersRemoved: [],
      sparsity: { all: expect.closeTo(1 - after / before, 12) },
    });
  });

  test("a wider element type takes more bytes", () => {
    const plan = planPrune(model, options({ sparsity: 0.2 }), { ...F16, dtype: "F32" });
    expect(plan.bytes.after).toBe(4 * plan.parameters.after);
  });

  test("a bias counts where the family has a place for it, in all layers", () => {
    const plain = planPrune(model, options({ preset: "wanda-sp" }), F16);
    const biased = planPrune(model, options({ preset: "wanda-sp", recovery: "bias" }), F16);
    const width = plain.intermediateSize.after;
    expect(biased.parameters.after - plain.parameters.after).toBe(8 * (2 * width + 128));
  });
});

import { describe, expect, test } from "vitest";
import { planPrune } from "../../src/allocation/plan.ts";
import { openModel } from "../../src/model/model.ts";
import { openPath } from "../../src/node/open-path.ts";
import { DEMO_MODEL } from "../helpers/built.ts";
import { methodOf } from "../helpers/method.ts";

const F16 = { format: "safetensors", dtype: "F16" } as const;
const checkpoint = await openPath(DEMO_MODEL);
const model = await openModel(checkpoint);
await checkpoint.close();

const planOf = (options: object, sparsity = 0.2, format: Parameters<typeof planPrune>[3] = F16) =>
  planPrune(model, methodOf({ widths: "equal", ...options }, model.spec), sparsity, format);

describe("the plan", () => {
  test("tells the parameters of the demo model, counted by hand, and what goes", () => {
    // embeddings 2048 · 128, attention 128 · (128 + 64 + 64 + 128), MLP 3 · 128 · 512, two norms a layer and one more
    const layer = 128 * 384 + 3 * 128 * 512;
    const before = 2048 * 128 + 8 * (layer + 2 * 128) + 128;
    const plan = planOf({});
    const after = before - 8 * 3 * 128 * (512 - plan.intermediateSize.after);
    expect(plan).toMatchObject({
      family: "llama",
      parameters: { before, after },
      decoderParameters: { before: 8 * layer },
      bytes: { before: 2 * before, after: 2 * after },
      layers: { before: 8, after: 8 },
      layersRemoved: [],
      searchesSplit: true,
      widths: "equal",
      sparsity: { all: expect.closeTo(1 - after / before, 12) },
    });
  });

  test("a wider element type takes more bytes", () => {
    const plan = planOf({}, 0.2, { ...F16, dtype: "F32" });
    expect(plan.bytes.after).toBe(4 * plan.parameters.after);
  });

  test("a bias counts where the family has a place for it, in all layers", () => {
    const [plain, biased] = [planOf({ preset: "wanda-sp" }), planOf({ preset: "wanda-sp", recovery: "bias" })];
    const width = plain.intermediateSize.after;
    expect(biased.parameters.after - plain.parameters.after).toBe(8 * (2 * width + 128));
  });

  test("names the layers that are known to go, and how many where calibration decides", () => {
    expect(planOf({ layers: [5, 2] }, 0.3)).toMatchObject({ layers: { after: 6 }, layersRemoved: [2, 5] });
    expect(planOf({ layers: 2 }, 0.3)).toMatchObject({ layers: { after: 6 }, layersRemoved: [], searchesSplit: false });
  });

  test("of each layer's own widths tells the mean, to the neuron", () => {
    // 0.2 of the decoder's 8 · 245760 are 393216 parameters, 128 neurons of 384 in each layer: just that; 0.21 are 134.4
    expect(planOf({ widths: "per-layer", sparsityOf: "decoder" }, 0.2).intermediateSize.after).toBe(384);
    expect(planOf({ widths: "per-layer", sparsityOf: "decoder" }, 0.21)).toMatchObject({
      widths: "per-layer",
      intermediateSize: { before: 512, after: 377 },
    });
    expect(planOf({ sparsityOf: "decoder" }, 0.21).intermediateSize.after).toBe(352);
  });

  test("of each layer's own widths counts the bytes of rows that fill their blocks", () => {
    const q8 = { format: "gguf", dtype: "q8_0", weighted: false } as const;
    const options = { widths: "per-layer", sparsityOf: "decoder" };
    const [filled, between] = [planOf(options, 0.2, q8), planOf(options, 0.21, q8)];
    // 377 neurons do not fill blocks of 32, some of 352 and some of 384 do: 34 bytes for 32 elements of what goes in addition
    const gone = 8 * 3 * 128 * (384 - 377);
    expect((filled.bytes.after - between.bytes.after) / ((gone * 34) / 32)).toBeGreaterThan(0.5);
    expect((filled.bytes.after - between.bytes.after) / ((gone * 34) / 32)).toBeLessThan(1.5);
  });
});

import { describe, expect, test } from "vitest";
import { ReusedTensors } from "../../../src/compute/reused-tensor.ts";
import { embed } from "../../../src/forward/run/embed.ts";
import { LayerRunner } from "../../../src/forward/run/layer-runner.ts";
import { gatherColumns } from "../../../src/linalg/gather.ts";
import { openModel } from "../../../src/model/model.ts";
import { readLayer } from "../../../src/model/read-layer.ts";
import { normsOutputs } from "../../../src/model/spec/decoder-spec.ts";
import { layerIndices } from "../../../src/model/spec/layer-index.ts";
import { resized, sizesOf } from "../../../src/model/spec/parts.ts";
import { nodeBackend } from "../../../src/node/host.ts";
import { openPath } from "../../../src/node/open-path.ts";
import { headElements, takeHeads } from "../../../src/prune/heads.ts";
import { takeNeurons } from "../../../src/prune/neurons.ts";
import { expectedLogits, tinyPath } from "../../helpers/fixtures.ts";

describe.each(["llama", "llama-bias", "qwen2", "gemma3"])("%s", (family) => {
  test.each(["attention", "mlp"] as const)(
    "what entered the %s's projection is all that the rest needs",
    async (name) => {
      const checkpoint = await openPath(tinyPath(family));
      const model = await openModel(checkpoint);
      const { spec } = model;
      const runner = new LayerRunner(nodeBackend(1), spec);
      const windows = { ids: Int32Array.from(expectedLogits(family).ids.flat()), count: 2, length: 24 };
      const layer = await readLayer(model, layerIndices(spec)[0]!);
      const sizes = sizesOf(layer.sizes);
      const { weights } = layer;
      const states = await embed(model, windows);
      const wanted = { tokenScale: normsOutputs(spec), holdsOut: false, keepsInputsIn: new ReusedTensors() };
      const { inputs } = await runner.projectionStatistics(name, layer, states, wanted);
      const group = sizes.numAttentionHeads / sizes.numKeyValueHeads;
      const heads = Int32Array.from({ length: group }, (_, i) => i); // those of the first key-value head
      const neurons = Int32Array.from({ length: sizes.intermediateSize - 3 }, (_, i) => i + 2);
      const kept = name === "mlp" ? neurons : headElements(heads, spec.headDim);
      const columns = ({ data, shape }: typeof weights.oProj & object) => ({
        weight: gatherColumns(data, shape[1]!, kept).map((value) => 1.5 * value),
      });
      const cut =
        name === "mlp"
          ? takeNeurons(weights, kept, columns(weights.downProj!))
          : takeHeads(weights, { heads, keyValueHeads: Int32Array.of(0), inputs: kept }, columns(weights.oProj!));
      const cutSizes =
        name === "mlp" ? { intermediateSize: kept.length } : { numAttentionHeads: group, numKeyValueHeads: 1 };
      const whole = states.copy();
      const cutLayer = { sizes: resized(layer.sizes, cutSizes), weights: cut };
      await runner.sublayer(name, cutLayer, whole);
      await runner.project(name, cutLayer, { batches: inputs!, kept }, states);
      for (const [i, value] of states.all.entries()) expect(value).toBeCloseTo(whole.all[i]!, 4);
      await Promise.all([runner.release(), checkpoint.close()]);
    },
  );
});

import { describe, expect, test } from "vitest";
import { tensor } from "../../../src/compute/tensor.ts";
import { embed, type HiddenBatch } from "../../../src/forward/run/hidden-states.ts";
import { LayerRunner } from "../../../src/forward/run/layer-runner.ts";
import { project } from "../../../src/forward/run/project.ts";
import { gatherColumns } from "../../../src/linalg/gather.ts";
import { openModel } from "../../../src/model/model.ts";
import { readLayer } from "../../../src/model/read-layer.ts";
import { nodeBackend } from "../../../src/node/backend.ts";
import { openPath } from "../../../src/node/open-path.ts";
import { headElements, pruneHeads } from "../../../src/prune/heads.ts";
import { pruneNeurons } from "../../../src/prune/neurons.ts";
import { expectedLogits, tinyPath } from "../../helpers/fixtures.ts";

describe.each(["llama", "llama-bias", "qwen2", "gemma3"])("%s", (family) => {
  test.each(["attention", "mlp"] as const)(
    "what entered the %s's projection is all that the rest needs",
    async (half) => {
      const checkpoint = await openPath(tinyPath(family));
      const model = await openModel(checkpoint);
      const { spec } = model;
      const runner = new LayerRunner(nodeBackend(1), spec);
      const windows = { ids: Int32Array.from(expectedLogits(family).ids.flat()), count: 2, length: 24 };
      const [layer, weights] = [spec.layers[0]!, await readLayer(model, 0)];
      const states = await embed(model, windows);
      const options = { scaled: spec.sandwichNorms, keepsInputs: true };
      const { inputs } = await runner.projectionSums(half, layer, weights, states, options);
      const group = layer.numAttentionHeads / layer.numKeyValueHeads;
      const heads = Int32Array.from({ length: group }, (_, i) => i); // those of the first key-value head
      const neurons = Int32Array.from({ length: layer.intermediateSize - 3 }, (_, i) => i + 2);
      const kept = half === "mlp" ? neurons : headElements(heads, spec.headDim);
      const columns = ({ data, shape }: typeof weights.oProj & object) =>
        gatherColumns(data, shape[1]!, kept).map((value) => 1.5 * value);
      const cut =
        half === "mlp"
          ? pruneNeurons(weights, kept, columns(weights.downProj!))
          : pruneHeads(weights, { heads, keyValueHeads: Int32Array.of(0) }, spec.headDim, columns(weights.oProj!));
      const sizes =
        half === "mlp" ? { intermediateSize: kept.length } : { numAttentionHeads: group, numKeyValueHeads: 1 };
      const whole: HiddenBatch[] = states.map((state) => ({
        ...state,
        hidden: tensor(state.hidden.data.slice(), state.hidden.shape),
      }));
      await runner[half]({ ...layer, ...sizes }, cut, whole);
      await project(runner, half, cut, { batches: inputs!, kept }, states);
      for (const [i, { hidden }] of states.entries())
        for (const [j, value] of hidden.data.entries()) expect(value).toBeCloseTo(whole[i]!.hidden.data[j]!, 4);
      await Promise.all([runner.release(), checkpoint.close()]);
    },
  );
});

// Gradients towards the weights against differences of the loss.
import { describe, expect, test } from "vitest";
import { givenLabels } from "../../../src/forward/backward/labels.ts";
import { type WeightGradients, weightGradients } from "../../../src/forward/backward/weight-gradients.ts";
import { embed } from "../../../src/forward/run/embed.ts";
import { runHead } from "../../../src/forward/run/head.ts";
import { LayerRunner, runLayers } from "../../../src/forward/run/layer-runner.ts";
import { type Model, openModel } from "../../../src/model/model.ts";
import { nodeBackend } from "../../../src/node/host.ts";
import { openPath } from "../../../src/node/open-path.ts";
import { scratchFolder } from "../../../src/node/scratch-folder.ts";
import { expectedLogits, FAMILY_FIXTURES, tinyPath } from "../../helpers/fixtures.ts";

const STEP = 1e-2;
const MATRICES = {
  qProj: "self_attn.q_proj",
  oProj: "self_attn.o_proj",
  upProj: "mlp.up_proj",
  downProj: "mlp.down_proj",
};

describe.each(["llama", "gemma3", ...Object.keys(FAMILY_FIXTURES)])("%s", (family) => {
  test("the loss changes with a weight as its gradient says", async () => {
    const checkpoint = await openPath(tinyPath(family));
    const model = await openModel(checkpoint);
    const ids = Int32Array.from(expectedLogits(family).ids.flat());
    const [windows, labels] = [{ ids, count: 2, length: 24 }, ids.map((id) => (id + 1) % model.spec.vocabSize)];
    const runner = new LayerRunner(nodeBackend(1), model.spec);
    const scratch = scratchFolder();
    const found: WeightGradients[] = [];
    const request = { runner, model, windows, scratch, labels: givenLabels(labels), attention: true };
    await weightGradients(request, async (gradients) => void found.push(gradients));
    expect(found.map(({ index }) => index)).toEqual([2, 1, 0]);

    const lossOf = async (changed: Model): Promise<number> => {
      const states = await embed(changed, windows);
      await runLayers(runner, changed, states);
      const { logSumExp, targetLogit } = await runHead(runner.programs, { model: changed, hidden: states.all }, labels);
      return logSumExp.reduce((sum, value, i) => sum + value - targetLogit[i]!, 0);
    };
    const slopeAt = async (tensor: string, at: number): Promise<number> => {
      const moved = (step: number): Model => ({
        ...model,
        read: async (name) => (await model.read(name)).map((w, i) => (name === tensor && i === at ? w + step : w)),
      });
      return ((await lossOf(moved(STEP))) - (await lossOf(moved(-STEP)))) / (2 * STEP);
    };
    // the middle layer, which has an attention in all of them, and through all others the first
    for (const [layer, roles] of [[1, Object.keys(MATRICES)] as const, [0, ["oProj", "downProj"]] as const])
      for (const role of roles as (keyof typeof MATRICES)[]) {
        const { data } = found[2 - layer]!.gradients[role]!;
        const at = data.reduce((best, value, i) => (Math.abs(value) > Math.abs(data[best]!) ? i : best), 0);
        const slope = await slopeAt(`model.layers.${layer}.${MATRICES[role]}.weight`, at);
        expect(data[at]! / slope).toBeCloseTo(1, 1);
      }
    await Promise.all([scratch.clear(), runner.release(), checkpoint.close()]);
  });
});

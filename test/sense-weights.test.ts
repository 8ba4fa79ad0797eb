import { expect, test } from "vitest";
import { openModel } from "../src/model/model.ts";
import { nodeBackend } from "../src/node/backend.ts";
import { openPath } from "../src/node/open-path.ts";
import { scratchFolder } from "../src/node/scratch-folder.ts";
import { senseWeights, sensitivityKey } from "../src/sense-weights.ts";
import { expectedLogits, tinyPath } from "./helpers/fixtures.ts";

/** Σ |w · ∂L/∂w| of the first three neurons of each layer by torch.autograd; test/fixtures/make-sensitivities.py prints them. */
const EXPECTED: Record<string, number[][]> = {
  llama: [
    [5.61739, 5.83891, 3.41574],
    [2.48983, 1.22364, 1.83661],
    [1.61897, 1.62158, 3.05726],
  ],
  "llama-bias": [
    [5.58664, 5.51186, 6.54774],
    [1.82513, 2.26871, 3.65287],
    [4.60271, 3.62219, 2.1635],
  ],
  gemma3: [
    [12.7041, 29.7825, 23.3966],
    [4.03228, 6.27799, 4.71065],
    [7.68364, 8.46186, 5.26918],
  ],
};

test.each(Object.keys(EXPECTED))("the sensitivity of %s's neurons is that of torch.autograd", async (family) => {
  const { ids } = expectedLogits(family);
  const checkpoint = await openPath(tinyPath(family));
  const model = await openModel(checkpoint);
  const backend = nodeBackend(1);
  const scratch = scratchFolder();
  const windows = { ids: Int32Array.from(ids.flat()), count: ids.length, length: ids[0]!.length };
  for await (const event of senseWeights({ backend, model, windows, scratch })) expect(event.name).toBe("gradient");
  for (const [index, expected] of EXPECTED[family]!.entries()) {
    const found = await scratch.take(sensitivityKey(index));
    expected.forEach((value, neuron) => {
      expect(found[neuron]! / value).toBeCloseTo(1, 4);
    });
  }
  await Promise.all([scratch.clear(), checkpoint.close()]);
});

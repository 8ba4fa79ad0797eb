import { expect, test } from "vitest";
import { openModel } from "../../src/model/model.ts";
import { nodeBackend } from "../../src/node/backend.ts";
import { openPath } from "../../src/node/open-path.ts";
import { scratchFolder } from "../../src/node/scratch-folder.ts";
import { headSensitivityKey, senseWeights, sensitivityKey } from "../../src/sensitivity/first-order.ts";
import { expectedLogits, tinyPath } from "../helpers/fixtures.ts";

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

/** The same of the query heads' elements 0, 1 and last. */
const EXPECTED_OF_HEADS: Record<string, number[][]> = {
  llama: [
    [19.1758, 13.8214, 9.13993],
    [7.61713, 6.09909, 6.35506],
    [4.27938, 10.7388, 4.40199],
  ],
  "llama-bias": [
    [9.51042, 13.2872, 16.0111],
    [6.96161, 6.51216, 3.48357],
    [2.46161, 6.83546, 3.15857],
  ],
  gemma3: [
    [76.2141, 76.8745, 42.7723],
    [22.5105, 15.6603, 16.7909],
    [9.08254, 12.1687, 8.46704],
  ],
};

test.each(Object.keys(EXPECTED))(
  "the sensitivity of %s's neurons and heads is that of torch.autograd",
  async (family) => {
    const { ids } = expectedLogits(family);
    const checkpoint = await openPath(tinyPath(family));
    const model = await openModel(checkpoint);
    const backend = nodeBackend(1);
    const scratch = scratchFolder();
    const windows = { ids: Int32Array.from(ids.flat()), count: ids.length, length: ids[0]!.length };
    for await (const event of senseWeights({ backend, model, windows, scratch, heads: true }))
      expect(event.name).toBe("gradient");
    for (const [index, expected] of EXPECTED[family]!.entries()) {
      const found = await scratch.take(sensitivityKey(index));
      expected.forEach((value, neuron) => {
        expect(found[neuron]! / value).toBeCloseTo(1, 4);
      });
      const ofHeads = await scratch.take(headSensitivityKey(index));
      EXPECTED_OF_HEADS[family]![index]!.forEach((value, i) => {
        expect(ofHeads.at([0, 1, -1][i]!)! / value).toBeCloseTo(1, 4);
      });
    }
    await Promise.all([scratch.clear(), checkpoint.close()]);
  },
);

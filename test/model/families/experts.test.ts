// Families of mixtures after something of them is cut: written into a folder and read back, each computes what the layers compute that
// were written. That the whole models compute what transformers does is tested in forward/.
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import type { Model } from "../../../src/model/model.ts";
import { type DecoderLayer, readLayer } from "../../../src/model/read-layer.ts";
import { type LayerIndex, type LayerPosition, layerIndices } from "../../../src/model/spec/layer-index.ts";
import { mixtureOf } from "../../../src/model/spec/parts.ts";
import { takeExperts } from "../../../src/model/take-rows.ts";
import { ModelWriter } from "../../../src/model/write/model-writer.ts";
import { isStock, prunedConfig, renderConfig } from "../../../src/model/write/pruned-config.ts";
import { stageFolder } from "../../../src/node/output-folder.ts";
import { EXPERT_FIXTURES, expectedLogits, tinyPath } from "../../helpers/fixtures.ts";
import { forwardLogits } from "../../helpers/forward-logits.ts";
import { newOutput, withModel } from "../../helpers/written.ts";

/** Writes these layers of a model and opens the folder. */
async function throughFolder<T>(
  source: Model,
  keptLayers: readonly LayerIndex[],
  layers: readonly DecoderLayer[],
  use: (model: Model) => Promise<T>,
): Promise<T> {
  const path = newOutput();
  const output = await stageFolder(path, { overwrite: false });
  const spec = { ...source.spec, layers: layers.map(({ sizes }) => sizes) };
  const writer = await ModelWriter.create(output, source, spec, { most: "F32", of: () => "F32" }, 2 ** 30);
  for (const [position, { weights, experts }] of layers.entries())
    await writer.writeLayer(position as LayerPosition, weights, experts);
  await writer.copyGlobals();
  await writer.finish();
  await output.commit();
  const config = prunedConfig(source.config, source.spec, { keptLayers, layers: spec.layers });
  writeFileSync(join(path, "config.json"), renderConfig(config));
  return withModel(path, async (model) => {
    expect(model.spec.layers).toEqual(spec.layers);
    expect(isStock(spec, spec.layers)).toBe(true);
    return use(model);
  });
}

const layersOf = (model: Model): Promise<DecoderLayer[]> =>
  Promise.all(layerIndices(model.spec).map((index) => readLayer(model, index)));

/** Without the first expert of each mixture. */
function withoutFirst(layer: DecoderLayer): DecoderLayer {
  const count = mixtureOf(layer.sizes)?.numExperts;
  return count === undefined
    ? layer
    : takeExperts(
        layer,
        Int32Array.from({ length: count - 1 }, (_, i) => i + 1),
      );
}

/** Families in which the number of experts must divide into groups are cut by as many as there are groups. */
const fewerExperts = EXPERT_FIXTURES.filter((name) => name !== "glm4-moe");

describe.each(EXPERT_FIXTURES)("%s", (name) => {
  const ids = expectedLogits(name).ids[0]!;

  test("as it is, and without its last layer", () =>
    withModel(tinyPath(name), async (model) => {
      const all = layerIndices(model.spec);
      for (const kept of [all, all.slice(0, -1)]) {
        const layers = (await layersOf(model)).slice(0, kept.length);
        const expected = await forwardLogits(model, ids, layers);
        await throughFolder(model, kept, layers, async (written) =>
          expect(await forwardLogits(written, ids)).toEqual(expected),
        );
      }
    }));

  test.runIf(fewerExperts.includes(name))("without an expert in each layer: the others are as they were", () =>
    withModel(tinyPath(name), async (model) => {
      const layers = (await layersOf(model)).map(withoutFirst);
      const expected = await forwardLogits(model, ids, layers);
      await throughFolder(model, layerIndices(model.spec), layers, async (written) => {
        expect(await forwardLogits(written, ids)).toEqual(expected);
        for (const [index, layer] of (await layersOf(written)).entries())
          expect((await layer.experts?.read(0))?.downProj?.data).toEqual(
            (await (await readLayer(model, index as LayerIndex)).experts?.read(1))?.downProj?.data,
          );
      });
    }),
  );
});

test("fewer experts than a token goes to cannot stay", () =>
  withModel(tinyPath("mixtral"), async (model) => {
    const layer = await readLayer(model, 0 as LayerIndex);
    expect(() => takeExperts(layer, Int32Array.of(2))).toThrow("1 of 4 experts cannot stay: each token goes to 2");
  }));

import { describe, expect, test } from "vitest";
import type { Model } from "../../../src/model/model.ts";
import { type DecoderLayer, readLayer } from "../../../src/model/read-layer.ts";
import { type LayerIndex, layerIndices } from "../../../src/model/spec/layer-index.ts";
import { mixtureOf } from "../../../src/model/spec/parts.ts";
import { takeExperts } from "../../../src/model/take-rows.ts";
import { isStock } from "../../../src/model/write/pruned-config.ts";
import { EXPERT_FIXTURES, expectedLogits, tinyPath } from "../../helpers/fixtures.ts";
import { forwardLogits } from "../../helpers/forward-logits.ts";
import { throughFolder } from "../../helpers/write-layers.ts";
import { withModel } from "../../helpers/written.ts";

/** Layers written and read back: of the sizes that they had, and stock. */
const readBack = <T>(
  source: Model,
  keptLayers: readonly LayerIndex[],
  layers: readonly DecoderLayer[],
  use: (model: Model) => Promise<T>,
): Promise<T> =>
  throughFolder(source, keptLayers, layers, (model, spec) => {
    expect(model.spec.layers).toEqual(spec.layers);
    expect(isStock(spec, spec.layers)).toBe(true);
    return use(model);
  });

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
        await readBack(model, kept, layers, async (written) =>
          expect(await forwardLogits(written, ids)).toEqual(expected),
        );
      }
    }));

  test.runIf(fewerExperts.includes(name))("without an expert in each layer: the others are as they were", () =>
    withModel(tinyPath(name), async (model) => {
      const layers = (await layersOf(model)).map(withoutFirst);
      const expected = await forwardLogits(model, ids, layers);
      await readBack(model, layerIndices(model.spec), layers, async (written) => {
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

import { describe, expect, test } from "vitest";
import { gatherColumns } from "../../../src/linalg/gather.ts";
import { whyHeadsStay } from "../../../src/model/families/family.ts";
import { familyOf } from "../../../src/model/families/index.ts";
import type { Model } from "../../../src/model/model.ts";
import { type DecoderLayer, type LayerWeights, readLayer } from "../../../src/model/read-layer.ts";
import { type LayerIndex, layerIndices } from "../../../src/model/spec/layer-index.ts";
import { attentionOf, type LayerSpec, resized } from "../../../src/model/spec/parts.ts";
import { layerTensors } from "../../../src/model/spec/tensor-names.ts";
import { isStock } from "../../../src/model/write/pruned-config.ts";
import { headElements, takeHeads } from "../../../src/prune/heads.ts";
import { takeNeurons } from "../../../src/prune/neurons.ts";
import { expectedLogits, FAMILY_FIXTURES, tinyPath } from "../../helpers/fixtures.ts";
import { forwardLogits } from "../../helpers/forward-logits.ts";
import { throughFolder } from "../../helpers/write-layers.ts";
import { withModel } from "../../helpers/written.ts";

/** A layer with less, and what of the inputs of a projection it still reads. */
interface CutLayer {
  readonly layer: LayerSpec;
  readonly weights: LayerWeights;
  readonly zeroed: { readonly role: "oProj" | "downProj"; readonly kept: Int32Array };
}

/** Every other neuron goes. */
function withoutNeurons({ sizes, weights }: DecoderLayer): CutLayer {
  const { data, shape } = weights.downProj!;
  const kept = Int32Array.from({ length: shape[1]! / 2 }, (_, i) => 2 * i);
  const recovered = { weight: gatherColumns(data, shape[1]!, kept) };
  return {
    layer: resized(sizes, { intermediateSize: kept.length }),
    weights: takeNeurons(weights, kept, recovered),
    zeroed: { role: "downProj", kept },
  };
}

/** The first key-value head goes with its queries; undefined where there is no attention. */
function withoutHeads({ sizes, weights }: DecoderLayer, headDim: number): CutLayer | undefined {
  const attention = attentionOf(sizes);
  if (attention === undefined) return undefined;
  const { numAttentionHeads, numKeyValueHeads } = attention;
  const group = numAttentionHeads / numKeyValueHeads;
  const keyValueHeads = Int32Array.from({ length: numKeyValueHeads - 1 }, (_, i) => i + 1);
  const heads = Int32Array.from({ length: numAttentionHeads - group }, (_, i) => i + group);
  const inputs = headElements(heads, headDim);
  const { data, shape } = weights.oProj!;
  return {
    layer: resized(sizes, { numAttentionHeads: heads.length, numKeyValueHeads: keyValueHeads.length }),
    weights: takeHeads(weights, { heads, keyValueHeads, inputs }, { weight: gatherColumns(data, shape[1]!, inputs) }),
    zeroed: { role: "oProj", kept: inputs },
  };
}

/** Layers written, read back, and looked at: sizes, the code that they need, and what lies around them. */
const readBack = <T>(
  source: Model,
  keptLayers: readonly LayerIndex[],
  layers: readonly DecoderLayer[],
  use: (model: Model) => Promise<T>,
): Promise<T> =>
  throughFolder(source, keptLayers, layers, async (model, spec) => {
    expect(model.spec.layers).toEqual(spec.layers);
    expect("auto_map" in (model.surroundings?.config ?? model.config)).toBe(!isStock(spec, spec.layers));
    await expectSameAround(model, source);
    return use(model);
  });

/** What lies around a text part is the same to the bit. */
async function expectSameAround({ surroundings, checkpoint }: Model, source: Model): Promise<void> {
  const tensors = source.surroundings?.tensors ?? [];
  expect(surroundings?.tensors.map(({ name }) => name).sort()).toEqual(
    source.surroundings && tensors.map(({ name }) => name).sort(),
  );
  for (const { name } of tensors) expect(await checkpoint.read(name)).toEqual(await source.checkpoint.read(name));
  const { text_config: _, architectures: __, ...others } = source.surroundings?.config ?? {};
  expect(surroundings?.config ?? {}).toMatchObject(others);
}

/** The dense model with zeros for the inputs of projections that are no longer read. */
function zeroed(model: Model, cuts: readonly (CutLayer | undefined)[]): Model {
  const kept = new Map<string, Int32Array>();
  for (const [index, cut] of cuts.entries())
    for (const { role, name } of layerTensors(model.spec, index))
      if (cut?.zeroed.role === role) kept.set(name, cut.zeroed.kept);
  return {
    ...model,
    read: async (name) => {
      const [values, columns] = [await model.read(name), kept.get(name)];
      const size = model.tensors.get(name)!.shape[1] ?? 1;
      return columns === undefined ? values : values.map((value, i) => (columns.includes(i % size) ? value : 0));
    },
  };
}

async function expectSameLogits(model: Model, reference: Model, ids: readonly number[]): Promise<void> {
  const [own, other] = [await forwardLogits(model, ids), await forwardLogits(reference, ids)];
  own.forEach((row, token) => {
    row.forEach((value, id) => void expect(value).toBeCloseTo(other[token]![id]!, 3));
  });
}

describe.each(Object.entries(FAMILY_FIXTURES))("%s", (name, cuttable) => {
  const ids = expectedLogits(name).ids[0]!;
  const onModel = (use: (model: Model, layers: DecoderLayer[]) => Promise<void>): Promise<void> =>
    withModel(tinyPath(name), async (model) => {
      const layers: DecoderLayer[] = [];
      for (const index of layerIndices(model.spec)) layers.push(await readLayer(model, index));
      await use(model, layers);
    });

  type CutOf = (layer: DecoderLayer, headDim: number, index: number) => CutLayer | undefined;
  const cutEach = (cutOf: CutOf): Promise<void> =>
    onModel(async (model, layers) => {
      const cuts = layers.map((layer, index) => cutOf(layer, model.spec.headDim, index));
      const cut = layers.map((layer, i) => (cuts[i] ? { sizes: cuts[i].layer, weights: cuts[i].weights } : layer));
      await readBack(model, layerIndices(model.spec), cut, (written) =>
        expectSameLogits(written, zeroed(model, cuts), ids),
      );
    });

  test("without half of the neurons", () => cutEach(withoutNeurons));

  test("without half of the neurons of one layer", () =>
    cutEach((layer, _, index) => (index === 1 ? withoutNeurons(layer) : undefined)));

  test.runIf(cuttable.includes("heads"))("without heads", () => cutEach(withoutHeads));

  test("says whether heads can go", () =>
    onModel(async ({ spec }) => {
      const why = whyHeadsStay(spec, familyOf({ model_type: spec.family }));
      expect(why === undefined).toBe(cuttable.includes("heads"));
    }));

  test("without its first layer", () =>
    onModel(async (model, layers) => {
      const bare = { ...model.spec.layers[0]!, mixer: null, channel: null };
      const reference = { ...model, spec: { ...model.spec, layers: model.spec.layers.with(0, bare) } };
      const [, ...kept] = layerIndices(model.spec);
      await readBack(model, kept, layers.slice(1), (written) => expectSameLogits(written, reference, ids));
    }));
});

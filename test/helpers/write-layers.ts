// Layers as they are now, written into a folder as a pruning does.
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import type { Model } from "../../src/model/model.ts";
import type { DecoderLayer } from "../../src/model/read-layer.ts";
import type { DecoderSpec } from "../../src/model/spec/decoder-spec.ts";
import type { LayerIndex, LayerPosition } from "../../src/model/spec/layer-index.ts";
import { ModelWriter } from "../../src/model/write/model-writer.ts";
import { prunedConfig, renderConfig } from "../../src/model/write/pruned-config.ts";
import { wholeConfig } from "../../src/model/write/whole-config.ts";
import { stageFolder } from "../../src/node/output-folder.ts";
import { newOutput, withModel } from "./written.ts";

/** Writes the layers of `source` that stay, and opens the folder. @param use gets the model, and what it should be */
export async function throughFolder<T>(
  source: Model,
  keptLayers: readonly LayerIndex[],
  layers: readonly DecoderLayer[],
  use: (model: Model, spec: DecoderSpec) => Promise<T>,
): Promise<T> {
  const path = newOutput();
  const output = await stageFolder(path, { overwrite: false });
  const spec: DecoderSpec = { ...source.spec, layers: layers.map(({ sizes }) => sizes) };
  const writer = await ModelWriter.create(output, source, spec, { most: "F32", of: () => "F32" }, 2 ** 30);
  for (const [position, { weights, experts }] of layers.entries())
    await writer.writeLayer(position as LayerPosition, weights, experts);
  await writer.copyGlobals();
  await writer.finish();
  await output.commit();
  const own = prunedConfig(source.config, source.spec, { keptLayers, layers: spec.layers });
  const config = source.surroundings ? wholeConfig(source.surroundings, own) : own;
  writeFileSync(join(path, "config.json"), renderConfig(config));
  return withModel(path, (model) => use(model, spec));
}

// A model written as a GGUF file, whole or with layers cut down to their first heads and neurons.
import { elementCount } from "../../src/compute/tensor.ts";
import { allIndices } from "../../src/linalg/gather.ts";
import type { Model } from "../../src/model/model.ts";
import { type LayerWeights, readLayer } from "../../src/model/read-layer.ts";
import type { DecoderSpec } from "../../src/model/spec/decoder-spec.ts";
import { type LayerPosition, layerIndices, layerPositions } from "../../src/model/spec/layer-index.ts";
import { mixtureOf } from "../../src/model/spec/parts.ts";
import { layerTensors } from "../../src/model/spec/tensor-names.ts";
import { takeExperts } from "../../src/model/take-rows.ts";
import type { Mixture } from "../../src/model/write/mixtures.ts";
import { ModelWriter } from "../../src/model/write/model-writer.ts";
import { ggufTypes } from "../../src/model/write/tensor-types.ts";
import { stageFile } from "../../src/node/output-folder.ts";

/** Writes `source` in the sizes of `spec`, which has the same layers or fewer heads, neurons and experts in them; experts are whole. */
export async function copyToGguf(
  source: Model,
  path: string,
  mixture: Mixture,
  spec: DecoderSpec = source.spec,
): Promise<void> {
  const output = await stageFile(path, { overwrite: false });
  const writer = await ModelWriter.createGguf(output, source, spec, ggufTypes(source, [], mixture, false));
  const indices = layerIndices(source.spec);
  for (const position of layerPositions(spec)) {
    const layer = await readLayer(source, indices[position]!);
    const { numExperts } = mixtureOf(spec.layers[position]!) ?? {};
    const { weights, experts } = numExperts ? takeExperts(layer, allIndices(numExperts)) : layer;
    await writer.writeLayer(position, cut(weights, spec, position), experts);
  }
  await writer.copyGlobals();
  await writer.finish();
  await output.commit();
}

/** The leading part of each tensor, as large as `spec` has it. */
function cut(weights: LayerWeights, spec: DecoderSpec, position: LayerPosition): LayerWeights {
  return Object.fromEntries(
    layerTensors(spec, position).flatMap(({ role, shape, experts }) => {
      if (experts !== undefined) return [];
      const { data, shape: full } = weights[role]!;
      const [rows, columns, from] = [shape[0]!, elementCount(shape.slice(1)), elementCount(full.slice(1))];
      const part = Float32Array.from(
        { length: rows * columns },
        (_, i) => data[Math.floor(i / columns) * from + (i % columns)]!,
      );
      return [[role, { data: part, shape }]];
    }),
  );
}

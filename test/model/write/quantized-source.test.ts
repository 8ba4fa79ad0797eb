// A folder of 8-bit floats on its way to a pruned one: read as its values, written in BF16, its configuration without a trace of it.
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { elementsOf, type TensorInfo } from "../../../src/checkpoint/checkpoint.ts";
import { decode, encode } from "../../../src/checkpoint/dtype.ts";
import { openFolder } from "../../../src/checkpoint/open-checkpoint.ts";
import { openModel } from "../../../src/model/model.ts";
import { readLayer } from "../../../src/model/read-layer.ts";
import { layerIndices, layerPositions } from "../../../src/model/spec/layer-index.ts";
import { ModelWriter } from "../../../src/model/write/model-writer.ts";
import { prunedConfig } from "../../../src/model/write/pruned-config.ts";
import { tensorTypes } from "../../../src/model/write/tensor-types.ts";
import { openPath } from "../../../src/node/open-path.ts";
import { tinyPath } from "../../helpers/fixtures.ts";
import { memoryFolder, memoryOutput } from "../../helpers/memory.ts";
import { safetensorsBytes } from "../../helpers/safetensors-bytes.ts";

const BLOCK = [16, 32] as const;
const QUANTIZATION = { quant_method: "fp8", weight_block_size: BLOCK, activation_scheme: "dynamic" };
const E4M3 = decode(
  "F8_E4M3",
  Uint8Array.from({ length: 256 }, (_, bits) => bits),
);

const isProjection = ({ name }: TensorInfo): boolean => name.includes("_proj");

interface Stored {
  readonly dtype: string;
  readonly shape: readonly number[];
  readonly bytes: Uint8Array;
}

/** A matrix as the nearest 8-bit floats, and the largest magnitude of each block by 448 as its scale. */
function quantized([rows, columns]: [number, number], values: Float32Array): [weight: Stored, scales: Stored] {
  const grid = [Math.ceil(rows / BLOCK[0]), Math.ceil(columns / BLOCK[1])] as const;
  const blockOf = (i: number): number =>
    Math.floor(Math.floor(i / columns) / BLOCK[0]) * grid[1] + Math.floor((i % columns) / BLOCK[1]);
  const scales = new Float32Array(grid[0] * grid[1]);
  for (const [i, x] of values.entries()) scales[blockOf(i)] = Math.max(scales[blockOf(i)]!, Math.abs(x) / 448);
  const nearest = (x: number): number =>
    E4M3.reduce((best, value, bits) => (Math.abs(value - x) < Math.abs(E4M3[best]! - x) ? bits : best), 0);
  const bytes = Uint8Array.from(values, (x, i) => nearest(x / scales[blockOf(i)]!));
  return [
    { dtype: "F8_E4M3", shape: [rows, columns], bytes },
    { dtype: "F32", shape: grid, bytes: encode("F32", scales) },
  ];
}

function fileOf(tensors: ReadonlyMap<string, Stored>): Uint8Array {
  let end = 0;
  const header = [...tensors].map(([name, { dtype, shape, bytes }]) => {
    end += bytes.length;
    return [name, { dtype, shape, data_offsets: [end - bytes.length, end] }];
  });
  const file = safetensorsBytes(Object.fromEntries(header), end);
  file.set(Buffer.concat([...tensors.values()].map(({ bytes }) => bytes)), file.length - end);
  return file;
}

/** The tiny model with its projections in 8-bit floats, all else as it is. */
async function quantizedFolder(): Promise<Record<string, Uint8Array | string>> {
  const source = await openPath(tinyPath("llama"));
  const tensors = new Map<string, Stored>();
  for (const info of source.tensors.values()) {
    const { name, shape, dtype } = info;
    const values = await source.read(name);
    const [weight, scales] = isProjection(info)
      ? quantized(shape as [number, number], values)
      : [{ dtype, shape, bytes: encode("F32", values) }];
    tensors.set(name, weight);
    if (scales !== undefined) tensors.set(`${name}_scale_inv`, scales);
  }
  await source.close();
  const config = JSON.parse(readFileSync(join(tinyPath("llama"), "config.json"), "utf8"));
  return {
    "config.json": JSON.stringify({ ...config, quantization_config: QUANTIZATION }),
    "model.safetensors": fileOf(tensors),
  };
}

const folder = memoryFolder(await quantizedFolder());

test("a folder of 8-bit floats becomes one of BF16, of the same values but for their rounding", async () => {
  const model = await openModel(await openFolder(folder));
  const keptLayers = layerIndices(model.spec);
  const types = tensorTypes(model, keptLayers, "same");
  const output = memoryOutput();
  const writer = await ModelWriter.create(output, model, model.spec, types, 1e9);
  for (const position of layerPositions(model.spec))
    await writer.writeLayer(position, (await readLayer(model, keptLayers[position]!)).weights);
  await writer.copyGlobals();
  await writer.finish();

  const written = await openFolder(memoryFolder(output.files));
  expect([...written.tensors.keys()].sort()).toEqual([...model.tensors.keys()].sort());
  for (const info of written.tensors.values()) {
    const dtype = isProjection(info) ? "BF16" : "F32";
    expect([info.name, info.dtype]).toEqual([info.name, dtype]);
    const values = await model.read(info.name);
    expect(values.length).toBe(elementsOf(info.shape));
    expect(await written.read(info.name)).toEqual(decode(dtype, encode(dtype, values)));
  }
  const { most: dtype } = types;
  const config = prunedConfig(model.config, model.spec, { keptLayers, layers: model.spec.layers, dtype });
  expect(config).not.toHaveProperty("quantization_config");
  expect(config.torch_dtype ?? config.dtype).toBe("bfloat16");
});

test("8-bit floats are within a sixteenth of what they were made of", async () => {
  const model = await openModel(await openFolder(folder));
  const source = await openPath(tinyPath("llama"));
  for (const { name } of [...source.tensors.values()].filter(isProjection)) {
    const [before, after] = [await source.read(name), await model.read(name)];
    const largest = before.reduce((most, x) => Math.max(most, Math.abs(x)), 0);
    // near zero their steps do not become smaller: 2^-9 of a scale, which is a 448th of the largest magnitude at most
    const tooFar = before.findIndex((x, i) => Math.abs(after[i]! - x) > Math.abs(x) / 16 + largest / 448 / 2 ** 10);
    expect([name, tooFar]).toEqual([name, -1]);
  }
  await source.close();
});
